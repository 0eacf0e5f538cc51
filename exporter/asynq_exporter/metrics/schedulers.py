"""Metrics of the schedulers of periodic tasks."""

from collections.abc import Iterable

from asynq_exporter.metrics.family import Family, gauge, single
from asynq_exporter.scan.snapshot import SchedulerEntry, Snapshot

#: A record still names a run that has just happened until the next heartbeat: two of them are waited for.
GRACE_SECONDS = 20.0

SCHEDULERS = gauge("asynq_schedulers", "Live schedulers.")
ENTRIES = gauge("asynq_scheduler_entries", "Periodic tasks of the live schedulers.")
OVERDUE = gauge(
    "asynq_scheduler_overdue_entries",
    "Periodic tasks whose next run has passed by more than two heartbeats.",
)

METRICS = (SCHEDULERS, ENTRIES, OVERDUE)


def collect(snapshot: Snapshot) -> Iterable[Family]:
    """The families of the schedulers; none while Redis or their registry cannot be read."""
    if not snapshot.up or not snapshot.parts["schedulers"].success:
        return
    entries = [entry for scheduler in snapshot.schedulers for entry in scheduler]
    yield single(SCHEDULERS, len(snapshot.schedulers))
    yield single(ENTRIES, len(entries))
    yield single(OVERDUE, sum(is_overdue(entry, snapshot.at_seconds) for entry in entries))


def is_overdue(entry: SchedulerEntry, now_seconds: float) -> bool:
    """Whether an entry should have run and did not."""
    return entry.next_at_seconds is not None and entry.next_at_seconds < now_seconds - GRACE_SECONDS
