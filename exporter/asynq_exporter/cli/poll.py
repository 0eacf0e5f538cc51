"""asynq-exporter poll."""

from typing import Any

import click

from asynq_exporter.cli.command import Command
from asynq_exporter.cli.configured import logged
from asynq_exporter.cli.options import OF_POLL


@click.command("poll", cls=Command, settings=OF_POLL, short_help="Poll tasks of the task records.")
@click.argument("target", metavar="MODULE:ATTRIBUTE")
def poll(target: str, **values: Any) -> int:
    """Poll tasks of the task records with the async function MODULE:ATTRIBUTE.

    It is called with a record and answers with a status. While the queue works, jobs
    of it poll; while it is off or down, the fallback does.
    """
    from asynq_exporter import handlers  # noqa: PLC0415
    from asynq_exporter.web import polling  # noqa: PLC0415

    settings = logged(values, OF_POLL)
    return polling.run(settings, handlers.load(target, kind="an `async def` of a record"))
