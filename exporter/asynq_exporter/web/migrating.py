"""The migration of task records into the queue as a program."""

import asyncio
import logging
import signal
import sys

import click

from asynq_exporter import connect
from asynq_exporter.core.errors import AsynqError
from asynq_exporter.core.records import Migrated, Migration
from asynq_exporter.settings import Settings, StartupError
from asynq_exporter.web import records
from asynq_exporter.web.worker import connected

logger = logging.getLogger(__name__)


def run(settings: Settings, *, dry_run: bool) -> int:
    """Migrates, or counts what would be migrated; prints what came of it. The exit code.

    Raises:
        SettingsError: an option cannot be used.
        StartupError: Redis or the database does not answer; what was done stays done.
    """
    try:
        done = asyncio.run(_migrate(settings, dry_run=dry_run))
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM  # as a shell reports it
    click.echo(summary(done, dry_run=dry_run))
    return 0


def summary(done: Migrated, *, dry_run: bool) -> str:
    """What came of a migration, in a line."""
    parts = [
        f"{done.enqueued} {'would be put' if dry_run else 'were put'} into the queue",
        f"{done.duplicates} have a job there already",
    ]
    if done.finished:
        parts.append(f"{done.finished} finished meanwhile")
    if done.refused:
        parts.append(f"{done.refused} have an ID that no job can have")
    return f"{done.done} unfinished tasks without a job: {', '.join(parts)}"


async def _migrate(settings: Settings, *, dry_run: bool) -> Migrated:
    # A supervisor's word for "end": the lock is given back, so that the next one need not wait.
    me = asyncio.current_task()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel if me else lambda: None)
    async with records.opened(settings) as store, connected(settings) as client:
        migration = Migration(store, client)
        where = {"database": str(settings.records_database_url), "redis": connect.safe_url(settings)}
        logger.info("migrate: Connects", extra=where)
        terminal = _Terminal()
        try:
            if dry_run:
                return await migration.preview()
            return await migration.complete(progress=terminal.progress, waits=terminal.waits)
        except AsynqError as exc:
            raise StartupError(f"{exc}; what was done stays done: run it again") from exc
        finally:
            terminal.end()


class _Terminal:
    """Shows on one line of a terminal how far it is; elsewhere the log says so."""

    def __init__(self) -> None:
        self._is_one = sys.stderr.isatty()
        self._is_begun = False

    def progress(self, state: Migrated) -> None:
        """After each batch."""
        self._show(f"{state.done} of {state.total} tasks")

    def waits(self, holder: str) -> None:
        """While another process migrates."""
        self._show(f"waiting for {holder}, which migrates")

    def end(self) -> None:
        """What follows stands on a line of its own."""
        if self._is_begun:
            click.echo(err=True)

    def _show(self, text: str) -> None:
        if self._is_one:
            self._is_begun = True
            click.echo(f"\r\033[K{text}", nl=False, err=True)
