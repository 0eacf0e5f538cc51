"""Metrics of the task records; only where a database is configured."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from asynq_exporter.metrics.family import Family, by_label, counter, gauge, single
from asynq_exporter.scan.snapshot import Snapshot

if TYPE_CHECKING:
    from asynq_exporter.core.records import Summary

UP = gauge("asynq_records_up", "Whether the database of the task records answered when it was last read.")
READ = gauge("asynq_records_read_seconds", "How long the last reading of the task records took.")
TASKS = gauge(
    "asynq_records_tasks",
    "Task records by status; EMPTY is the empty word, UNKNOWN also every word of nobody's.",
    "status",
)
OLDEST = gauge(
    "asynq_records_oldest_unfinished_timestamp_seconds",
    "When the oldest task record that is not finished was created; no sample where all are.",
)
REFUNDS = counter("asynq_records_refunds_total", "Tasks whose credits were given back.")
CREDITS = counter("asynq_records_refunded_credits_total", "Credits that were given back.")
DUE = gauge(
    "asynq_records_refunds_pending", "Failed or canceled tasks whose credits are still to be given back."
)
OPEN = gauge(
    "asynq_records_open_settlements",
    "Failed or canceled tasks with something left to do: a refund, or jobs to be removed.",
)
OLDEST_OPEN = gauge(
    "asynq_records_oldest_settlement_timestamp_seconds",
    "When the oldest of those failed or was canceled; no sample where there is none.",
)
FALLBACK = gauge(
    "asynq_records_fallback_active",
    "Whether tasks are left to polling from the database: 1 while Redis does not answer, or no active worker"
    " takes jobs from a queue that they stand in.",
)

METRICS = (UP, READ, TASKS, OLDEST, REFUNDS, CREDITS, DUE, OPEN, OLDEST_OPEN, FALLBACK)


def collect(snapshot: Snapshot) -> Iterable[Family]:
    """The families of the task records."""
    records = snapshot.records
    if records is None:
        return
    yield single(UP, int(records.part.success))
    yield single(READ, records.part.duration_seconds)
    yield single(FALLBACK, int(not snapshot.polling_queues_served))
    if records.summary is not None:
        yield from _of_summary(records.summary)


def _of_summary(summary: "Summary") -> Iterable[Family]:
    yield by_label(TASKS, {status.name: number for status, number in summary.counts.items()})
    yield single(OLDEST, summary.oldest_unfinished_at)
    yield single(REFUNDS, summary.refunds)
    yield single(CREDITS, summary.refunded_credits)
    yield single(DUE, summary.refunds_due)
    yield single(OPEN, summary.open_settlements)
    yield single(OLDEST_OPEN, summary.oldest_open_at)
