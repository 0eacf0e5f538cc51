"""Makes exporter/man/asynq-exporter.1, the manual page, of the same declarations as docs/cli.md."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from asynq_exporter import __version__
from asynq_exporter.cli_reference import Described, commands, flag_of, is_kept
from asynq_exporter.settings import OPTIONS
from asynq_exporter.settings.options import Option

#: Characters of a line of text, before hyphens are escaped.
WIDTH = 72

CONFIGURATION = """\
Every shared option has a flag, an environment variable, and a key in the config file, which is the flag
without its dashes: --redis.url, ASYNQ_REDIS_URL and redis: {url: ...} are one. A flag beats the environment,
which beats the config file, which beats the default. In the environment several values are separated by
spaces. Durations are written as in Prometheus: 500ms, 10s, 1m30s.

Own queues, further Redis and the web configuration file are described in docs/configuration.md.
"""

EXIT_STATUS = """\
0: done. 1: it could not start. 2: wrong usage or configuration. 130: interrupted. doctor ends with 10 for
warnings and 20 where something is critical. What went wrong is one line on standard error.
"""

EXAMPLES = {
    "See it at work, with a Redis of its own and an incident:": "asynq-exporter demo --scenario backlog",
    "Watch a Redis, with the password in a file:": (
        "asynq-exporter serve --redis.url redis://HOST:6379/0 --redis.password-file FILE"
    ),
    "Ask what is wrong, for a script:": "asynq-exporter doctor --redis.url redis://HOST:6379/0 --json",
}

SEE_ALSO = "prometheus(1), redis-server(1); docs/README.md in the source of this version."


def page() -> str:
    """The page in the language of man(7)."""
    program, *others = commands()
    lines = [
        '.\\" Made by `make docs`.',
        f'.TH ASYNQ\\-EXPORTER 1 "" "asynq\\-exporter {__version__}" "User Commands"',
        # Names are not to be cut or spread.
        ".nh",
        ".ad l",
        ".SH NAME",
        _text("asynq-exporter - Prometheus exporter for the Asynq task queue"),
        ".SH SYNOPSIS",
        *_synopsis([each for each in others if not each.below]),
        ".SH DESCRIPTION",
        *_prose(program.paragraphs),
        ".SH COMMANDS",
        *(line for each in others if not each.below for line in _command(each)),
        ".SH CONFIGURATION",
        *_prose(" ".join(each.split()) for each in CONFIGURATION.split("\n\n")),
        ".SH OPTIONS",
        *_shared(),
        ".SH EXIT STATUS",
        _text(EXIT_STATUS),
        ".SH EXAMPLES",
        *_prose(each for says, example in EXAMPLES.items() for each in (says, f"{example}\n")),
        ".SH SEE ALSO",
        _text(SEE_ALSO),
    ]
    return "\n".join(lines) + "\n"


def _prose(paragraphs: Iterable[str]) -> Iterator[str]:
    """Paragraphs of text and of examples."""
    for index, each in enumerate(paragraphs):
        if index:
            yield ".PP"
        yield from _example(each) if is_kept(each) else [_text(each)]


def _synopsis(programs: Sequence[Described]) -> Iterator[str]:
    for index, each in enumerate(programs):
        if index:
            yield ".br"
        yield f".B {_text(each.path)}"
        yield _text(each.usage)


def _command(each: Described) -> Iterator[str]:
    yield f".SS {_text(each.path.partition(' ')[2])}"
    yield from _prose(each.paragraphs)
    for flag, sentence in each.own.items():
        yield from _entry(flag, sentence)
    for title, meanings in each.further.items():
        yield ".PP"
        yield _text(f"{title}:")
        for word, meaning in meanings.items():
            yield from _entry(word, meaning)
    if each.groups:
        yield ".PP"
        yield _text("Shared options, see OPTIONS:")
        for group, members in each.groups.items():
            yield from _entry(group, ", ".join(flag_of(one).partition(" ")[0] for one in members))


def _shared() -> Iterator[str]:
    yield '.TP\n.BR \\-h ", " \\-\\-help\nShow the help of a command and exit.'
    group = ""
    for each in OPTIONS.values():
        if each.group != group:
            group = each.group
            yield f".SS {_text(group)}"
        yield from _option(each)


def _option(each: Option) -> Iterator[str]:
    yield from _entry(flag_of(each), each.sentence)
    if each.flag is not None:
        default = "" if each.default is None else f"; default {each.default}"
        yield ".br"
        yield _text(f"[{each.environment}{default}]")


def _entry(name: str, meaning: str) -> Iterator[str]:
    yield ".TP"
    yield f".B {_text(name)}"
    yield _text(meaning)


def _example(text: str) -> Iterator[str]:
    yield from (".nf", ".RS", *map(_escaped, text.splitlines()), ".RE", ".fi")


def _text(text: str) -> str:
    """Text in lines of a source's width; sentences begin new ones, as man(7) wants it."""
    sentences = re.split(r"(?<=[.;:]) ", text.replace("`", ""))
    lines = [
        line
        for sentence in sentences
        for line in textwrap.wrap(sentence, WIDTH, break_long_words=False, break_on_hyphens=False)
    ]
    return "\n".join(map(_escaped, lines))


def _escaped(line: str) -> str:
    """A line as it stands: nothing in it is a request, and a hyphen stays one that can be copied."""
    return re.sub(r"^([.'])", r"\\&\1", line.replace("\\", "\\e").replace("-", "\\-"))
