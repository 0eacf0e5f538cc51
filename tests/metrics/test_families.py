"""Snapshot -> families: what is promised is there, and says what the snapshot says."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from asynq_exporter import metrics
from asynq_exporter.core import catalog
from asynq_exporter.core.timings import Histogram, TaskTimings
from asynq_exporter.metrics import exporter, worker_process
from asynq_exporter.metrics.exposition import Format, Printer
from asynq_exporter.metrics.worker_process import WorkerProcess
from asynq_exporter.scan.snapshot import (
    Breaker,
    Part,
    Queues,
    RedisInfo,
    Samples,
    SchedulerEntry,
    Selection,
    Server,
    Snapshot,
)

ROOT = Path(__file__).parents[2]

#: Metric -> labels, as promised to dashboards, rules and users.
PROMISED = {
    **dict.fromkeys(
        (
            "asynq_queue_size",
            "asynq_pending_tasks",
            "asynq_active_tasks",
            "asynq_scheduled_tasks",
            "asynq_retry_tasks",
            "asynq_dead_tasks",
            "asynq_completed_tasks",
            "asynq_aggregating_tasks",
            "asynq_queue_groups",
            "asynq_processed_total",
            "asynq_failed_total",
            "asynq_queue_latency_seconds",
            "asynq_queue_paused",
            "asynq_scheduled_overdue_tasks",
            "asynq_retry_overdue_tasks",
            "asynq_forwarding_delay_seconds",
            "asynq_oldest_active_task_seconds",
            "asynq_dead_tasks_last_hour",
            "asynq_oldest_dead_task_seconds",
            "asynq_queue_memory_bytes",
            "asynq_queue_workers",
            "asynq_queue_weight",
            "asynq_queue_capacity",
            "asynq_queue_utilization_ratio",
            "asynq_exporter_queue_errors_total",
        ),
        frozenset({"queue"}),
    ),
    "asynq_orphaned_tasks": {"queue", "reason"},
    "asynq_queue_threshold": {"queue", "state", "level"},
    "asynq_queue_backpressure_state": {"queue", "state"},
    **dict.fromkeys(
        (
            "asynq_active_workers",
            "asynq_worker_concurrency",
            "asynq_busy_workers",
            "asynq_schedulers",
            "asynq_scheduler_entries",
            "asynq_scheduler_overdue_entries",
            "asynq_up",
            "asynq_system_health",
            "asynq_redis_memory_used_bytes",
            "asynq_redis_memory_max_bytes",
            "asynq_redis_connected_clients",
            "asynq_redis_blocked_clients",
            "asynq_redis_ping_seconds",
            "asynq_redis_evicted_keys_total",
            "asynq_redis_rejected_connections_total",
            "asynq_exporter_last_scan_timestamp_seconds",
            "asynq_exporter_scan_commands",
            "asynq_exporter_scan_round_trips",
        ),
        frozenset[str](),
    ),
    "asynq_worker_servers": {"status"},
    "asynq_task_duration_seconds": {"type"},
    "asynq_task_wait_seconds": {"type"},
    "asynq_task_attempts_total": {"type", "outcome"},
    "asynq_health_check": {"check"},
    "asynq_backpressure_state": {"state"},
    "asynq_circuit_breaker_state": {"scope", "name", "state"},
    "asynq_redis_info": {"version", "mode", "role", "maxmemory_policy"},
    "asynq_exporter_build_info": {"version", "python"},
    "asynq_exporter_collector_success": {"collector"},
    "asynq_exporter_collector_duration_seconds": {"collector"},
    "asynq_exporter_scrapes_total": {"result"},
    "asynq_api_requests_total": {"endpoint", "method", "code"},
    "asynq_api_writes_total": {"action", "result"},
}

DOCUMENTED = catalog.documented()


def snapshot(**changes: object) -> Snapshot:
    """A snapshot of a Redis that is up and empty, with changes."""
    parts = {name: Part(success=True, duration_seconds=0.1) for name in ("queues", "workers", "schedulers")}
    values = {"at_seconds": 1000.0, "catalog": DOCUMENTED, "up": True, "parts": parts} | changes
    return Snapshot(**values)  # type: ignore[arg-type]


def samples(given: Snapshot) -> dict[tuple[str, tuple[str, ...]], float]:
    """(name, sorted label values) -> value."""
    return {
        (
            family.metric.name,
            tuple(sorted([*dict(block.labels).values(), *((block.queues[row],) if block.queues else ())])),
        ): value
        for family in metrics.collect(given)
        for block in family.blocks
        for row, value in enumerate(block.values)
        if value is not None
    }


def server(**changes: object) -> Server:
    """A live server."""
    values = {
        "host": "h",
        "pid": 1,
        "server_id": "s",
        "concurrency": 10,
        "queues": {},
        "strict_priority": False,
        "status": "active",
        "started_at_seconds": 1.0,
        "busy": 4,
    } | changes
    return Server(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "labels"), PROMISED.items())
def test_promised_metric_is_declared(name: str, labels: set[str]) -> None:
    """Name and labels that others rely on."""
    (metric,) = [metric for metric in metrics.METRICS if metric.name == name]

    assert labels == set(metric.labels)
    kinds = {"counter"} if name.endswith("_total") else {"gauge", "histogram"}
    assert metric.kind in kinds


def test_declarations_are_sound() -> None:
    """No name twice, a sentence each, and lower-case names of the Prometheus kind."""
    names = [metric.name for metric in metrics.METRICS]

    assert len(names) == len(set(names))
    for metric in metrics.METRICS:
        assert re.fullmatch(r"asynq_[a-z_]+", metric.name)
        assert metric.help.endswith((".", "`."))


def test_redis_down_shows_no_queue() -> None:
    """Only that it is down, and the exporter's own; no worker count that could look like zero workers."""
    down = samples(snapshot(up=False, error="away"))

    assert (0, 0, 0) == (
        down["asynq_up", ()],
        down["asynq_system_health", ()],
        down["asynq_health_check", ("redis",)],
    )
    assert not [name for name, _ in down if name.startswith(("asynq_queue", "asynq_active", "asynq_redis"))]


@pytest.mark.parametrize(
    ("servers", "utilization", "healthy"),
    [
        ((server(),), 0.89, 1),
        ((), 0.1, 0),
        ((server(),), 0.9, 0),
    ],
)
def test_health_has_three_parts(servers: tuple[Server, ...], utilization: float, healthy: int) -> None:
    """Redis, a live worker, and backpressure below CRITICAL."""
    shown = samples(snapshot(servers=servers, queues=_queues(utilization)))

    assert healthy == shown["asynq_system_health", ()]
    assert int(utilization >= 0.9) == shown["asynq_backpressure_state", ("CRITICAL",)]


def _queues(utilization: float) -> Queues:
    empty = {f.name: (None,) for f in fields(Queues)}
    return Queues(**(empty | {"names": ("low",), "utilization": (utilization,)}))  # type: ignore[arg-type]


def test_system_backpressure_is_that_of_the_fullest_queue() -> None:
    """A mean would hide the one full queue."""
    assert 1 == samples(snapshot(queues=_queues(0.75)))["asynq_backpressure_state", ("WARNING",)]


def test_workers_by_status_and_slots() -> None:
    """Statuses that asynq does not know are `other`."""
    shown = samples(
        snapshot(servers=(server(), server(status="closed", busy=0), server(status="<script>", busy=1)))
    )

    assert (3, 30, 5) == (
        shown["asynq_active_workers", ()],
        shown["asynq_worker_concurrency", ()],
        shown["asynq_busy_workers", ()],
    )
    assert (1, 1, 1, 0) == tuple(
        shown["asynq_worker_servers", (status,)] for status in ("active", "closed", "other", "new")
    )


def test_task_timings_are_two_histograms_and_a_counter() -> None:
    """Buckets hold all that is below them; outcomes are apart; without shared timings there is no sample."""
    duration = Histogram(counts=(1, 2, *[0] * 13, 4), sum_seconds=7.5)
    found = TaskTimings(
        duration=duration, wait=Histogram(counts=(0,) * 16, sum_seconds=0.0), succeeded=5, failed=2
    )
    given = snapshot(samples=Samples(task_timings={"t": found}))
    page = Printer(Format.PROMETHEUS).print(metrics.collect(given)).decode()

    for line in (
        'asynq_task_duration_seconds_bucket{le="0.005",type="t"} 1.0',
        'asynq_task_duration_seconds_bucket{le="1800.0",type="t"} 3.0',
        'asynq_task_duration_seconds_bucket{le="+Inf",type="t"} 7.0',
        'asynq_task_duration_seconds_count{type="t"} 7.0',
        'asynq_task_duration_seconds_sum{type="t"} 7.5',
        'asynq_task_wait_seconds_count{type="t"} 0.0',
        'asynq_task_attempts_total{outcome="succeeded",type="t"} 5.0',
        'asynq_task_attempts_total{outcome="failed",type="t"} 2.0',
        "# TYPE asynq_task_wait_seconds histogram",
    ):
        assert f"{line}\n" in page
    assert b"asynq_task" not in Printer(Format.PROMETHEUS).print(metrics.collect(snapshot()))


def test_worker_process_shows_itself() -> None:
    """Under names that no metric of all workers has."""
    process = WorkerProcess(slots=4, active=2, status="stopped", timings={})
    page = Printer(Format.PROMETHEUS).print(worker_process.collect(process)).decode()

    for line in (
        "slots 4.0",
        "active_tasks 2.0",
        'status{status="stopped"} 1.0',
        'status{status="active"} 0.0',
    ):
        assert f"asynq_worker_process_{line}\n" in page
    names = [metric.name for metric in (*metrics.METRICS, *worker_process.METRICS)]
    assert len(names) == len(set(names))


def test_unreadable_workers_are_not_zero_workers() -> None:
    """When the records cannot be read, nobody is told that all workers are gone."""
    parts = {name: Part(success=False, duration_seconds=0) for name in ("workers", "schedulers")}

    shown = samples(snapshot(parts=parts))

    assert ("asynq_active_workers", ()) not in shown
    assert ("asynq_schedulers", ()) not in shown


def test_scheduler_entries_are_overdue_after_two_heartbeats() -> None:
    """A record still names the run that has just happened; only an older one is overdue."""

    def entry(next_at: float | None) -> SchedulerEntry:
        return SchedulerEntry(
            entry_id="e", spec="", task_type="t", next_at_seconds=next_at, previous_at_seconds=None
        )

    shown = samples(snapshot(schedulers=((entry(1010), entry(985), entry(979)), (entry(None),))))

    assert (2, 4, 1) == (
        shown["asynq_schedulers", ()],
        shown["asynq_scheduler_entries", ()],
        shown["asynq_scheduler_overdue_entries", ()],
    )


def test_breaker_has_one_state() -> None:
    """1 for the state it is in, 0 for the others."""
    shown = samples(snapshot(breakers=(Breaker(scope="service", name="s", state="OPEN"),)))

    assert {"CLOSED": 0, "OPEN": 1, "HALF_OPEN": 0} == {
        state: shown["asynq_circuit_breaker_state", tuple(sorted(("service", "s", state)))]
        for state in ("CLOSED", "OPEN", "HALF_OPEN")
    }


def test_redis_tells_what_it_knows() -> None:
    """Unknown numbers have no sample."""
    shown = samples(snapshot(redis=RedisInfo(version="7", memory_used_bytes=5), ping_seconds=0.25))

    assert (5, 0.25) == (shown["asynq_redis_memory_used_bytes", ()], shown["asynq_redis_ping_seconds", ()])
    assert ("asynq_redis_memory_max_bytes", ()) not in shown


def test_queue_errors_are_told_while_redis_is_down() -> None:
    """Counters go on, also of queues that are not shown."""
    counts = {"low": 3, "gone": 1}

    assert (
        3
        == samples(snapshot(queues=_queues(0), queue_error_counts=counts))[
            "asynq_exporter_queue_errors_total", ("low",)
        ]
    )
    assert (
        1
        == samples(snapshot(up=False, queue_error_counts=counts))[
            "asynq_exporter_queue_errors_total", ("gone",)
        ]
    )


def test_cut_queues_are_counted() -> None:
    """The exporter says when the ceiling cuts."""
    assert (
        7
        == samples(snapshot(selection=Selection(read=1, excluded=2, cut=7)))[
            "asynq_exporter_queues", ("cut",)
        ]
    )


@pytest.mark.parametrize(
    ("given", "result"),
    [
        (snapshot(), "full"),
        (snapshot(parts={"redis": Part(success=False, duration_seconds=0)}), "partial"),
        (snapshot(up=False), "down"),
    ],
)
def test_scrape_is_counted_by_result(given: Snapshot, result: str) -> None:
    """Full, partial or down."""
    assert result == exporter.result(given)
