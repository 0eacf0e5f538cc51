"""The command as a whole: looks, judges, prints; the exit code says how bad it is."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import redis.asyncio

from asynq_exporter.core.catalog import Catalog
from asynq_exporter.doctor import document, reading, text
from asynq_exporter.doctor.commands import Place
from asynq_exporter.doctor.report import Report, examine
from asynq_exporter.scan.scanner import Scanner
from asynq_exporter.scan.selection import QueueFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user asked for."""

    place: Place
    #: Pause between two scans; 0 for one scan.
    seconds: float
    timeout_seconds: float
    style: text.Style
    json: bool = False
    #: Names of checks; all of them when empty.
    only: Sequence[str] = ()


def run(
    client: "redis.asyncio.Redis",
    catalog: Catalog,
    queue_filter: QueueFilter,
    wishes: Wishes,
    show: Callable[[str], None],
) -> int:
    """Runs the doctor; 0 when all is well or only to be remarked, 10 with warnings, 20 when critical."""
    report = asyncio.run(_examine(client, catalog, queue_filter, wishes))
    if wishes.json:
        show(document.render(report, wishes.place, wishes.style.language))
    else:
        show(text.render(report, wishes.place, wishes.style))
    return report.exit_code


async def _examine(
    client: "redis.asyncio.Redis", catalog: Catalog, queue_filter: QueueFilter, wishes: Wishes
) -> Report:
    scanner = Scanner(client, catalog, queue_filter=queue_filter)
    try:
        case = await reading.look(
            client, scanner, seconds=wishes.seconds, timeout_seconds=wishes.timeout_seconds
        )
    finally:
        await scanner.close()
        await client.aclose()
    return examine(case, only=wishes.only)
