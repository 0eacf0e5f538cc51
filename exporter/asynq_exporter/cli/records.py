"""asynq-exporter migrate, and records upgrade."""

import sys
from typing import Any

import click

from asynq_exporter import logs
from asynq_exporter.cli.command import CONTEXT, Command
from asynq_exporter.cli.configured import configure, logged
from asynq_exporter.cli.options import OF_RECORDS


@click.command("migrate", cls=Command, settings=OF_RECORDS, short_help="Put unfinished tasks into the queue.")
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


@click.group("records", context_settings=CONTEXT)
def records() -> None:
    """Look after the database of the task records."""


@records.command(cls=Command, settings=OF_RECORDS, short_help="Make the tables, or bring them up to date.")
def upgrade(**values: Any) -> int:
    """Make the tables of the task records, or bring them up to date.

    Of several processes one does it, the others wait. It takes a user who may make
    tables; nothing else does.
    """
    from asynq_exporter.web import records as opened  # noqa: PLC0415

    settings = logged(values, OF_RECORDS)
    opened.upgrade(settings)
    click.echo(f"{settings.records_database_url} is up to date")
    return 0
