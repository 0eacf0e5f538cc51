"""Each check: a case that it must find, and healthy ones at which it must be silent."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from asynq_exporter.core.catalog import BackpressureState
from asynq_exporter.doctor.case import Case
from asynq_exporter.doctor.checks import CHECKS
from asynq_exporter.doctor.finding import Finding
from asynq_exporter.doctor.report import Status, examine
from asynq_exporter.doctor.sample import Heartbeat, Running, SeenTask, WaitingGroup
from asynq_exporter.doctor.wording import texts
from asynq_exporter.scan.snapshot import Part
from tests.doctor.cases import FACTS, NOW, REDIS, case, down, queue_case, queues, server, with_samples
from tests.doctor.table import TABLE


def found(made: Case) -> dict[str, Finding]:
    """The findings of a case by check and message."""
    return {f"{check}.{finding.message}": finding for check, finding in examine(made).findings}


def test_healthy_system_is_silent() -> None:
    """Nothing is found, and every check could look."""
    report = examine(case())

    assert [] == list(report.findings)
    assert {Status.OK} == {outcome.status for outcome in report.outcomes}
    assert (Status.OK, 0) == (report.status, report.exit_code)


@pytest.mark.parametrize(("name", "row"), TABLE.items(), ids=TABLE)
def test_finding(name: str, row: tuple[Case, str, Mapping[str, Any]]) -> None:
    """The case makes this finding, of this severity and with these numbers."""
    made, severity, values = row
    finding = found(made)[name]

    assert severity == finding.severity
    assert values == {key: finding.values[key] for key in values}


def test_table_has_every_message() -> None:
    """What the doctor can say is what the table makes it say."""
    messages = {f"{check}.{name}" for check, text in texts().items() for name in text["messages"]}

    assert messages == set(TABLE)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_check_is_silent_without_cause(check: Any) -> None:
    """Good days that look a little like bad ones."""
    for made in ALMOST.get(check.name, ()):
        assert [] == list(check.find(made))


def _task(age: float, timeout: float) -> Running:
    return Running(
        task_id="t",
        task_type="x",
        queue="default",
        worker="w",
        started_at_seconds=NOW - age,
        deadline_seconds=NOW - age + timeout,
    )


#: Check -> cases just below its threshold, or with an innocent explanation.
ALMOST: Mapping[str, tuple[Case, ...]] = {
    "redis-role": (case(last={"redis": None}),),
    "redis-eviction": (case(last={"redis": replace(REDIS, maxmemory_policy="")}),),
    "redis-memory": (
        case(last={"redis": replace(REDIS, memory_used_bytes=85_000_000)}),
        case(last={"redis": replace(REDIS, memory_max_bytes=0)}),
    ),
    "redis-persistence": (
        # Young, and Redis does not tell its save points: too early to say.
        case(facts=replace(FACTS, aof_enabled=False, rdb_saves=0, save_points=None, uptime_seconds=60)),
        case(facts=replace(FACTS, aof_enabled=False, rdb_saves=0, save_points="3600 1")),
        case(facts=replace(FACTS, aof_enabled=False, rdb_saves=2)),
    ),
    "redis-version": tuple(
        case(last={"redis": replace(REDIS, version=text)}) for text in ("6.2.0", "10.0.1", "")
    ),
    "workers-saturated": (
        case(last={"servers": (server(busy=10),)}),
        case(last={"servers": (server(busy=9),), "queues": queues(low={"pending": 5})}),
        case(last={"servers": (server(busy=10),), "queues": queues(low={"pending": 5, "paused": 1})}),
    ),
    "workers-agree": (case(last={"servers": (server(queues={"low": 1}), server(queues={"high": 2}))}),),
    "workers-clocks": (case(heartbeats=(Heartbeat(worker="w", skew_seconds=4.9, hidden=False),)),),
    "queue-served": (
        queue_case("low", workers=0),
        queue_case("mine", workers=0, registered=0, pending=1),
        case(last={"servers": (), "queues": queues(mine={"workers": 0, "pending": 4})}),
    ),
    "queue-consumed": (
        queue_case(pending=5, size=5, latency_seconds=3.0),
        queue_case(pending=5, latency_seconds=30.0, paused=1),
        queue_case(pending=5, latency_seconds=30.0, workers=0),
        queue_case(pending=5, latency_seconds=30.0, active=2),
        queue_case(pending=5, latency_seconds=30.0, processed=1_001, before={"processed": 1_000}),
        case(
            last={
                "servers": (server(busy=10),),
                "queues": queues(default={"pending": 5, "latency_seconds": 30.0}),
            }
        ),
        case(first=None, last={"queues": queues(default={"pending": 5, "latency_seconds": 30.0})}),
    ),
    "queue-backlog": (
        queue_case("critical", pending=10),
        queue_case("dead_letter", pending=500),
        queue_case("mine", pending=500),
        queue_case(pending=None),
    ),
    "queue-latency": (
        queue_case("critical", latency_seconds=5.0),
        queue_case("low", latency_seconds=90_000.0),
        queue_case(latency_seconds=None),
    ),
    "queue-backpressure": (queue_case(backpressure=None), queue_case(backpressure=BackpressureState.NORMAL)),
    "task-retries": (queue_case(retry=50),),
    "task-failures": (
        queue_case(processed_today=100, failed_today=10),
        queue_case(processed_today=19, failed_today=19),
    ),
    "task-dead": (queue_case(archived=500, dead_last_hour=10),),
    "task-archive": (queue_case(archived=8_999),),
    "task-orphans": (queue_case(active=3, no_lease=1, before={"no_lease": 0}),),
    "task-long-running": (
        replace(queue_case(active=1), running=(_task(100, 99),)),
        replace(queue_case(active=1, oldest_active_seconds=3_600.0), running=(_task(3_600, 7_200),)),
    ),
    "task-forwarding": (queue_case(forwarding_delay_seconds=60.0), queue_case(forwarding_delay_seconds=None)),
    "task-groups": (
        case(groups=(WaitingGroup(queue="low", group="g", size=4, oldest_seconds=900, newest_seconds=1),)),
    ),
    "data-tasks": (with_samples(case(), retry=(SeenTask(task_id="t", task_type="x"),)),),
}


@pytest.mark.parametrize(
    ("queue", "pending", "severity", "alert"),
    [
        ("critical", 11, "info", "AsynqQueueAboveNormal"),
        ("critical", 51, "warning", "AsynqQueueAboveThreshold"),
        ("critical", 101, "critical", "AsynqQueueAboveThreshold"),
        ("low", 9_999, "info", "AsynqQueueAboveNormal"),
        ("mine", 501, "warning", "AsynqQueueBacklog"),
        ("mine", 2_001, "critical", "AsynqQueueBacklogSevere"),
    ],
)
def test_backlog_climbs_the_guides_ladder(queue: str, pending: int, severity: str, alert: str) -> None:
    """A queue's own numbers hold; one without has those of the general alerts."""
    (finding,) = [f for name, f in found(queue_case(queue, pending=pending)).items() if "backlog" in name]

    assert (severity, alert) == (finding.severity, finding.alert)


@pytest.mark.parametrize(
    ("made", "cause", "remedy"),
    [
        (queue_case(pending=150, paused=1), "paused", "resume"),
        (case(last={"servers": (), "queues": queues(default={"pending": 150})}), "no_workers", "workers"),
        (queue_case(pending=150, workers=0), "unserved", "workers"),
        (
            case(last={"servers": (server(busy=10),), "queues": queues(default={"pending": 150})}),
            *("saturated", "scale"),
        ),
        (queue_case(pending=150), "asleep", "restart"),
        (queue_case(pending=150, before={"pending": 950, "processed": 200}), "burst", "scale"),
        (queue_case(pending=150, before={"processed": 900}), "slow", "scale"),
    ],
)
def test_backlog_has_its_likely_cause(made: Case, cause: str, remedy: str) -> None:
    """One cause, and the remedies that fit it."""
    (finding,) = [f for name, f in found(made).items() if name.startswith("queue-backlog.")]

    assert (cause,) == finding.causes
    assert remedy in finding.remedies


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("context deadline exceeded", "timeout"),
        ("POST https://x: 429 Too Many Requests", "limited"),
        ("dial tcp 10.0.0.1:80: connect: connection refused", "network"),
        ("no such user", "external"),
    ],
)
def test_retries_have_the_guides_causes(error: str, cause: str) -> None:
    """Guide 5.2: timeouts and errors of the external API, the network, limits of the other side."""
    tasks = (SeenTask(task_id="t", task_type="x", error=error),)
    finding = found(with_samples(queue_case(retry=51), retry=tasks))["task-retries.many"]

    assert (cause,) == finding.causes


def test_redis_that_does_not_answer_hides_the_rest() -> None:
    """One finding, also when another check was asked for; everything else is not checked rather than fine."""
    for report in (examine(down("no answer within 1 s")), examine(down("x"), only=["task-dead"])):
        assert 1 == len(report.findings)
        assert 20 == report.exit_code
        assert {Status.CRITICAL, Status.SKIPPED} == {outcome.status for outcome in report.outcomes}


def test_user_who_may_not_read_the_queues_is_critical() -> None:
    """Then silence means nothing at all."""
    reason = "NOPERM this user has no permissions to run the 'smembers' command"

    assert 20 == examine(case(unread={"queues": reason})).exit_code
    assert 10 == examine(case(unread={"samples": reason})).exit_code


def test_part_that_was_not_read_is_not_fine() -> None:
    """A check that could not look says so, and with which error."""
    made = case(unread={"groups": "no answer within 1 s", "second scan": "--seconds 0"})
    outcomes = {outcome.check: outcome for outcome in examine(made).outcomes}

    assert (Status.SKIPPED, "no answer within 1 s") == (
        outcomes["task-groups"].status,
        outcomes["task-groups"].reason,
    )
    assert Status.SKIPPED is outcomes["queue-consumed"].status
    assert Status.OK is outcomes["task-dead"].status


def test_worst_comes_first_and_decides() -> None:
    """Severity, then the order of the checks; exit codes 0, 10 and 20."""
    worst = examine(
        case(
            facts=replace(FACTS, last_save_failed=True),
            last={"queues": queues(low={"paused": 1}, high={"pending": 201})},
        )
    )

    assert ["critical", "warning", "info"] == [finding.severity for _, finding in worst.findings]
    assert 20 == worst.exit_code
    assert 10 == examine(worst.case, only=["queue-backlog"]).exit_code
    assert 0 == examine(worst.case, only=["queue-paused"]).exit_code


def test_scan_that_was_cut_short_is_one_story() -> None:
    """Queues that a timeout left unread are not called broken one by one."""
    error = "no answer within 1 s"
    made = case(
        last={
            "error": error,
            "queue_errors": {"low": error},
            "parts": {"redis": Part(success=False, duration_seconds=0, error=error)},
        }
    )

    assert "data-keys" not in {name.partition(".")[0] for name in found(made)}


def test_tasks_that_only_began_empty_no_queue() -> None:
    """Fewer wait because more are active; as many came as left, so no end is foretold."""
    before = {"pending": 1_600, "size": 1_600, "processed": 0, "failed": 0, "archived": 0}
    made = queue_case(pending=1_500, size=1_600, active=100, processed=20, failed=0, before=before)

    (finding,) = [f for name, f in found(made).items() if name.startswith("queue-backlog.")]

    assert (finding.values["in_per_second"], finding.values["out_per_second"]) == (10, 10)
    assert finding.values.get("empty_in_seconds") is None
