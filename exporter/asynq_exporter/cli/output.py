"""What a command says to people: one line for an error, no control characters."""

import sys
from collections.abc import Mapping

import click

from asynq_exporter import logs

PROGRAM = "asynq-exporter"

USAGE_ERROR, START_ERROR = 2, 1


def fail(sentence: str, code: int) -> int:
    """Writes an error in one line; the exit code."""
    click.echo(f"{PROGRAM}: error: {one_line(sentence)}", err=True)
    return code


def one_line(text: str) -> str:
    """A text on one line, whatever a value in it may hold."""
    return " ".join(logs.clean(text).splitlines())


def language(environment: Mapping[str, str]) -> str:
    """The language of the locale, of those there are: Chinese, else English."""
    locale = next((text for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (text := environment.get(name))), "")
    return "zh" if locale.lower().startswith("zh") else "en"


def wants_colour(environment: Mapping[str, str]) -> bool:
    """Whether standard output is a terminal whose user has nothing against colours (no-color.org)."""
    return sys.stdout.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
