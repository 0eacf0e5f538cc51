"""Metrics of how long tasks take and wait, by type: from our workers, and in the same form from Go's.

A worker shows its own; the exporter shows the sums of all that share theirs through Redis. Whoever scrapes
both must not add them up. There is no label for the queue: a type is nearly always of one queue, and two
histograms of 18 samples for each pair of type and queue are too many.
"""

from collections.abc import Iterable, Mapping

from asynq_exporter.core.timings import BUCKETS, Histogram, TaskTimings
from asynq_exporter.metrics.family import Block, Family, Metric, buckets, counter, histogram
from asynq_exporter.scan.snapshot import Snapshot

DURATION = histogram("asynq_task_duration_seconds", "How long an attempt at a task took.", "type")
WAIT = histogram(
    "asynq_task_wait_seconds", "How long a task was ready to run before a worker took it.", "type"
)
ATTEMPTS = counter(
    "asynq_task_attempts_total", "Attempts at tasks by outcome: succeeded or failed.", "type", "outcome"
)

METRICS = (DURATION, WAIT, ATTEMPTS)


def collect(snapshot: Snapshot) -> Iterable[Family]:
    """The families of the sums in Redis."""
    return families(snapshot.samples.task_timings)


def families(timings: Mapping[str, TaskTimings]) -> Iterable[Family]:
    """The families of some types."""
    yield _histograms(DURATION, {name: found.duration for name, found in timings.items()})
    yield _histograms(WAIT, {name: found.wait for name, found in timings.items()})
    yield Family(
        ATTEMPTS,
        tuple(
            Block((number,), labels=(("type", name), ("outcome", outcome)))
            for name, found in timings.items()
            for outcome, number in (("succeeded", found.succeeded), ("failed", found.failed))
        ),
    )


def _histograms(metric: Metric, found: Mapping[str, Histogram]) -> Family:
    return Family(
        metric,
        tuple(
            block
            for name, one in found.items()
            for block in buckets((("type", name),), BUCKETS, one.counts, one.sum_seconds)
        ),
    )
