"""The printer against prometheus_client, on the families of a real scan."""

import asyncio
import gzip
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import redis.asyncio
from isal import igzip
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from tests.metrics.test_exposition import Reference

from asynq_exporter import metrics
from asynq_exporter.core import catalog
from asynq_exporter.metrics.exposition import Format, Printer
from asynq_exporter.metrics.family import Family
from asynq_exporter.scan.scanner import Scanner
from asynq_exporter.scan.selection import QueueFilter
from asynq_exporter.scan.snapshot import Snapshot
from bench import processes, workload
from bench.report import Section, table

QUEUES = 1000
ROUNDS = 9
GZIPS = ((gzip, 1), (gzip, 6), (igzip, 0), (igzip, 1), (igzip, 2))

TEXT = f"""
The families of one scan of {QUEUES:,} queues as text, by our printer and by prometheus_client, in turn. "all new" has another number in
every sample than the time before; "as found" is two scans of a queue that nothing happens to, where only ages differ. Below, gzip
of the page.
"""


def run() -> str:
    """Both tables."""
    with processes.redis_server() as port:
        workload.fill(port, QUEUES, 20)
        first, second = asyncio.run(_scans(port))
    as_found = [_families(first), _families(second)]
    all_new = [_families(_shifted(first, by)) for by in (1, 2)]
    rows = []
    for name, format_, theirs in (
        ("text", Format.PROMETHEUS, generate_latest),
        ("OpenMetrics", Format.OPENMETRICS, generate_openmetrics),
    ):
        for what, versions in (("all new", all_new), ("as found", as_found)):
            ours, reference = _times(versions, format_, theirs)
            cells = [f"{1000 * ours:.2f} ms", f"{1000 * reference:.1f} ms", f"**{reference / ours:.0f}**"]
            rows.append([name, what, *cells])
    page = Printer(Format.PROMETHEUS).print(as_found[0])
    head = ["format", "numbers", "ours", "prometheus_client", "prometheus_client / ours"]
    return (
        table(head, rows)
        + "\n\n"
        + table(["gzip by", "level", "time", "size"], [_gzip(page, *each) for each in GZIPS])
    )


async def _scans(port: int) -> tuple[Snapshot, Snapshot]:
    client = redis.asyncio.Redis(port=port, protocol=2)
    scanner = Scanner(client, catalog.documented(), queue_filter=QueueFilter(maximum=QUEUES + 10))
    found = await scanner.scan(timeout_seconds=60), await scanner.scan(timeout_seconds=60)
    await scanner.close()
    await client.aclose()
    return found


def _families(snapshot: Snapshot) -> list[Family]:
    return [family for family in metrics.collect(snapshot) if family.metric.kind != "histogram"]


def _shifted(snapshot: Snapshot, by: int) -> Snapshot:
    queues = snapshot.queues
    numbers = {
        name: tuple(None if value is None else value + by for value in getattr(queues, name))
        for name in queues.__dataclass_fields__
        if name not in ("names", "backpressure")
    }
    changed: Any = numbers
    return replace(snapshot, queues=replace(queues, **changed))


def _times(
    versions: list[list[Family]], format_: Format, theirs: Callable[[CollectorRegistry], bytes]
) -> tuple[float, float]:
    printer = Printer(format_)
    registries = []
    for families in versions:
        registry = CollectorRegistry()
        registry.register(Reference(families))
        registries.append(registry)
        printer.print(families)
    ours, reference = [], []
    for turn in range(ROUNDS):
        started = time.perf_counter()
        printer.print(versions[turn % 2])
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        theirs(registries[turn % 2])
        reference.append(time.perf_counter() - started)
    return statistics.median(ours), statistics.median(reference)


def _gzip(page: bytes, library: ModuleType, level: int) -> list[str]:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        packed = library.compress(page, level, mtime=0)
        times.append(time.perf_counter() - started)
    sizes = f"{len(page) / 1000:.0f} kB to {len(packed) / 1000:.0f} kB"
    return [library.__name__, str(level), f"{1000 * statistics.median(times):.1f} ms", sizes]


SECTION = Section(name="printing", title="Printing", text=TEXT, run=run)
