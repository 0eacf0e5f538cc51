"""The Dockerfile by its structure: there is no container engine where tests run."""

import fnmatch
import re
from pathlib import Path

from asynq_exporter import __version__

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text("utf-8")
#: Instructions with their continuation lines, comments left out.
INSTRUCTIONS = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE)).splitlines()


def of(word: str) -> list[str]:
    """The arguments of an instruction, each time it occurs."""
    return [line.partition(" ")[2] for line in INSTRUCTIONS if line.startswith(f"{word} ")]


def test_it_is_multi_stage_and_pinned() -> None:
    """Built apart from where it runs; both on the same full version of Python."""
    build, run = of("FROM")

    assert build == f"{run} AS build"
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-bookworm", run)
    (copied,) = [copy for copy in of("COPY") if copy.startswith("--from=build")]
    assert "/opt/asynq-exporter /opt/asynq-exporter" in copied


def test_nothing_knows_the_processor() -> None:
    """The same file builds for every architecture for which there are wheels."""
    assert not re.findall(r"amd64|arm64|x86|aarch64|--platform=|curl|wget|apt-get", "\n".join(INSTRUCTIONS))


def test_versions_are_those_that_are_tested() -> None:
    """Constraints are in the context and are used."""
    (command,) = [run for run in of("RUN") if "pip install" in run]

    assert "--constraint constraints.txt" in command
    assert "--only-binary :all:" in command
    assert f"asynq-exporter:{__version__} ." in TEXT


def test_it_runs_without_root() -> None:
    """As a numbered user, which Kubernetes can tell from root; the files are root's."""
    (user,) = of("USER")

    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    assert "--chown" not in TEXT
    assert INSTRUCTIONS.index(f"USER {user}") > max(
        number for number, line in enumerate(INSTRUCTIONS) if line.startswith(("RUN", "COPY"))
    )


def test_it_serves_and_says_that_it_lives() -> None:
    """The command, its port, the signal that ends it, and a health check with the program that is there."""
    assert ['["asynq-exporter"]'] == of("ENTRYPOINT")
    assert ['["serve"]'] == of("CMD")
    assert ["9876"] == of("EXPOSE")
    assert ["SIGTERM"] == of("STOPSIGNAL")
    (check,) = of("HEALTHCHECK")
    assert '["python", "-c"' in check
    assert "/-/healthy" in check


def test_context_holds_what_is_copied_and_no_secret() -> None:
    """Everything is left out but what the build needs."""
    ignore = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    allowed = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    copied = {part for copy in of("COPY") if "--from" not in copy for part in copy.split()[:-1]}

    assert "*" in ignore
    assert copied == allowed
    assert all((ROOT / part).exists() for part in copied)
    assert not any(fnmatch.fnmatch("deploy/secrets", pattern) for pattern in allowed)
