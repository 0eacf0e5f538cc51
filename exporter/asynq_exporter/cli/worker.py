"""asynq-exporter worker."""

from typing import Any

import click

from asynq_exporter import logs
from asynq_exporter.cli.command import Command
from asynq_exporter.cli.configured import configure
from asynq_exporter.cli.options import OF_THE_WORKER
from asynq_exporter.core.catalog import Catalog
from asynq_exporter.settings import Settings


@click.command(
    "worker", cls=Command, settings=OF_THE_WORKER, short_help="Work on tasks with a handler of yours."
)
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
