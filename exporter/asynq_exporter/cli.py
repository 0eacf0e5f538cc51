"""The command line: the only module that reads argv and environ.

Every option of `Settings` becomes a flag here. Whatever goes wrong is one line on standard error that ends
with the remedy: exit code 2 for usage and configuration, 1 for a start that failed. Imports inside functions
save start-up time: aiohttp and pydantic take long, and not every command needs them.
"""

import logging
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.shell_completion import CompletionItem

from asynq_exporter import __version__, completion, logs
from asynq_exporter.core.catalog import Catalog, documented
from asynq_exporter.settings import (
    FILES,
    LOGGING,
    OPTIONS,
    POLLING,
    QUEUES,
    RECORDS,
    REDIS,
    SCAN,
    TLS,
    WEB,
    WORKER,
    Resolved,
    Settings,
    SettingsError,
    StartupError,
    find,
    resolve,
    value_of,
)
from asynq_exporter.settings.options import Option
from asynq_exporter.settings.spelling import suggestion

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from asynq_exporter.settings import config_file

PROGRAM = "asynq-exporter"

USAGE_ERROR, START_ERROR = 2, 1

HELP = ["-h", "--help"]
CONTEXT = {"help_option_names": HELP, "max_content_width": 100}

#: The options of `serve`, of `config check`, which is given the file itself, of the demo, which brings its
#: own Redis, of `worker`, which scans nothing, of what looks at the task records, and of `poll`.
ALL = tuple(OPTIONS.values())
OF_SERVE = tuple(each for each in ALL if each.group not in (WORKER, POLLING))
TO_CHECK = tuple(each for each in ALL if each.group != FILES)
OF_THE_DEMO = tuple(
    each
    for each in OF_SERVE
    if each.group not in (REDIS, TLS, FILES, SCAN, RECORDS) and each.name != "web_config_file"
)
OF_THE_WORKER = tuple(
    each
    for each in ALL
    if each.group in (WEB, FILES, REDIS, TLS, QUEUES, WORKER, LOGGING)
    and each.name not in ("web_listen_addresses", "queues_max")
)
OF_RECORDS = tuple(each for each in ALL if each.group in (REDIS, TLS, RECORDS, LOGGING, FILES))
POLLS_TOO = ("web_telemetry_path", "web_config_file", "worker_listen_addresses", "polling_enabled")
OF_POLL = tuple(
    each
    for each in ALL
    if each in OF_RECORDS
    or each.group == POLLING
    or each.name in (*POLLS_TOO, "concurrency", "shutdown_timeout_seconds")
)
OF_THE_DOCTOR = tuple(
    each for each in ALL if each.group in (REDIS, TLS, QUEUES, FILES) or each.name == "scan_timeout_seconds"
)

Values = Mapping[str, Any]


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
        self._own = tuple(params or ())
        self._settings = settings

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
        self._write(formatter, "Options", [p for p in self._own if isinstance(p, click.Option)], ctx)
        for group, members in groupby(self._settings, key=lambda each: each.group):
            with formatter.section(group):
                for each in members:
                    _write_option(formatter, each)
        added = [param for param in self.get_params(ctx) if param not in self.params]
        self._write(formatter, "Other", added, ctx)

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


class Demo(Command):
    """The demo, which lists its scenarios in the help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the scenarios with what happens in them."""
        with formatter.section("Scenarios"):
            formatter.write_dl(list(_scenarios().items()))


class Check(click.ParamType[str]):
    """The name of a check of the doctor."""

    name = "check"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, if there is such a check."""
        from asynq_exporter.doctor.checks import NAMES  # noqa: PLC0415

        if value not in NAMES:
            self.fail(
                f"no check {value!r}{suggestion(str(value), NAMES)}; doctor --list tells them", param, ctx
            )
        return str(value)


class Scenario(click.ParamType[str]):
    """The name of a scenario of the demo."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, if there is such a scenario."""
        names = _scenarios()
        if value not in names:
            self.fail(f"no scenario {value!r}; write one of {', '.join(names)}", param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Those that begin like what is typed."""
        return completion.begun(incomplete, list(_scenarios()))


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name=PROGRAM)
def program() -> None:
    """Watches the Asynq task queues in a Redis and tells Prometheus.

    Start with `asynq-exporter serve --redis.url redis://HOST:6379/0`, or see it at work with
    `asynq-exporter demo`.
    """


@program.command(cls=Command, settings=OF_SERVE)
def serve(**values: Any) -> int:
    """Serve metrics, probes and the status page.

    A flag beats its environment variable, which beats the config file.
    """
    from asynq_exporter.web import server  # noqa: PLC0415

    resolved, catalog = configure(values, of=OF_SERVE)
    logs.configure(level=resolved.settings.log_level, form=resolved.settings.log_format)
    if resolved.settings.redis_url.password and resolved.origins["redis_url"] == "--redis.url":
        logger.warning(
            "Other users of this machine can read the password in --redis.url; use a password file"
        )
    return server.run(resolved.settings, catalog, targets=resolved.targets)


@program.command(cls=Command, settings=OF_THE_WORKER, short_help="Work on tasks with a handler of yours.")
@click.argument("target", metavar="MODULE:ATTRIBUTE")
def worker(target: str, **values: Any) -> int:
    """Work on tasks with the handler MODULE:ATTRIBUTE, a Mux or an async function.

    The module is one in the current folder or an installed one. SIGTTIN and SIGTTOU
    raise and lower the concurrency, SIGTSTP stops the taking of tasks, SIGCONT starts it
    again, SIGHUP reads the config file again, SIGTERM ends after the running tasks.
    """
    from asynq_exporter import handlers  # noqa: PLC0415
    from asynq_exporter.web import worker as work  # noqa: PLC0415

    def read() -> tuple[Settings, Catalog]:
        resolved, catalog = configure(values, of=OF_THE_WORKER)
        return resolved.settings, catalog

    settings, catalog = read()
    logs.configure(level=settings.log_level, form=settings.log_format)
    return work.run(settings, catalog, handlers.load(target), reread=read)


@program.command(cls=Command, settings=OF_POLL, short_help="Poll tasks of the task records.")
@click.argument("target", metavar="MODULE:ATTRIBUTE")
def poll(target: str, **values: Any) -> int:
    """Poll tasks of the task records with the async function MODULE:ATTRIBUTE.

    It is called with a record and answers with a status. While the queue works, jobs
    of it poll; while it is off or down, the fallback does.
    """
    from asynq_exporter import handlers  # noqa: PLC0415
    from asynq_exporter.web import polling  # noqa: PLC0415

    settings = _logged(values, OF_POLL)
    return polling.run(settings, handlers.load(target, kind="an `async def` of a record"))


@program.command(cls=Command, settings=OF_RECORDS, short_help="Put unfinished tasks into the queue.")
@click.option("--dry-run", is_flag=True, help="Count, and change nothing.")
def migrate(*, dry_run: bool, **values: Any) -> int:
    """Put unfinished tasks of the task records that have no job into the queue.

    Of several processes one does it, the others wait. What was ended goes on where it
    was when it is run again.
    """
    from asynq_exporter.web import migrating  # noqa: PLC0415

    resolved, _ = configure(values, of=OF_RECORDS)
    settings = resolved.settings
    # On a terminal a line that counts takes the place of the log.
    is_quiet = sys.stderr.isatty() and resolved.origins["log_level"] == "default"
    logs.configure(level="warn" if is_quiet else settings.log_level, form=settings.log_format)
    return migrating.run(settings, dry_run=dry_run)


@program.group(context_settings=CONTEXT)
def records() -> None:
    """Look after the database of the task records."""


@records.command(cls=Command, settings=OF_RECORDS, short_help="Make the tables, or bring them up to date.")
def upgrade(**values: Any) -> int:
    """Make the tables of the task records, or bring them up to date.

    Of several processes one does it, the others wait. It takes a user who may make
    tables; nothing else does.
    """
    from asynq_exporter.web import records as opened  # noqa: PLC0415

    settings = _logged(values, OF_RECORDS)
    opened.upgrade(settings)
    click.echo(f"{settings.records_database_url} is up to date")
    return 0


@program.command(cls=Demo, settings=OF_THE_DEMO, short_help="Show the exporter on a living workload.")
@click.option("--scenario", type=Scenario(), default="normal", show_default=True, help="What is to happen.")
def demo(scenario: str, **values: Any) -> int:
    """Show the exporter on a living workload; needs nothing, leaves nothing.

    Brings its own Redis, a few worker processes and six busy queues, and prints
    where to look.
    """
    from asynq_exporter import demo as show  # noqa: PLC0415

    resolved, _ = configure(values, of=OF_THE_DEMO)
    logs.configure(level=resolved.settings.log_level, form=resolved.settings.log_format)
    if resolved.settings.log_level == "info":
        # A line for each task of the workload, dozens a second, would bury what the exporter says.
        logging.getLogger("asynq_exporter.core").setLevel(logging.WARNING)
    return show.run(resolved.settings, scenario=scenario)


@program.command(cls=Command, settings=OF_THE_DOCTOR, short_help="Look what is wrong, and say what to do.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, 600),
    default=2,
    show_default=True,
    help="Pause between two scans, which give rates; 0 for one scan.",
)
@click.option(
    "--only",
    type=Check(),
    multiple=True,
    metavar="CHECK",
    help="Run this check only; may be given several times.",
)
@click.option("--list", "listing", is_flag=True, help="List the checks.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as docs/doctor.md describes it.")
@click.option(
    "--lang", type=click.Choice(["en", "zh"]), help="Language of the report.  [default: that of LANG]"
)
def doctor(
    seconds: float, only: tuple[str, ...], lang: str | None, *, listing: bool, as_json: bool, **values: Any
) -> int:
    """Look at the queues, workers and Redis, and say what is wrong and what to do.

    Reads, and nothing else. Exit code 0: all is well, or there are remarks; 10: warnings; 20: something is
    critical.
    """
    from asynq_exporter import connect  # noqa: PLC0415
    from asynq_exporter.doctor import checks, program, text  # noqa: PLC0415
    from asynq_exporter.doctor.commands import Place  # noqa: PLC0415
    from asynq_exporter.scan.scanner import QueueFilter  # noqa: PLC0415

    language = lang or _language(os.environ)
    # A terminal that cannot show a character shows a question mark.
    getattr(sys.stdout, "reconfigure", lambda **_: None)(errors="replace")
    if listing:
        click.echo(text.titles(language, only or checks.NAMES), nl=False)
        return 0
    resolved, catalog = configure(values, of=OF_THE_DOCTOR)
    settings = resolved.settings
    colour = _wants_colour(os.environ)
    wishes = program.Wishes(
        place=Place(redis_url=connect.safe_url(settings)),
        seconds=seconds,
        timeout_seconds=settings.scan_timeout_seconds,
        style=text.Style(
            language=language, columns=text.columns(shutil.get_terminal_size().columns), colour=colour
        ),
        json=as_json,
        only=only,
    )
    queue_filter = QueueFilter(
        include=settings.queues_include, exclude=settings.queues_exclude, maximum=settings.queues_max
    )
    return program.run(
        connect.make_redis(settings),
        catalog,
        queue_filter,
        wishes,
        lambda report: click.echo(report, nl=False, color=colour),
    )


@program.group(context_settings=CONTEXT)
def config() -> None:
    """Look at the configuration."""


@config.command(cls=Command, settings=TO_CHECK, short_help="Check the configuration and print it.")
@click.argument("file", required=False, metavar="[FILE]")
def check(file: str | None, **values: Any) -> int:
    """Check options, environment and config FILE; print every value and where it comes from.

    Secrets are masked. Nothing is connected to. Without FILE the one that
    ASYNQ_CONFIG_FILE names is read.
    """
    from asynq_exporter import connect  # noqa: PLC0415

    try:
        resolved, catalog = configure(values | ({"config_file": (file,)} if file else {}))
        for target in resolved.targets:
            connect.check(target.settings, target=target.name)
        connect.check(resolved.settings)
        _check_web_config(resolved)
        _check_tokens(resolved)
    except SettingsError as exc:
        for problem in exc.problems:
            _fail(problem, USAGE_ERROR)
        return USAGE_ERROR
    rows = [
        (each.flag or each.environment, text or "-", resolved.origins[each.name])
        for each, text in resolved.settings.shown()
    ]
    origin = str(resolved.settings.config_file or "default")
    rows += [(name, text, origin) for name, text in _described(catalog)]
    rows += [row for target in resolved.targets for row in target.shown()]
    width = max(len(name) for name, _, _ in rows)
    for name, text, where in rows:
        click.echo(_one_line(f"{name:<{width}}  {text}  ({where})"))
    return 0


@program.command("completion", short_help="Print what makes a shell complete commands and options.")
@click.argument("shell", type=click.Choice(completion.SHELLS))
def complete(shell: str) -> int:
    r"""Print what makes a SHELL complete commands, options and their values.

    \b
    bash  asynq-exporter completion bash > /etc/bash_completion.d/asynq-exporter
    zsh   asynq-exporter completion zsh > "${fpath[1]}/_asynq-exporter"
    fish  asynq-exporter completion fish > ~/.config/fish/completions/asynq-exporter.fish
    """
    click.echo(completion.script(program, shell, name=PROGRAM))
    return 0


def configure(values: Values, *, of: Sequence[Option] = ALL) -> tuple[Resolved, Catalog]:
    """The settings and the catalogue that flags, environment and config file give together.

    Args:
        values: Field name -> what click made of the flag.
        of: The options that count; for others neither environment nor config file is looked at.

    Raises:
        SettingsError: something of them is wrong.
    """
    flags = {
        OPTIONS[name].flag or "": _texts(value)
        for name, value in values.items()
        if name in OPTIONS and value not in (None, ())
    }
    names = {each.environment for each in of}
    environment = {name: text for name, text in os.environ.items() if name in names}
    file = _config_file(flags, environment)
    if file is None:
        return resolve(flags=flags, environment=environment), documented()
    resolved = resolve(flags=flags, environment=environment, file=file.options)
    return _with_targets(resolved, file)


def _logged(values: Values, of: Sequence[Option]) -> Settings:
    """The settings; what is logged from now on is logged as they say."""
    settings = configure(values, of=of)[0].settings
    logs.configure(level=settings.log_level, form=settings.log_format)
    return settings


def main() -> NoReturn:
    """Runs the command line; ends the process."""
    try:
        code = program.main(prog_name=PROGRAM, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as exc:
        click.echo(exc.ctx.get_help() if exc.ctx else "", err=True)
        code = USAGE_ERROR
    except click.ClickException as exc:
        where = exc.ctx.command_path if isinstance(exc, click.UsageError) and exc.ctx else PROGRAM
        sentence = exc.format_message().rstrip(".")
        code = _fail(f"{sentence}{' See' if sentence[-1:] == '?' else '; see'} {where} --help", USAGE_ERROR)
    except SettingsError as exc:
        code = _fail(str(exc), USAGE_ERROR)
    except StartupError as exc:
        code = _fail(str(exc), START_ERROR)
    except OSError as exc:  # as when the disk that standard output goes to is full
        code = _fail(f"cannot go on: {exc}", START_ERROR)
    except (KeyboardInterrupt, click.Abort):
        code = 130  # as a shell reports SIGINT
    sys.exit(code or 0)


def _language(environment: Mapping[str, str]) -> str:
    """The language of the locale, of those there are: Chinese, else English."""
    locale = next((text for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (text := environment.get(name))), "")
    return "zh" if locale.lower().startswith("zh") else "en"


def _wants_colour(environment: Mapping[str, str]) -> bool:
    """Whether standard output is a terminal whose user has nothing against colours (no-color.org)."""
    return sys.stdout.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


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


def _texts(value: Any) -> tuple[str, ...]:
    return ("true" if value else "false",) if isinstance(value, bool) else tuple(value)


def _config_file(
    flags: Mapping[str, tuple[str, ...]], environment: Mapping[str, str]
) -> "config_file.ConfigFile | None":
    option = OPTIONS["config_file"]
    given = find(option, flags=flags, environment=environment, file={})
    if given is None:
        return None
    from asynq_exporter.settings import config_file  # noqa: PLC0415

    return config_file.load(value_of(option, given))


def _with_targets(resolved: Resolved, file: "config_file.ConfigFile") -> tuple[Resolved, Catalog]:
    """The targets of the file; without a Redis of its own the exporter takes the first of them."""
    from asynq_exporter.settings.targets import resolve_target  # noqa: PLC0415

    targets = tuple(
        resolve_target(name, described, main=resolved.settings, environment=os.environ)
        for name, described in file.targets.items()
    )
    if not targets or resolved.origins["redis_url"] != "default":
        return replace(resolved, targets=targets), file.catalog
    first = targets[0]
    origins = {**resolved.origins, **first.origins}
    return Resolved(settings=first.settings, origins=origins, targets=targets), first.catalog


def _check_web_config(resolved: Resolved) -> None:
    if resolved.settings.web_config_file is not None:
        from asynq_exporter.web.web_config import WebGuard  # noqa: PLC0415

        WebGuard(resolved.settings.web_config_file)


def _check_tokens(resolved: Resolved) -> None:
    if resolved.settings.api_token_file is not None:
        from asynq_exporter.web.api import tokens  # noqa: PLC0415

        tokens.load(resolved.settings.api_token_file)


def _described(catalog: Catalog) -> Iterable[tuple[str, str]]:
    """What the config file can say besides options, by key."""
    for queue, profile in catalog.queues.items():
        numbers = {"weight": profile.weight, "capacity": profile.capacity}
        for state, ladder in profile.thresholds.items():
            numbers |= {f"{state}.{level}": number for level, number in ladder.items()}
        yield f"queues.profiles.{queue}", " ".join(f"{name}={number}" for name, number in numbers.items())
    yield "backpressure", f"warning={catalog.backpressure.warning} critical={catalog.backpressure.critical}"


def _fail(sentence: str, code: int) -> int:
    click.echo(f"{PROGRAM}: error: {_one_line(sentence)}", err=True)
    return code


def _one_line(text: str) -> str:
    # Whatever a value may hold.
    return " ".join(logs.clean(text).splitlines())


def _scenarios() -> Mapping[str, str]:
    from asynq_exporter.demo import scenarios  # noqa: PLC0415

    return {name: scenario.summary for name, scenario in scenarios.TABLE.items()}
