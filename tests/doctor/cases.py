"""Cases made by hand: a healthy system, and changes to it."""

from dataclasses import fields, replace
from typing import Any

from asynq_exporter.core import catalog
from asynq_exporter.core.catalog import BackpressureState
from asynq_exporter.doctor.case import Case
from asynq_exporter.doctor.reading import SCANNED_PARTS
from asynq_exporter.doctor.sample import Facts, Sample, SeenTask
from asynq_exporter.scan.snapshot import Part, Queues, RedisInfo, SchedulerEntry, Server, Snapshot

NOW = 1_800_000_000.0

#: Numbers of a queue that are not zero on a good day.
GOOD = {"registered": 1, "workers": 1, "processed": 1_000, "processed_today": 100, "capacity": 1_000}

REDIS = RedisInfo(
    version="7.0.15",
    mode="standalone",
    role="master",
    maxmemory_policy="noeviction",
    memory_used_bytes=1_000_000,
    memory_max_bytes=100_000_000,
    connected_clients=7,
    evicted_keys=0,
    rejected_connections=0,
)

FACTS = Facts(
    uptime_seconds=100_000, aof_enabled=True, rdb_saves=3, master_link_up=None, clock_ahead_seconds=0.01
)

ENTRY = SchedulerEntry(
    entry_id="e", spec="@every 1m", task_type="tick", next_at_seconds=NOW + 30, previous_at_seconds=NOW - 30
)


def queues(**changes: dict[str, Any]) -> Queues:
    """The documented queues on a good day, with other numbers for some; unknown names become queues."""
    names = tuple(sorted({*catalog.documented().queues, *changes}))
    columns: dict[str, list[Any]] = {f.name: [] for f in fields(Queues) if f.name != "names"}
    for name in names:
        numbers = dict.fromkeys(columns, 0) | GOOD | {"backpressure": BackpressureState.NORMAL}
        numbers |= changes.get(name, {})
        for column, values in columns.items():
            values.append(numbers[column])
    return Queues(names=names, **{column: tuple(values) for column, values in columns.items()})


def server(**changes: Any) -> Server:
    """A worker with ten slots that consumes all documented queues."""
    weights = {name: profile.weight for name, profile in catalog.documented().queues.items()}
    plain: dict[str, Any] = {
        "host": "web-1",
        "pid": 7,
        "server_id": "s",
        "concurrency": 10,
        "queues": weights,
        "strict_priority": False,
        "status": "active",
        "started_at_seconds": NOW - 1000,
        "busy": 2,
    }
    return Server(**plain | changes)


def snapshot(at: float = NOW, **changes: Any) -> Snapshot:
    """A healthy scan, with other fields where a test wants them."""
    plain: dict[str, Any] = {
        "at_seconds": at,
        "catalog": catalog.documented(),
        "up": True,
        "queues": queues(),
        "servers": (server(),),
        "schedulers": ((ENTRY,),),
        "redis": REDIS,
        "ping_seconds": 0.001,
        "parts": {name: Part(success=True, duration_seconds=0.001) for name in SCANNED_PARTS},
    }
    return Snapshot(**plain | changes)


def case(**changes: Any) -> Case:
    """A healthy case of two scans two seconds apart; `last` and `first` may be given as changes of scans."""
    last = snapshot(**changes.pop("last", {}))
    first = changes.pop("first", {})
    made = None if first is None else snapshot(**{"at": last.at_seconds - 2, "queues": last.queues} | first)
    return Case(**{"last": last, "first": made, "facts": FACTS} | changes)


def queue_case(name: str = "default", before: dict[str, Any] | None = None, **numbers: Any) -> Case:
    """A case in which one queue is different; `before` says what the first scan saw of it."""
    was = numbers | (before or {})
    return case(last={"queues": queues(**{name: numbers})}, first={"queues": queues(**{name: was})})


def with_samples(made: Case, **states: tuple[SeenTask, ...]) -> Case:
    """The same with tasks of queue `default` that were looked at, by state."""
    samples = {("default", state): Sample(total=len(tasks), tasks=tasks) for state, tasks in states.items()}
    return replace(made, samples=samples)


def down(error: str) -> Case:
    """Redis did not answer."""
    parts = {name: Part(success=False, duration_seconds=0, error=error) for name in SCANNED_PARTS}
    last = Snapshot(at_seconds=NOW, catalog=catalog.documented(), up=False, error=error, parts=parts)
    return Case(last=last, unread=dict.fromkeys(parts, error))
