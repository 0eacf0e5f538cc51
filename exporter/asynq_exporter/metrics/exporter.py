"""Metrics of the exporter about itself."""

import platform
from collections.abc import Iterable

from asynq_exporter import __version__
from asynq_exporter.metrics.family import Block, Family, by_label, counter, gauge, single
from asynq_exporter.scan.snapshot import Snapshot

BUILD_INFO = gauge("asynq_exporter_build_info", "1; what is running.", "version", "python")
SUCCESS = gauge(
    "asynq_exporter_collector_success", "Whether a part of the scan read all that it should.", "collector"
)
DURATION = gauge(
    "asynq_exporter_collector_duration_seconds", "How long a part of the scan took.", "collector"
)
SAMPLED_AT = gauge(
    "asynq_exporter_collector_last_success_timestamp_seconds",
    "When a background collector last succeeded: the age of its numbers.",
    "collector",
)
SCANNED_AT = gauge("asynq_exporter_last_scan_timestamp_seconds", "When a scan last succeeded in full.")
SCAN_DURATION = gauge("asynq_exporter_scan_duration_seconds", "How long the scan took.")
COMMANDS = gauge("asynq_exporter_scan_commands", "Commands that the scan sent to Redis.")
ROUND_TRIPS = gauge("asynq_exporter_scan_round_trips", "Replies the scan waited for one after the other.")
QUEUES = gauge(
    "asynq_exporter_queues",
    "Known queues: read, excluded by a pattern, or cut by the ceiling on their number.",
    "result",
)
QUEUE_ERRORS = counter(
    "asynq_exporter_queue_errors_total", "Scans in which something of a queue could not be read.", "queue"
)
#: Counted by the web server, which alone knows of scrapes.
SCRAPES = counter("asynq_exporter_scrapes_total", "Scrapes answered: full, partial or down.", "result")

METRICS = (
    BUILD_INFO,
    SUCCESS,
    DURATION,
    SAMPLED_AT,
    SCANNED_AT,
    SCAN_DURATION,
    COMMANDS,
    ROUND_TRIPS,
    QUEUES,
    QUEUE_ERRORS,
    SCRAPES,
)

SCRAPE_RESULTS = ("full", "partial", "down")


def collect(snapshot: Snapshot) -> Iterable[Family]:
    """The families of the exporter."""
    parts = snapshot.parts
    labels = (("version", __version__), ("python", platform.python_version()))
    yield Family(BUILD_INFO, (Block((1,), labels=labels),))
    yield by_label(SUCCESS, {name: int(part.success) for name, part in parts.items()})
    yield by_label(DURATION, {name: part.duration_seconds for name, part in parts.items()})
    yield by_label(SAMPLED_AT, {name: part.sampled_at_seconds for name, part in parts.items()})
    yield single(SCANNED_AT, snapshot.last_success_at_seconds)
    yield single(SCAN_DURATION, snapshot.cost.duration_seconds)
    yield single(COMMANDS, snapshot.cost.commands)
    yield single(ROUND_TRIPS, snapshot.cost.round_trips)
    if snapshot.up:
        selection = snapshot.selection
        yield by_label(QUEUES, {"read": selection.read, "excluded": selection.excluded, "cut": selection.cut})
    yield Family(QUEUE_ERRORS, tuple(_queue_errors(snapshot)))


def result(snapshot: Snapshot) -> str:
    """How a scrape of this snapshot is counted."""
    if not snapshot.up:
        return "down"
    return "full" if all(part.success for part in snapshot.parts.values()) else "partial"


def _queue_errors(snapshot: Snapshot) -> Iterable[Block]:
    counts, names = snapshot.queue_error_counts, snapshot.queues.names
    if names:
        yield Block([counts.get(name, 0) for name in names], names)
    if others := tuple(sorted(counts.keys() - set(names))):
        yield Block([counts[name] for name in others], others)
