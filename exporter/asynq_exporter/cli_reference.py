"""The page docs/cli.md, made of the help of every command."""

from collections.abc import Iterator

import click

from asynq_exporter.cli import program
from asynq_exporter.cli.command import HELP
from asynq_exporter.cli.output import PROGRAM

INTRODUCTION = """\
<!-- Generated from the command line itself; change it there, then run: make docs -->
# Command line

What every command says with `--help`. Keys and examples of the config file:
[configuration.md](configuration.md). Exit codes: 0 done, 1 it could not start, 2 wrong usage or
configuration, 130 interrupted; what went wrong is one line on standard error.
"""

#: Of the help in the page.
WIDTH = 100


def page() -> str:
    """The page as Markdown."""
    return "\n".join([INTRODUCTION, *(_section(ctx) for ctx in _commands(program, None, PROGRAM))])


def _commands(command: click.Command, parent: click.Context | None, name: str) -> Iterator[click.Context]:
    """A command and all below it."""
    with click.Context(command, parent, info_name=name, terminal_width=WIDTH, help_option_names=HELP) as ctx:
        yield ctx
        if isinstance(command, click.Group):
            for below in command.list_commands(ctx):
                found = command.get_command(ctx, below)
                if found is not None and not found.hidden:
                    yield from _commands(found, ctx, below)


def _section(ctx: click.Context) -> str:
    return f"## {ctx.command_path}\n\n```\n{ctx.get_help()}\n```\n"
