"""Every alert fires when it should, at its boundary and after its `for`, and not before; with promtool."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.bundle.rules import ROOT, Try, firing, names, promtool_test, series
from tests.conftest import need_tool

Q = {"queue": "emails"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An alert that begins to be true at minute 0 and fires after its `for`."""

    alert: str
    severity: str
    minutes: int
    metric: str
    #: The last value at which nothing is wrong, and the first at which something is.
    good: str
    bad: str
    labels: dict[str, str] = field(default_factory=lambda: Q)
    #: Further series, the same for good and bad.
    beside: Sequence[dict[str, str]] = ()


def threshold(state: str, level: str, value: int) -> dict[str, str]:
    """A rung of the exporter's own ladder."""
    return series("asynq_queue_threshold", f"{value}x300", **Q, state=state, level=level)


def queue(metric: str, value: str) -> dict[str, str]:
    """A constant series of the queue."""
    return series(metric, f"{value}x300", **Q)


NONE: dict[str, str] = {}

CASES = [
    Case(
        alert="AsynqQueueBacklog",
        severity="warning",
        minutes=5,
        metric="asynq_pending_tasks",
        good="500",
        bad="501",
    ),
    Case(
        alert="AsynqQueueBacklogSevere",
        severity="critical",
        minutes=5,
        metric="asynq_pending_tasks",
        good="2000",
        bad="2001",
    ),
    Case(
        alert="AsynqRetryHigh",
        severity="warning",
        minutes=10,
        metric="asynq_retry_tasks",
        good="50",
        bad="51",
    ),
    Case(
        alert="AsynqDeadTasksGrowing",
        severity="warning",
        minutes=1,
        metric="asynq_dead_tasks_last_hour",
        good="10",
        bad="11",
    ),
    Case(
        alert="AsynqWorkersOffline",
        severity="critical",
        minutes=2,
        metric="asynq_active_workers",
        good="1",
        bad="0",
        labels=NONE,
    ),
    *(
        Case(
            alert="AsynqBackpressure",
            severity="warning",
            minutes=1,
            metric="asynq_backpressure_state",
            good="0",
            bad="1",
            labels={"state": state},
        )
        for state in ("WARNING", "CRITICAL")
    ),
    Case(
        alert="AsynqQueueAboveNormal",
        severity="info",
        minutes=5,
        metric="asynq_pending_tasks",
        good="7",
        bad="8",
        beside=[threshold("pending", "info", 7)],
    ),
    *(
        Case(
            alert="AsynqQueueAboveThreshold",
            severity=level,
            minutes=5,
            metric="asynq_pending_tasks",
            good="70",
            bad="71",
            beside=[threshold("pending", level, 70)],
        )
        for level in ("warning", "critical")
    ),
    *(
        Case(
            alert="AsynqDeadLetterTasks",
            severity=level,
            minutes=1,
            metric="asynq_dead_tasks",
            good=str(value),
            bad=str(value + 1),
            beside=[threshold("archived", level, value)],
        )
        for level, value in (("info", 0), ("warning", 20), ("critical", 50))
    ),
    *(
        Case(
            alert="AsynqQueueLatencyHigh",
            severity=level,
            minutes=5,
            metric="asynq_queue_latency_seconds",
            good=str(seconds),
            bad=f"{seconds}.5",
            labels={"queue": name},
        )
        for name, level, seconds in (
            ("critical", "warning", 5),
            ("scheduled", "critical", 1800),
            ("emails", "warning", 300),
            ("emails", "critical", 1800),
        )
    ),
    Case(
        alert="AsynqQueueWithoutWorkers",
        severity="warning",
        minutes=5,
        metric="asynq_queue_workers",
        good="1",
        bad="0",
        beside=[
            queue("asynq_pending_tasks", "0"),
            queue("asynq_scheduled_overdue_tasks", "3"),
            queue("asynq_retry_overdue_tasks", "0"),
        ],
    ),
    Case(
        alert="AsynqQueuePausedTooLong",
        severity="warning",
        minutes=60,
        metric="asynq_queue_paused",
        good="0",
        bad="1",
    ),
    Case(
        alert="AsynqQueueMemoryHigh",
        severity="warning",
        minutes=30,
        metric="asynq_queue_memory_bytes",
        good="1073741824",
        bad="1073741825",
    ),
    *(
        Case(
            alert="AsynqTasksOrphaned",
            severity="warning",
            minutes=5,
            metric="asynq_orphaned_tasks",
            good="0",
            bad="1",
            labels=Q | {"reason": reason},
        )
        for reason in ("lease_expired", "no_lease")
    ),
    Case(
        alert="AsynqForwarderStalled",
        severity="warning",
        minutes=5,
        metric="asynq_forwarding_delay_seconds",
        good="60",
        bad="61",
    ),
    Case(
        alert="AsynqTaskRunningTooLong",
        severity="warning",
        minutes=5,
        metric="asynq_oldest_active_task_seconds",
        good="3600",
        bad="3601",
    ),
    Case(
        alert="AsynqArchiveNearCap",
        severity="warning",
        minutes=10,
        metric="asynq_dead_tasks",
        good="8999",
        bad="9000",
    ),
    *(
        Case(
            alert="AsynqCircuitBreakerOpen",
            severity="warning",
            minutes=2,
            metric="asynq_circuit_breaker_state",
            good="0",
            bad="1",
            labels={"scope": "service", "name": "s", "state": state},
        )
        for state in ("OPEN", "HALF_OPEN")
    ),
    Case(
        alert="AsynqWorkersSaturated",
        severity="warning",
        minutes=15,
        metric="asynq_busy_workers",
        good="18",
        bad="19",
        labels=NONE,
        beside=[series("asynq_worker_concurrency", "20x300"), queue("asynq_pending_tasks", "1")],
    ),
    Case(
        alert="AsynqSchedulerEntryOverdue",
        severity="warning",
        minutes=5,
        metric="asynq_scheduler_overdue_entries",
        good="0",
        bad="1",
        labels=NONE,
    ),
    Case(
        alert="AsynqExporterDown", severity="critical", minutes=2, metric="up", good="1", bad="0", labels=NONE
    ),
    Case(
        alert="AsynqScanSlow",
        severity="warning",
        minutes=10,
        metric="scrape_duration_seconds",
        good="5",
        bad="5.1",
        labels=NONE,
    ),
    Case(
        alert="AsynqCollectorFailing",
        severity="warning",
        minutes=10,
        metric="asynq_exporter_collector_success",
        good="1",
        bad="0",
        labels={"collector": "queues"},
    ),
    Case(
        alert="AsynqRedisDown",
        severity="critical",
        minutes=1,
        metric="asynq_up",
        good="1",
        bad="0",
        labels=NONE,
    ),
    *(
        Case(
            alert="AsynqRedisMemoryHigh",
            severity=level,
            minutes=10,
            metric="asynq_redis_memory_used_bytes",
            good=good,
            bad=bad,
            labels=NONE,
            beside=[series("asynq_redis_memory_max_bytes", "1000x300")],
        )
        for level, good, bad in (("warning", "850", "851"), ("critical", "950", "951"))
    ),
    Case(
        alert="AsynqRedisEvictionPolicy",
        severity="warning",
        minutes=5,
        metric="asynq_redis_info",
        good="0",
        bad="1",
        labels={"version": "7", "mode": "standalone", "role": "master", "maxmemory_policy": "allkeys-lru"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}-{case.severity}")
def test_alert_fires_above_its_boundary_after_its_time(tmp_path: Path, case: Case) -> None:
    """Not at the boundary, not before its `for`, but right then; and a good twin beside it stays silent."""
    expected = {f'{{severity="{case.severity}"}}': 1.0}
    only = f'count by (severity) (ALERTS{{alertname="{case.alert}", severity="{case.severity}", alertstate="firing"}})'
    bad = series(case.metric, f"{case.bad}x300", **case.labels)
    good = series(case.metric, f"{case.good}x300", **case.labels)

    promtool_test(
        tmp_path,
        [bad, *case.beside],
        [Try(case.minutes - 1, only, {}), Try(case.minutes, only, expected)],
    )
    promtool_test(tmp_path, [good, *case.beside], [Try(case.minutes + 60, only, {})])


def test_two_replicas_are_one_alert(tmp_path: Path) -> None:
    """Two exporters look at one Redis: nothing is told or counted twice, and a good queue is left out."""
    one = series("asynq_pending_tasks", "400x30", **Q)
    two = {**one, "series": one["series"].replace("one:9876", "two:9876")}
    bad = series("asynq_pending_tasks", "900x30", queue="bad")

    promtool_test(
        tmp_path, [one, two, bad], [firing("AsynqQueueBacklog", 6, {'{queue="bad"}': 1.0}, by="queue")]
    )


#: Work waits, workers live, and nothing is processed.
STALLED = [
    queue("asynq_pending_tasks", "4"),
    queue("asynq_queue_workers", "2"),
    queue("asynq_processed_total", "10"),
]


@pytest.mark.parametrize(
    ("alert", "severity", "at", "bad", "good"),
    [
        (
            "AsynqQueueBacklogGrowing",
            "warning",
            50,
            [series("asynq_pending_tasks", "101+2x60", **Q)],
            [series("asynq_pending_tasks", "300-2x60", **Q)],
        ),
        (
            "AsynqQueueStalled",
            "warning",
            15,
            [*STALLED, series("asynq_queue_paused", "0x20", **Q)],
            [*STALLED, series("asynq_queue_paused", "1x20", **Q)],
        ),
        (
            "AsynqSchedulersGone",
            "warning",
            20,
            [series("asynq_schedulers", "1x10 0x30")],
            [series("asynq_schedulers", "0x40")],
        ),
        (
            "AsynqFailureRatioHigh",
            "warning",
            40,
            [
                series("asynq_processed_total", "0+100x60", **Q),
                series("asynq_failed_total", "0+11x60", **Q),
            ],
            [
                series("asynq_processed_total", "0+100x60", **Q),
                series("asynq_failed_total", "0+9x60", **Q),
            ],
        ),
        (
            "AsynqFailureRatioHigh",
            "warning",
            40,
            [
                series("asynq_processed_total", "0+2x60", **Q),
                series("asynq_failed_total", "0+2x60", **Q),
            ],
            # All fail, but hardly anything is processed.
            [
                series("asynq_processed_total", "0+1x60", **Q),
                series("asynq_failed_total", "0+1x60", **Q),
            ],
        ),
        (
            "AsynqExporterAbsent",
            "critical",
            5,
            [],
            [series("up", "1x10"), series("asynq_up", "1x10")],
        ),
        (
            "AsynqExporterAbsent",
            "critical",
            5,
            [series("up", "1x10")],
            [series("up", "0x10")],
        ),
        (
            "AsynqRedisEvicting",
            "critical",
            10,
            [series("asynq_redis_evicted_keys_total", "0+1x20")],
            [series("asynq_redis_evicted_keys_total", "5x20")],
        ),
        (
            "AsynqCollectorFailing",
            "warning",
            30,
            [series("asynq_exporter_queue_errors_total", "0+4x40", **Q)],
            [series("asynq_exporter_queue_errors_total", "4x40", **Q)],
        ),
    ],
)
def test_alert_on_a_course_fires(
    tmp_path: Path,
    alert: str,
    severity: str,
    at: int,
    bad: list[dict[str, str]],
    good: list[dict[str, str]],
) -> None:
    """Alerts on how something moves: true of the bad course, never of the good one."""
    promtool_test(tmp_path, bad, [firing(alert, at, {f'{{severity="{severity}"}}': 1.0})])
    promtool_test(tmp_path, good, [firing(alert, at, {})])


def test_one_replica_down_is_a_warning(tmp_path: Path) -> None:
    """As long as another one answers, nobody is woken up."""
    up = series("up", "1x10")
    down = {"series": up["series"].replace("one:9876", "two:9876"), "values": "0x10"}

    promtool_test(tmp_path, [up, down], [firing("AsynqExporterDown", 3, {'{severity="warning"}': 1.0})])


#: Long window in hours, minutes of a course that is long enough, failures of a thousand: just enough and not.
BURNS = [("1h", 90, 145, 143), ("6h", 480, 61, 59), ("1d", 1800, 31, 29), ("3d", 4800, 11, 9)]


@pytest.mark.parametrize(("window", "minutes", "bad", "good"), BURNS)
def test_error_budget_burns(tmp_path: Path, window: str, minutes: int, bad: int, good: int) -> None:
    """Each pair of windows fires above its factor of the budget of one percent, and not below."""
    only = (
        f'count by (long) (ALERTS{{alertname="AsynqErrorBudgetBurn", long="{window}", alertstate="firing"}})'
    )
    # The shortest window needs a point each minute: from Prometheus 3 on it is open to the left.
    interval = 1 if window == "1h" else 5
    steps = minutes // interval

    for failures, expected in ((bad, {f'{{long="{window}"}}': 1.0}), (good, {})):
        course = [
            series("asynq_processed_total", f"0+1000x{steps}", **Q),
            series("asynq_failed_total", f"0+{failures}x{steps}", **Q),
        ]
        promtool_test(tmp_path, course, [Try(minutes, only, expected)], interval=f"{interval}m")


def test_hysteresis_keeps_an_alert_for_a_while(tmp_path: Path) -> None:
    """A latency that dips for a moment does not end the alert; five minutes of calm do."""
    course = series("asynq_queue_latency_seconds", "400x10 10x20", **Q)

    promtool_test(
        tmp_path,
        [course],
        [
            firing("AsynqQueueLatencyHigh", 8, {'{severity="warning"}': 1.0}),
            firing("AsynqQueueLatencyHigh", 13, {'{severity="warning"}': 1.0}),
            firing("AsynqQueueLatencyHigh", 20, {}),
        ],
    )


def test_every_alert_is_tried() -> None:
    """No alert without a case; the watchdog's is the healthy system."""
    tried = {case.alert for case in CASES} | {
        "AsynqQueueBacklogGrowing",
        "AsynqQueueStalled",
        "AsynqSchedulersGone",
        "AsynqFailureRatioHigh",
        "AsynqExporterAbsent",
        "AsynqRedisEvicting",
        "AsynqErrorBudgetBurn",
        "AsynqWatchdog",
    }

    assert names() == tried


def test_healthy_system_fires_the_watchdog_only() -> None:
    """The file that users can run themselves: a day in a healthy system."""
    path = ROOT / "alerts" / "tests" / "healthy.yaml"
    done = subprocess.run(
        [need_tool("promtool"), "test", "rules", str(path)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
