"""Every finding there is, with a case that makes it: `check.message` -> case, severity, some values."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from asynq_exporter.core.catalog import BackpressureState
from asynq_exporter.doctor.case import Case
from asynq_exporter.doctor.sample import Entry, Facts, Heartbeat, Running, SeenTask, WaitingGroup
from asynq_exporter.scan.snapshot import Breaker, Cost, Part, Selection
from tests.doctor.cases import ENTRY, FACTS, NOW, REDIS, case, down, queue_case, queues, server, with_samples

FAILED = tuple(
    SeenTask(
        task_id=f"t{n}", task_type="mail", error=f"dial 10.0.0.{n}: timeout", last_failed_at_seconds=NOW - n
    )
    for n in range(1, 4)
)

QUIET = {"processed": 1_000, "failed": 0}


def _backlog(pending: int, before: int, **numbers: Any) -> Case:
    return queue_case(
        pending=pending, size=pending, **numbers, before={"pending": before, "size": before, **QUIET}
    )


def _redis(**changes: Any) -> Case:
    return case(last={"redis": replace(REDIS, **changes)}, first={"redis": REDIS})


def _part(name: str, error: str) -> Case:
    return case(last={"parts": {name: Part(success=False, duration_seconds=0, error=error)}})


def _heartbeat(skew: float, *, hidden: bool = False) -> tuple[Heartbeat, ...]:
    return (Heartbeat(worker="web-1:7", skew_seconds=skew, hidden=hidden),)


def _running(age: float, timeout: float) -> tuple[Running, ...]:
    started = NOW - age
    return (
        Running(
            task_id="slow",
            task_type="video",
            queue="default",
            worker="web-1:7",
            started_at_seconds=started,
            deadline_seconds=started + timeout,
        ),
    )


def _active(ends: float | None) -> tuple[SeenTask, ...]:
    return (SeenTask(task_id="lost", task_type="mail", lease_ends_at_seconds=ends),)


def _entries(*, unique: bool) -> tuple[Entry, ...]:
    return tuple(
        Entry(scheduler=name, spec="@daily", task_type="report", identity="x", unique=unique) for name in "ab"
    )


_CRITICAL, _WARNING, _INFO = "critical", "warning", "info"

ERRORS = {
    "refused": "Error 111 connecting to h:6379. Connect call failed ('127.0.0.1', 6379).",
    "silent": "no answer within 10 s",
    "name": "Error -2 connecting to nowhere:6379. Name or service not known.",
    "tls": "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed",
    "authentication": "invalid username-password pair or user is disabled.",
    "permission": "NOPERM User x has no permissions to run the 'ping' command",
    "loading": "LOADING Redis is loading the dataset in memory",
    "replica_without_master": "MASTERDOWN Link with MASTER is down.",
    "too_many_clients": "max number of clients reached",
    "database": "DB index is out of range",
    "protected": "DENIED Redis is running in protected mode",
    "busy": "BUSY Redis is busy running a script.",
    "socket": "Error 2 connecting to unix socket: /x. No such file or directory.",
    "closed": "Redis closed the connection",
    "other": "something else",
}

Row = tuple[Case, str, Mapping[str, Any]]

REACHABLE: Mapping[str, Row] = {
    f"redis-reachable.{message}": (down(text), _CRITICAL, {"error": text}) for message, text in ERRORS.items()
}

TABLE: Mapping[str, Row] = {
    **REACHABLE,
    "redis-permissions.denied": (
        case(unread={"samples": "Redis refused: this user has no permissions to run the 'evalsha' command"}),
        *(_WARNING, {"parts": 1}),
    ),
    "redis-role.replica": (_redis(role="slave"), _WARNING, {"role": "slave"}),
    "redis-role.link_down": (
        case(
            last={"redis": replace(REDIS, role="slave")}, facts=Facts(aof_enabled=True, master_link_up=False)
        ),
        *(_CRITICAL, {"role": "slave"}),
    ),
    "redis-cluster.cluster": (
        case(
            last={
                "redis": replace(REDIS, mode="cluster"),
                "queue_errors": {"low": "MOVED 866 10.0.0.2:6379", "high": "MOVED 1 10.0.0.3:6379"},
            }
        ),
        *(_WARNING, {"moved_queues": 2}),
    ),
    "redis-version.old": (_redis(version="6.0.16"), _WARNING, {"version": "6.0.16", "needed": "6.2"}),
    "redis-eviction.evicting": (_redis(evicted_keys=5), _CRITICAL, {"evicted_now": 5}),
    "redis-eviction.policy": (_redis(maxmemory_policy="allkeys-lru"), _WARNING, {"policy": "allkeys-lru"}),
    "redis-eviction.evicted": (
        case(last={"redis": replace(REDIS, evicted_keys=5)}, first={"redis": replace(REDIS, evicted_keys=5)}),
        *(_INFO, {"evicted": 5}),
    ),
    "redis-memory.high": (
        _redis(memory_used_bytes=96_000_000),
        *(_CRITICAL, {"used_ratio": 0.96, "max_bytes": 100_000_000}),
    ),
    "redis-persistence.off": (
        case(facts=replace(FACTS, aof_enabled=False, rdb_saves=0, save_points="")),
        *(_WARNING, {"uptime_seconds": 100_000}),
    ),
    "redis-persistence.failing": (case(facts=replace(FACTS, last_save_failed=True)), _CRITICAL, {}),
    "redis-connections.rejected": (_redis(rejected_connections=3), _WARNING, {"rejected": 3, "clients": 7}),
    "redis-speed.slow": (
        case(last={"ping_seconds": 0.4, "cost": Cost(duration_seconds=2.0)}),
        *(_WARNING, {"ping_seconds": 0.4, "scan_seconds": 2.0}),
    ),
    "workers-alive.none": (
        case(last={"servers": (), "queues": queues(default={"pending": 9, "active": 2, "workers": 0})}),
        *(_CRITICAL, {"pending": 9, "active": 2}),
    ),
    "workers-alive.hidden": (
        case(last={"servers": ()}, heartbeats=_heartbeat(-20, hidden=True)),
        *(_CRITICAL, {"hidden_workers": 1}),
    ),
    "workers-saturated.saturated": (
        case(last={"servers": (server(busy=10),), "queues": queues(default={"pending": 5})}),
        *(_WARNING, {"busy": 10, "slots": 10, "pending": 5}),
    ),
    "workers-stopping.everyone": (
        case(last={"servers": (server(status="stopped"),)}),
        *(_WARNING, {"quiet": 1, "workers": 1}),
    ),
    "workers-stopping.some": (
        case(last={"servers": (server(), server(status="closed", server_id="t"))}),
        *(_INFO, {"quiet": 1, "workers": 2, "example": "web-1:7 (closed)"}),
    ),
    "workers-agree.weights": (
        case(last={"servers": (server(queues={"low": 1}), server(queues={"low": 3}))}),
        *(_WARNING, {"queues": 1, "example": "low: 1, 3"}),
    ),
    "workers-agree.priority": (
        case(last={"servers": (server(), server(strict_priority=True))}),
        *(_WARNING, {"strict": 1, "workers": 2}),
    ),
    "workers-clocks.ahead": (case(heartbeats=_heartbeat(40)), _CRITICAL, {"worst_seconds": 40}),
    "workers-clocks.behind": (case(heartbeats=_heartbeat(-8)), _WARNING, {"worst_seconds": 8}),
    "workers-clocks.here": (
        case(facts=replace(FACTS, clock_ahead_seconds=-7.0)),
        *(_WARNING, {"worst_seconds": 7}),
    ),
    "queue-served.waiting": (
        queue_case("mine", workers=0, pending=3, size=3, scheduled_overdue=1),
        *(_WARNING, {"due": 4, "workers": 1}),
    ),
    "queue-served.later": (queue_case("mine", workers=0, size=3), _INFO, {"due": 0, "waiting": 3}),
    "queue-served.unknown": (queue_case("mine", workers=0), _INFO, {"waiting": 0}),
    "queue-consumed.idle": (
        queue_case(pending=20, size=20, latency_seconds=30.0),
        *(_CRITICAL, {"pending": 20, "active": 0, "busy": 2, "slots": 10, "seconds": 2}),
    ),
    "queue-paused.full": (
        queue_case(
            paused=1, pending=950, size=950, backpressure=BackpressureState.CRITICAL, utilization=0.95
        ),
        *(_CRITICAL, {"pending": 950, "utilization_ratio": 0.95}),
    ),
    "queue-paused.waiting": (queue_case(paused=1, pending=5, size=5), _WARNING, {"pending": 5}),
    "queue-paused.empty": (queue_case(paused=1), _INFO, {"pending": 0}),
    "queue-backlog.growing": (
        _backlog(1_500, 1_400, processed=1_020, active=5),
        *(_WARNING, {"pending": 1_500, "threshold": 1_000, "in_per_second": 60, "out_per_second": 10}),
    ),
    "queue-backlog.draining": (
        _backlog(1_500, 1_600, processed=1_100, active=5),
        *(_WARNING, {"empty_in_seconds": 30, "in_per_second": 0, "out_per_second": 50}),
    ),
    "queue-backlog.steady": (_backlog(150, 150, processed=1_020, active=5), _INFO, {"threshold": 100}),
    "queue-backlog.still": (_backlog(150, 150, active=5), _INFO, {"out_per_second": 0}),
    "queue-backlog.unknown": (
        case(first=None, last={"queues": queues(critical={"pending": 101})}),
        *(_CRITICAL, {"threshold": 100}),
    ),
    "queue-latency.high": (
        queue_case("critical", latency_seconds=70.0, pending=3, active=1),
        *(_CRITICAL, {"oldest_seconds": 70, "limit_seconds": 60}),
    ),
    "queue-backpressure.refusing": (
        queue_case(backpressure=BackpressureState.CRITICAL, utilization=0.93, size=930),
        *(_CRITICAL, {"size": 930, "capacity": 1_000}),
    ),
    "queue-backpressure.filling": (
        queue_case(backpressure=BackpressureState.WARNING, utilization=0.7, size=700),
        *(_WARNING, {"utilization_ratio": 0.7}),
    ),
    "task-retries.many": (
        with_samples(queue_case(retry=51, size=51), retry=FAILED),
        *(_WARNING, {"retry": 51, "threshold": 50, "looked_at": 3, "task_id": "t1"}),
    ),
    "task-failures.now": (
        with_samples(
            queue_case(processed=1_040, failed=30, before={"processed": 1_000, "failed": 10}), retry=FAILED
        ),
        *(_WARNING, {"failed": 20, "processed": 40, "failure_ratio": 0.5}),
    ),
    "task-failures.today": (
        queue_case(processed_today=100, failed_today=11),
        *(_WARNING, {"failed": 11, "processed": 100, "threshold_ratio": 0.1}),
    ),
    "task-dead.growing": (
        with_samples(queue_case(archived=30, dead_last_hour=11, oldest_dead_seconds=9.0), archived=FAILED),
        *(_WARNING, {"archived": 30, "last_hour": 11, "growth_threshold": 10}),
    ),
    "task-dead.many": (
        queue_case("dead_letter", archived=51, dead_last_hour=0, oldest_dead_seconds=9_000.0),
        *(_CRITICAL, {"archived": 51, "last_hour": 0}),
    ),
    "task-archive.near": (queue_case(archived=9_500), _WARNING, {"archived": 9_500, "cap": 9_999}),
    "task-archive.full": (queue_case(archived=9_999), _WARNING, {"archived": 9_999}),
    "task-orphans.no_lease": (
        with_samples(queue_case(active=3, no_lease=1, size=3), active=(*_active(None), *_active(NOW + 20))),
        *(_WARNING, {"orphans": 1, "active": 3}),
    ),
    "task-orphans.recovering": (
        with_samples(queue_case(active=3, lease_expired=1), active=_active(NOW - 20)),
        *(_INFO, {"orphans": 1, "longest_seconds": 20}),
    ),
    "task-orphans.not_recovered": (
        with_samples(queue_case(active=3, lease_expired=1), active=_active(NOW - 200)),
        *(_WARNING, {"longest_seconds": 200}),
    ),
    "task-orphans.nobody_recovers": (
        with_samples(queue_case(active=3, lease_expired=1, workers=0), active=_active(NOW - 20)),
        *(_WARNING, {"workers": 0}),
    ),
    "task-long-running.over_timeout": (
        replace(queue_case(active=1), running=_running(100, 60)),
        *(_WARNING, {"over": 1, "longest_seconds": 100, "task_id": "slow"}),
    ),
    "task-long-running.long": (
        replace(queue_case(active=1, oldest_active_seconds=4_000.0), running=_running(4_000, 9_000)),
        *(_WARNING, {"longest_seconds": 4_000, "limit_seconds": 3_600}),
    ),
    "task-forwarding.stalled": (
        queue_case(forwarding_delay_seconds=61.0, scheduled_overdue=4, retry_overdue=1),
        *(_WARNING, {"scheduled_overdue": 4, "retry_overdue": 1}),
    ),
    "task-forwarding.no_workers": (
        queue_case(forwarding_delay_seconds=61.0, scheduled_overdue=4, workers=0),
        *(_WARNING, {"delay_seconds": 61}),
    ),
    "task-groups.idle": (
        case(
            groups=(WaitingGroup(queue="default", group="g", size=4, oldest_seconds=900, newest_seconds=400),)
        ),
        *(_WARNING, {"groups": 1, "waiting": 4, "group": "g", "newest_seconds": 400}),
    ),
    "scheduler-alive.gone": (case(last={"schedulers": ()}, schedulers_known=2), _WARNING, {"known": 2}),
    "scheduler-alive.none": (case(last={"schedulers": ()}), _INFO, {}),
    "scheduler-overdue.late": (
        case(last={"schedulers": ((ENTRY, replace(ENTRY, next_at_seconds=NOW - 60)),)}),
        *(_WARNING, {"entries": 1, "delay_seconds": 60, "task_type": "tick"}),
    ),
    "scheduler-duplicates.twice": (
        case(entries=_entries(unique=False)),
        *(_WARNING, {"entries": 1, "schedulers": 2, "task_type": "report"}),
    ),
    "scheduler-duplicates.unique": (case(entries=_entries(unique=True)), _INFO, {"schedulers": 2}),
    "breakers.open": (
        case(
            last={
                "breakers": (
                    Breaker(scope="platform", name="video", state="OPEN"),
                    Breaker(scope="service", name="s", state="CLOSED"),
                )
            }
        ),
        *(_WARNING, {"count": 1, "breakers": 2, "names": "video (platform)"}),
    ),
    "breakers.half_open": (
        case(last={"breakers": (Breaker(scope="service", name="s", state="HALF_OPEN"),)}),
        *(_WARNING, {"count": 1}),
    ),
    "data-keys.wrong_type": (
        case(last={"queue_errors": {"low": "pending of queue 'low': WRONGTYPE Operation against a key"}}),
        *(_WARNING, {}),
    ),
    "data-keys.unreadable": (case(last={"queue_errors": {"low": "not a number: 'x'"}}), _WARNING, {}),
    "data-keys.record": (_part("workers", "b'asynq:servers:{h}': no"), _WARNING, {"part": "workers"}),
    "data-keys.old_record": (
        _part("workers", "b'x': not a ServerInfo of asynq (JSON of asynq before 0.18?)"),
        *(_WARNING, {"part": "workers"}),
    ),
    "data-tasks.broken": (
        with_samples(case(), retry=(SeenTask(task_id="ghost", problem="no_hash"), *FAILED)),
        *(_WARNING, {"broken": 1, "looked_at": 4, "kinds": "no_hash 1", "state": "retry"}),
    ),
    "data-versions.remains": (
        case(old_keys={"asynq:{default}:deadlines": "active tasks before 0.22"}),
        *(_WARNING, {"keys": 1, "key": "asynq:{default}:deadlines"}),
    ),
    "data-selection.cut": (case(last={"selection": Selection(read=1000, cut=5)}), _WARNING, {"cut": 5}),
}
