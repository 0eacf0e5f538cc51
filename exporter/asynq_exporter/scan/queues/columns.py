"""The columns of a scan: those that Redis told, and those that follow from them."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from asynq_exporter.core.catalog import BackpressureState, Catalog
from asynq_exporter.scan.snapshot import Column, Queues


def label(queue: str) -> str:
    """The name of a queue as text: bytes that are no UTF-8 are shown escaped."""
    return queue.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def build(
    names: tuple[str, ...],
    columns: Mapping[str, list[Any]],
    *,
    catalog: Catalog,
    registered: AbstractSet[str],
    aggregating: Mapping[str, int],
    workers: Mapping[str, int],
    oldest_active_seconds: Column,
) -> Queues:
    """The frozen columns of a scan, with those that follow from others.

    Args:
        names: the queues, in the order of the columns.
        columns: what `QueuePass` read.
        catalog: weights and capacities.
        registered: names in `asynq:queues`.
        aggregating: queue -> tasks in groups, where they were counted.
        workers: queue -> live servers that consume it.
        oldest_active_seconds: from the worker records.
    """
    grouped: list[int | None] = [
        0 if groups == 0 else aggregating.get(name)
        for name, groups in zip(names, columns["groups"], strict=True)
    ]
    size = [
        None if None in parts else sum(parts) + (in_groups or 0)
        for *parts, in_groups in zip(
            *(columns[state] for state in ("pending", "active", "scheduled", "retry")), grouped, strict=True
        )
    ]
    profiles = [catalog.queues.get(name) for name in names]
    utilization = [
        None if total is None or profile is None else total / profile.capacity
        for total, profile in zip(size, profiles, strict=True)
    ]
    backpressure: list[BackpressureState | None] = [
        None if ratio is None else catalog.backpressure.state(ratio) for ratio in utilization
    ]
    plain = {name: tuple(column) for name, column in columns.items() if name not in {"tail", "leases"}}
    return Queues(
        names=names,
        registered=tuple(int(name in registered) for name in names),
        size=tuple(size),
        aggregating=tuple(grouped),
        workers=tuple(workers.get(name, 0) for name in names),
        weight=tuple(None if profile is None else profile.weight for profile in profiles),
        capacity=tuple(None if profile is None else profile.capacity for profile in profiles),
        utilization=tuple(utilization),
        backpressure=tuple(backpressure),
        oldest_active_seconds=tuple(oldest_active_seconds),
        **plain,
    )
