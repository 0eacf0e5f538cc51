"""asynq-exporter doctor."""

import os
import shutil
import sys
from typing import Any

import click

from asynq_exporter.cli import output
from asynq_exporter.cli.command import Command
from asynq_exporter.cli.configured import configure
from asynq_exporter.cli.options import OF_THE_DOCTOR
from asynq_exporter.settings.spelling import suggestion


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


@click.command(
    "doctor", cls=Command, settings=OF_THE_DOCTOR, short_help="Look what is wrong, and say what to do."
)
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
    from asynq_exporter.scan.selection import QueueFilter  # noqa: PLC0415

    language = lang or output.language(os.environ)
    # A terminal that cannot show a character shows a question mark.
    getattr(sys.stdout, "reconfigure", lambda **_: None)(errors="replace")
    if listing:
        click.echo(text.titles(language, only or checks.NAMES), nl=False)
        return 0
    resolved, catalog = configure(values, of=OF_THE_DOCTOR)
    settings = resolved.settings
    colour = output.wants_colour(os.environ)
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
