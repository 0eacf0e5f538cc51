"""The page docs/cli.md, and what it and the manual page tell of every command."""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import click

from asynq_exporter.cli import program
from asynq_exporter.cli.command import HELP, Command
from asynq_exporter.cli.output import PROGRAM
from asynq_exporter.settings.options import Option

INTRODUCTION = """\
# Command line

Made from the declarations in `asynq_exporter.cli` by `make docs`; a test compares.
`asynq-exporter COMMAND --help` and, where it is installed, `man asynq-exporter` say the same.

Exit codes: 0 done, 1 it could not start, 2 wrong usage or configuration, 130 interrupted; `doctor` has
others, see below. What went wrong is one line on standard error. What the shared options mean, their
variables and defaults: [configuration.md](configuration.md).
"""

#: What click puts before a paragraph whose lines are kept.
_KEPT = "\b\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A command as its help tells it."""

    path: str
    #: What follows the path.
    usage: str
    #: Paragraphs on one line each, but for those in `kept`.
    paragraphs: Sequence[str]
    #: Options that are its own: flag and value -> sentence.
    own: Mapping[str, str]
    #: Group -> options of `Settings`.
    groups: Mapping[str, Sequence[Option]]
    #: Title -> word -> what it means.
    further: Mapping[str, Mapping[str, str]]
    #: Name -> sentence of the commands below.
    below: Mapping[str, str]


def commands() -> Iterator[Described]:
    """The program and every command below it."""
    return _from(program, None, PROGRAM)


def is_kept(paragraph: str) -> bool:
    """Whether the lines of a paragraph are those of an example."""
    return "\n" in paragraph


def page() -> str:
    """The page as Markdown."""
    return "\n".join([INTRODUCTION, *(line for each in commands() for line in _section(each))])


def flag_of(each: Option) -> str:
    """An option as one writes it, or the variable of one that has no flag."""
    if each.flag is None:
        return each.environment
    return f"--{each.flag} {each.kind.metavar}" if each.kind.metavar else f"--[no-]{each.flag}"


def _from(command: click.Command, parent: click.Context | None, name: str) -> Iterator[Described]:
    with click.Context(command, parent, info_name=name, help_option_names=HELP) as ctx:
        below = _below(command, ctx)
        yield Described(
            path=ctx.command_path,
            usage=" ".join(command.collect_usage_pieces(ctx)),
            paragraphs=[_on_one_line(text) for text in inspect.cleandoc(command.help or "").split("\n\n")],
            own=dict(_own(command, ctx)),
            groups=_groups(command),
            further=command.further() if isinstance(command, Command) else {},
            below={each.name or "": each.get_short_help_str(100) for each in below},
        )
        for each in below:
            yield from _from(each, ctx, each.name or "")


def _below(command: click.Command, ctx: click.Context) -> list[click.Command]:
    names = command.list_commands(ctx) if isinstance(command, click.Group) else []
    found = [command.get_command(ctx, name) for name in names if isinstance(command, click.Group)]
    return [each for each in found if each is not None and not each.hidden]


def _own(command: click.Command, ctx: click.Context) -> Iterable[tuple[str, str]]:
    params = command.own if isinstance(command, Command) else command.get_params(ctx)
    for param in params:
        if isinstance(param, click.Option) and "--help" not in param.opts:
            flag, sentence = param.get_help_record(ctx) or ("", "")
            yield flag, " ".join(sentence.split())


def _groups(command: click.Command) -> Mapping[str, Sequence[Option]]:
    settings = command.settings if isinstance(command, Command) else ()
    return {group: list(members) for group, members in groupby(settings, key=lambda each: each.group)}


def _on_one_line(paragraph: str) -> str:
    return paragraph.removeprefix(_KEPT) if paragraph.startswith(_KEPT) else " ".join(paragraph.split())


def _section(each: Described) -> Iterator[str]:
    yield f"## `{each.path}`\n"
    yield f"```\n{each.path} {each.usage}\n```\n"
    for paragraph in each.paragraphs:
        yield f"```\n{paragraph}\n```\n" if is_kept(paragraph) else f"{paragraph}\n"
    if each.below:
        anchor = f"#{each.path.replace(' ', '-')}-"
        yield from _table(
            ("command", "meaning"), {f"[`{name}`]({anchor}{name})": says for name, says in each.below.items()}
        )
    if each.own:
        yield from _table(("option", "meaning"), {f"`{flag}`": says for flag, says in each.own.items()})
    if each.groups:
        yield from _table(
            ("shared options", "flags and variables"),
            {
                group: ", ".join(f"`{flag_of(one)}`" for one in members)
                for group, members in each.groups.items()
            },
        )
    for title, meanings in each.further.items():
        yield f"{title}:\n"
        yield from _table(("word", "meaning"), {f"`{word}`": says for word, says in meanings.items()})


def _table(heads: Iterable[str], rows: Mapping[str, str]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |\n|---|---|"
    for name, meaning in rows.items():
        yield f"| {_cell(name)} | {_cell(meaning)} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
