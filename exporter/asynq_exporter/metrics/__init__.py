"""Snapshot -> metric families: pure, one file for each noun."""

from collections.abc import Callable, Iterable

from asynq_exporter.metrics import (
    api,
    exporter,
    queues,
    records,
    redis_info,
    schedulers,
    system,
    task_timings,
    workers,
)
from asynq_exporter.metrics.family import Family, Metric
from asynq_exporter.scan.snapshot import Snapshot

#: The whole list: a new noun is a new file and a line here.
NOUNS = (system, queues, workers, task_timings, schedulers, records, redis_info, exporter)

COLLECTORS: tuple[Callable[[Snapshot], Iterable[Family]], ...] = tuple(noun.collect for noun in NOUNS)

#: Every metric on /metrics that is ours.
METRICS: tuple[Metric, ...] = (*(metric for noun in NOUNS for metric in noun.METRICS), *api.METRICS)


def collect(snapshot: Snapshot) -> list[Family]:
    """All families of a snapshot."""
    return [family for collector in COLLECTORS for family in collector(snapshot)]
