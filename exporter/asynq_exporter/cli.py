"""The command line: the only module that reads argv and environ.

Every option of `Settings` becomes a flag here. Whatever goes wrong is one line on standard error that ends
with the remedy: exit code 2 for usage and configuration, 1 for a start that failed. Imports inside functions
save start-up time: aiohttp and pydantic take long, and not every command needs them.
"""

import os
import sys
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any, NoReturn

import click

from asynq_exporter import __version__, logs
from asynq_exporter.core.catalog import Catalog, documented
from asynq_exporter.options import Option
from asynq_exporter.settings import (
    FILES,
    OPTIONS,
    REDIS,
    SCAN,
    TLS,
    Given,
    Resolved,
    SettingsError,
    StartupError,
    find,
    resolve,
)

PROGRAM = "asynq-exporter"

USAGE_ERROR, START_ERROR = 2, 1

#: Groups of options that the demo leaves to itself.
NOT_IN_THE_DEMO = (REDIS, TLS, FILES, SCAN)

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

Values = Mapping[str, Any]


# Commands are made while this module is read, so what their options are made of stands first.


def _declaration(each: Option) -> tuple[str, ...]:
    switch = f"/--no-{each.flag}" if not each.kind.metavar else ""
    return f"--{each.flag}{switch}", each.name


def _attributes(each: Option) -> dict[str, Any]:
    if not each.kind.metavar:
        return {"default": None}
    # Given twice, an option that takes one value takes the last, as everywhere.
    return {"multiple": True, "type": str, "metavar": each.kind.metavar}


def _texts(value: Any) -> tuple[str, ...]:
    return ("true" if value else "false",) if isinstance(value, bool) else tuple(value)


def _flag(each: Option) -> str:
    return f"--[no-]{each.flag}" if not each.kind.metavar else f"--{each.flag} {each.kind.metavar}"


def _flag_name(each: Option) -> str:
    return each.flag or each.environment


def _sentence(each: Option) -> str:
    default = "" if each.default is None else f"; default: {each.default}"
    return f"{each.sentence} [{each.environment}{default}]"


class Command(click.Command):
    """A command whose help shows the options in their groups, with environment name and default."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the groups, and last what click adds."""
        declared = {param: OPTIONS[param.name] for param in self.params if param.name in OPTIONS}
        for group, members in groupby(declared, key=lambda param: declared[param].group):
            rows = [(_flag(declared[param]), _sentence(declared[param])) for param in members]
            with formatter.section(group):
                formatter.write_dl(rows, col_max=30)
        others = [p for p in self.get_params(ctx) if p not in declared]
        with formatter.section("Other"):
            formatter.write_dl([record for p in others if (record := p.get_help_record(ctx))], col_max=30)


class Scenario(click.ParamType[str]):
    """The name of a scenario of the demo."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, if there is such a scenario."""
        names = _scenarios()
        if value not in names:
            self.fail(f"no scenario {value!r}; write one of {', '.join(names)}", param, ctx)
        return str(value)


class Demo(Command):
    """The demo, which lists its scenarios in the help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the scenarios with what happens in them."""
        with formatter.section("Scenarios"):
            formatter.write_dl(list(_scenarios().items()), col_max=30)


def options_of(groups_left_out: tuple[str, ...] = ()) -> Callable[[Any], Any]:
    """Adds a flag for each option of `Settings`."""

    def decorate(command: Any) -> Any:
        for each in reversed(tuple(OPTIONS.values())):
            if each.flag is not None and each.group not in groups_left_out:
                command = click.option(*_declaration(each), **_attributes(each))(command)
        return command

    return decorate


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name=PROGRAM)
def program() -> None:
    """Watches the Asynq task queues in a Redis and tells Prometheus.

    Start with `asynq-exporter serve --redis.url redis://HOST:6379/0`, or see it at work with
    `asynq-exporter demo`.
    """


@program.command(cls=Command)
@options_of()
def serve(**values: Any) -> int:
    """Serve metrics, probes and the status page.

    A flag beats its environment variable, which beats the config file.
    """
    from asynq_exporter.web import server  # noqa: PLC0415

    resolved, catalog = configure(values)
    logs.configure(level=resolved.settings.log_level, form=resolved.settings.log_format)
    return server.run(resolved.settings, catalog)


@program.command(cls=Demo)
@click.option("--scenario", type=Scenario(), default="normal", show_default=True, help="What is to happen.")
@options_of(NOT_IN_THE_DEMO)
def demo(scenario: str, **values: Any) -> int:
    """Show the exporter on a living workload; needs nothing, leaves nothing.

    Brings its own Redis, a few worker processes and six busy queues, and prints where to look.
    """
    from asynq_exporter import demo as show  # noqa: PLC0415

    resolved, _ = configure(values)
    logs.configure(level=resolved.settings.log_level, form=resolved.settings.log_format)
    return show.run(resolved.settings, scenario=scenario)


@program.group(context_settings=CONTEXT)
def config() -> None:
    """Look at the configuration."""


@config.command(cls=Command)
@click.argument("file", required=False, metavar="[FILE]")
@options_of((FILES,))
def check(file: str | None, **values: Any) -> int:
    """Check options, environment and config FILE; print every value and where it comes from.

    Secrets are masked. Nothing is connected to.
    """
    from asynq_exporter import connect  # noqa: PLC0415

    resolved, catalog = configure(values | ({"config_file": (file,)} if file else {}))
    connect.check(resolved.settings)
    width = max(len(_flag_name(each)) for each in OPTIONS.values())
    for each, text in resolved.settings.shown():
        click.echo(f"{_flag_name(each):<{width}}  {text or '-'}  ({resolved.origins[each.name]})")
    click.echo(f"{'queues':<{width}}  {', '.join(catalog.queues)}")
    return 0


def configure(values: Values) -> tuple[Resolved, Catalog]:
    """The settings and the catalogue that flags, environment and config file give together.

    Raises:
        SettingsError: something of them is wrong.
    """
    given_flags = {name: values[name] for name in OPTIONS if values.get(name) not in (None, ())}
    flags = {OPTIONS[name].flag or "": _texts(value) for name, value in given_flags.items()}
    given, catalog = _config_file(flags)
    return resolve(flags=flags, environment=os.environ, file=given), catalog


def main() -> NoReturn:
    """Runs the command line; ends the process."""
    try:
        code = program.main(prog_name=PROGRAM, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as exc:
        click.echo(exc.ctx.get_help() if exc.ctx else "")
        code = USAGE_ERROR
    except click.ClickException as exc:
        where = exc.ctx.command_path if isinstance(exc, click.UsageError) and exc.ctx else PROGRAM
        code = _fail(f"{exc.format_message().rstrip('.')}; see {where} --help", USAGE_ERROR)
    except SettingsError as exc:
        code = _fail(str(exc), USAGE_ERROR)
    except StartupError as exc:
        code = _fail(str(exc), START_ERROR)
    except (KeyboardInterrupt, click.Abort):
        code = 130  # as a shell reports SIGINT
    sys.exit(code or 0)


def _fail(sentence: str, code: int) -> int:
    # One line, whatever a value may hold.
    text = " ".join(sentence.splitlines())
    click.echo(f"{PROGRAM}: error: {text}", err=True)
    return code


def _config_file(flags: Mapping[str, tuple[str, ...]]) -> tuple[Mapping[str, Given], Catalog]:
    given = find(OPTIONS["config_file"], flags=flags, environment=os.environ, file={})
    if given is None:
        return {}, documented()
    from asynq_exporter import config_file  # noqa: PLC0415

    path = resolve(flags=flags, environment={"ASYNQ_CONFIG_FILE": given.texts[-1]}).settings.config_file
    assert path is not None  # noqa: S101 -- it was found a line above
    loaded = config_file.load(path)
    return loaded.options, loaded.catalog


def _scenarios() -> Mapping[str, str]:
    from asynq_exporter.demo import scenarios  # noqa: PLC0415

    return {name: scenario.summary for name, scenario in scenarios.TABLE.items()}
