"""Completion as a shell makes it: the printed script is read by a real one, which then asks the program."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from asynq_exporter import completion
from tests.conftest import need_tool

#: What the shell does when somebody presses the tab key.
PRESS_TAB = """
source /dev/stdin
COMP_WORDS=({words})
COMP_CWORD={last}
_asynq_exporter_completion asynq-exporter
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with the command under its name."""
    command = tmp_path / "bin" / "asynq-exporter"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m asynq_exporter "$@"\n')
    command.chmod(0o755)
    return command.parent


def printed(programs: Path, shell: str) -> str:
    """What the command prints for a shell."""
    done = subprocess.run(
        [programs / "asynq-exporter", "completion", shell], capture_output=True, text=True, check=True
    )
    return done.stdout


def tab(programs: Path, *words: str) -> set[str]:
    """What bash offers after some words, the last of which may be unfinished."""
    quoted = " ".join(f"'{word}'" for word in ("asynq-exporter", *words))
    done = subprocess.run(
        [need_tool("bash"), "--norc", "-c", PRESS_TAB.format(words=quoted, last=len(words))],
        input=printed(programs, "bash"),
        env={"PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ser"], {"serve"}),
        (["config", ""], {"check"}),
        (["serve", "--redis.tls.c"], {"--redis.tls.ca-file", "--redis.tls.cert-file"}),
        (["serve", "--log.level", ""], {"debug", "info", "warn", "error"}),
        (["serve", "--log.format", "j"], {"json"}),
        (["demo", "--scenario", "back"], {"backlog"}),
        (["completion", ""], set(completion.SHELLS)),
        (["serve", "--queues.max", ""], set()),
    ],
)
def test_bash_completes(programs: Path, words: list[str], offered: set[str]) -> None:
    """Commands, options, and the values of those that have few."""
    assert offered == tab(programs, *words)


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_script_is_one_that_its_shell_reads(programs: Path, shell: str) -> None:
    """It asks the program; where the shell is installed, it finds no mistake in it."""
    script = printed(programs, shell)

    assert f"_ASYNQ_EXPORTER_COMPLETE={shell}_complete" in script
    if program := shutil.which(shell):
        subprocess.run([program, "-n"], input=script, text=True, check=True, timeout=60)


def test_unknown_shell_is_refused(programs: Path) -> None:
    """With those that there are."""
    done = subprocess.run(
        [programs / "asynq-exporter", "completion", "csh"], capture_output=True, text=True, check=False
    )

    assert 2 == done.returncode
    assert "zsh" in done.stderr
