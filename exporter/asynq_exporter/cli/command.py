"""A command whose options are those of `Settings`."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import click

from asynq_exporter import completion
from asynq_exporter.settings.options import Option
from asynq_exporter.settings.spelling import suggestion

HELP = ["-h", "--help"]
CONTEXT = {"help_option_names": HELP, "max_content_width": 100}


class Command(click.Command):
    """A command with options of `Settings`, which its help shows in their groups."""

    def __init__(
        self,
        name: str | None,
        *,
        settings: Sequence[Option],
        params: list[click.Parameter] | None = None,
        **attributes: Any,
    ) -> None:
        flags = [self._flag(each) for each in settings if each.flag is not None]
        super().__init__(name, params=[*(params or ()), *flags], **attributes)
        self.own = tuple(params or ())
        self.settings = settings

    def further(self) -> Mapping[str, Mapping[str, str]]:
        """What the help ends with: title -> word -> what it means."""
        return {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses; what is wrong says in which command."""
        asked = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as exc:
            # Of `-redis.url` click sees no more than `-r`.
            whole = next((arg for arg in asked if arg.startswith(exc.option_name)), exc.option_name)
            word = whole.partition("=")[0]
            flags = [name for param in self.get_params(ctx) for name in (*param.opts, *param.secondary_opts)]
            meant = suggestion("--" + word.lstrip("-"), flags)
            raise click.UsageError(f"unknown flag {word}{meant}", ctx=ctx) from exc
        except click.UsageError as exc:
            exc.ctx = exc.ctx or ctx
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the command's own options, the groups, and last what click adds."""
        self._write(formatter, "Options", [p for p in self.own if isinstance(p, click.Option)], ctx)
        for group, members in groupby(self.settings, key=lambda each: each.group):
            with formatter.section(group):
                for each in members:
                    _write_option(formatter, each)
        added = [param for param in self.get_params(ctx) if param not in self.params]
        self._write(formatter, "Other", added, ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes what the help ends with."""
        for title, meanings in self.further().items():
            with formatter.section(title):
                formatter.write_dl(list(meanings.items()))

    @staticmethod
    def _flag(each: Option) -> click.Option:
        if not each.kind.metavar:
            return click.Option((f"--{each.flag}/--no-{each.flag}", each.name), default=None)
        # Given twice, an option that takes one value takes the last, as everywhere.
        return click.Option(
            (f"--{each.flag}", each.name),
            multiple=True,
            type=str,
            metavar=each.kind.metavar,
            shell_complete=completion.values_of(each),
        )

    @staticmethod
    def _write(
        formatter: click.HelpFormatter, title: str, params: Iterable[click.Parameter], ctx: click.Context
    ) -> None:
        if rows := [record for param in params if (record := param.get_help_record(ctx))]:
            with formatter.section(title):
                formatter.write_dl(rows)


def _write_option(formatter: click.HelpFormatter, each: Option) -> None:
    """The flag on a line of its own, below it what it does, and its other names: long ones stay whole."""
    default = "" if each.default is None else f"; default {each.default}"
    name = f"--[no-]{each.flag}" if not each.kind.metavar else f"--{each.flag} {each.kind.metavar}"
    if each.flag is None:
        name = each.environment
    formatter.write(f"{'':>{formatter.current_indent}}{name}\n")
    with formatter.indentation(), formatter.indentation():
        formatter.write_text(each.sentence)
        if each.flag is not None:
            formatter.write_text(f"[{each.environment}{default}]")
