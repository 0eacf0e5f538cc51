"""The manual page: programs that read manual pages find no mistake in it, and nothing is left out."""

import re
import subprocess

from tools.generate_docs import MAN_PAGE

from asynq_exporter.cli_reference import commands
from asynq_exporter.settings import OPTIONS
from tests.conftest import need_tool

#: The version dates the page.
ALLOWED = "missing date"


def read(*command: str) -> tuple[str, str]:
    """What a program prints of the page, and what it complains of."""
    environment = {"MANWIDTH": "100", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [need_tool(command[0]), *command[1:], str(MAN_PAGE)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout, done.stderr


def test_mandoc_finds_no_mistake() -> None:
    """Its linter has nothing to say, matters of style included."""
    complaints, trouble = read("mandoc", "-T", "lint")

    assert "" == trouble
    assert [] == [line for line in complaints.splitlines() if ALLOWED not in line]


def test_man_shows_it_without_a_warning() -> None:
    """groff, behind man, warns of nothing."""
    text, warnings = read("man", "--warnings", "--local-file")

    assert "" == warnings
    assert "NAME" in text


def test_every_command_and_option_is_told() -> None:
    """As one reads the page."""
    text, _ = read("mandoc", "-T", "utf8")
    plain = re.sub(r".\x08", "", text)

    assert [] == [each.path for each in commands() if each.path not in plain and not each.below]
    assert [] == [o.name for o in OPTIONS.values() if o.environment not in plain]
    assert [] == [o.flag for o in OPTIONS.values() if o.flag and o.flag not in plain]
