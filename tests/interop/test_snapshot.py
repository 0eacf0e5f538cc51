"""The scan against the Inspector: on the same Redis both say the same, field by field."""

import asyncio
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime

import pytest
import redis.asyncio

from asynq_exporter.core import catalog
from asynq_exporter.scan.scanner import Scanner
from asynq_exporter.scan.snapshot import Queues, Snapshot
from tests.conftest import RedisServer, wait_until
from tests.interop.conftest import Filled
from tests.interop.golang import Go, Json

#: Columns that both know under some name; Go's name in its QueueInfo.
SAME = {
    "pending": "pending",
    "active": "active",
    "scheduled": "scheduled",
    "retry": "retry",
    "archived": "archived",
    "completed": "completed",
    "groups": "groups",
    "processed": "processed_total",
    "failed": "failed_total",
    "processed_today": "processed",
    "failed_today": "failed",
    "paused": "paused",
}

#: Columns that follow from others, from the tasks that the Inspector lists or from its servers.
DERIVED = {
    "registered",
    "size",
    "latency_seconds",
    "tail_latency_seconds",
    "scheduled_overdue",
    "retry_overdue",
    "forwarding_delay_seconds",
    "lease_expired",
    "no_lease",
    "oldest_active_seconds",
    "dead_last_hour",
    "oldest_dead_seconds",
    "workers",
}

#: Columns that Go knows nothing of: the catalogue's numbers and what a background collector counts.
OURS = {"weight", "capacity", "utilization", "backpressure", "aggregating"}

#: Scores and moments of the Inspector are whole seconds; ours are differences of floats.
EPSILON = 1e-3


def scan(server: RedisServer) -> Snapshot:
    """One snapshot by a fresh scanner."""

    async def once() -> Snapshot:
        client = redis.asyncio.Redis(port=server.port, protocol=2)
        scanner = Scanner(client, catalog.documented())
        try:
            return await scanner.scan(timeout_seconds=10)
        finally:
            await scanner.close()
            await client.aclose()

    return asyncio.run(once())


def both(go: Go, server: RedisServer, *, until: Callable[[Json], bool] = bool) -> tuple[Json, Snapshot]:
    """What Go and we say of one moment: Go is asked before and after, and must not have changed its mind."""

    def steady() -> tuple[Json, Snapshot] | None:
        before = go.inspect(server)
        snapshot = scan(server)
        after = go.inspect(server)
        same = _without_clocks(before) == _without_clocks(after)
        return (before, snapshot) if same and until(before) else None

    found = wait_until(steady, what="Redis is quiet for the time of three readings")
    assert found
    return found


def _without_clocks(value: Json) -> Json:
    """A report of the Inspector without what changes by the mere passing of time."""
    volatile = {"timestamp", "latency", "next_process_at", "next", "prev"}
    if isinstance(value, dict):
        return {key: _without_clocks(one) for key, one in value.items() if key not in volatile}
    return [_without_clocks(one) for one in value] if isinstance(value, list) else value


def test_fill_holds_what_it_promises(go: Go, filled: Filled) -> None:
    """The Inspector sees exactly the amounts that the filling program set out to write."""
    report = go.inspect(filled.redis)
    assert set(report["queues"]) == set(filled.plan)
    for name, plan in filled.plan.items():
        info = report["queues"][name]["info"]
        for key in ("pending", "active", "scheduled", "retry", "archived", "completed", "paused"):
            assert info[key] == plan[key], (name, key)
        assert report["queues"][name]["groups"] == plan["groups"]
        assert (info["processed_total"], info["failed_total"]) == (
            plan["processed_total"],
            plan["failed_total"],
        )
        if plan["retried_twice"]:
            assert {task["retried"] for task in report["queues"][name]["tasks"]["retry"]} == {2}
    assert all(sum(p[s] for p in filled.plan.values()) for s in ("pending", "active", "scheduled", "retry"))


def test_every_column_is_compared() -> None:
    """No column of the snapshot is forgotten here when one is added there."""
    columns = {field.name for field in fields(Queues)} - {"names"}
    assert columns == set(SAME) | DERIVED | OURS


def test_snapshot_of_queues_equals_the_inspector(go: Go, filled: Filled) -> None:
    """Sizes, counters, pause and groups of every queue are the Inspector's, odd names included."""
    report, snapshot = both(go, filled.redis)
    assert snapshot.up
    assert not snapshot.queue_errors
    assert all(part.success for part in snapshot.parts.values())
    assert set(snapshot.queues.names) == set(report["queues"])
    for name, queue in report["queues"].items():
        ours, info = snapshot.queues.of(name), queue["info"]
        assert {column: ours[column] for column in SAME} == {
            column: info[theirs] for column, theirs in SAME.items()
        }, name
        assert ours["registered"]
        # Asynq counts dead and kept tasks as size, we count work to be done; groups are counted elsewhere.
        counted = info["size"] - info["archived"] - info["completed"]
        expected = counted - (info["aggregating"] if ours["aggregating"] is None else 0)
        assert ours["size"] == expected, name


def test_snapshot_of_ages_equals_the_inspector(go: Go, filled: Filled) -> None:
    """Latency, overdue tasks, their delay, dead tasks and their age follow from the tasks that Go lists."""
    report, snapshot = both(go, filled.redis)
    now = snapshot.at_seconds
    for name, queue in report["queues"].items():
        ours, info, tasks = snapshot.queues.of(name), queue["info"], queue["tasks"]
        if info["pending"]:
            since = (info["timestamp"] - info["latency"]) / 1e9
            # Go reads its clock twice for these two numbers.
            assert now - ours["latency_seconds"] == pytest.approx(since, abs=0.05), name
            assert ours["tail_latency_seconds"] == ours["latency_seconds"]
        else:
            assert ours["latency_seconds"] == ours["tail_latency_seconds"] == 0
        due: list[float] = []
        for state in ("scheduled", "retry"):
            moments = [task["next_process_at"] / 1e9 for task in tasks[state]]
            overdue = [moment for moment in moments if moment <= int(now)]
            assert ours[f"{state}_overdue"] == len(overdue) == filled.plan[name][f"{state}_overdue"], name
            due += overdue
        delay = now - min(due) if due else 0
        assert ours["forwarding_delay_seconds"] == pytest.approx(delay, abs=EPSILON), name
        died = [task["last_failed_at"] / 1e9 for task in tasks["archived"]]
        assert ours["dead_last_hour"] == sum(moment > now - 3600 for moment in died), name
        age = now - min(died) if died else 0
        assert ours["oldest_dead_seconds"] == pytest.approx(age, abs=EPSILON), name


def test_snapshot_of_orphans_equals_the_inspector(go: Go, own_filled: Filled) -> None:
    """Once the leases of a crashed server end, we count as many orphans as Go marks."""

    def orphans(report: Json) -> dict[str, int]:
        return {
            name: sum(task["is_orphaned"] for task in queue["tasks"]["active"])
            for name, queue in report["queues"].items()
        }

    report, snapshot = both(go, own_filled.redis)
    assert orphans(report) == dict.fromkeys(own_filled.plan, 0)
    assert sum(snapshot.queues.lease_expired) == 0  # type: ignore[arg-type]

    # Thirty seconds later: the leases are moved into the past instead.
    with own_filled.redis.client() as client:
        for name in own_filled.plan:
            lease = f"asynq:{{{name}}}:lease"
            for task_id, score in client.zrange(lease, 0, -1, withscores=True):
                client.zadd(lease, {task_id: score - 60})
    report, snapshot = both(go, own_filled.redis)
    expected = {name: plan["active"] for name, plan in own_filled.plan.items()}
    assert orphans(report) == expected
    assert dict(zip(snapshot.queues.names, snapshot.queues.lease_expired, strict=True)) == expected
    assert set(snapshot.queues.no_lease) == {0}


def test_snapshot_of_a_live_server_equals_the_inspector(go: Go, lively: RedisServer) -> None:
    """Servers with their queues, status and busy slots, and the age of the longest-running task."""
    report, snapshot = both(go, lively)
    servers = {server["id"]: server for server in report["servers"]}
    assert len(servers) == len(snapshot.servers) == 1
    for ours in snapshot.servers:
        theirs = servers[ours.server_id]
        assert {
            "id": ours.server_id,
            "host": ours.host,
            "pid": ours.pid,
            "concurrency": ours.concurrency,
            "queues": dict(ours.queues),
            "strict_priority": ours.strict_priority,
            "status": ours.status,
        } == {key: theirs[key] for key in theirs if key not in {"started", "workers"}}
        assert ours.started_at_seconds == pytest.approx(theirs["started"] / 1e9, abs=EPSILON)
        assert ours.busy == len(theirs["workers"]) == 3
    for name in snapshot.queues.names:
        row = snapshot.queues.of(name)
        assert row["registered"] == (name in report["queues"]), name
        assert row["workers"] == sum(name in server["queues"] for server in servers.values()), name
        started = [w["started"] / 1e9 for s in servers.values() for w in s["workers"] if w["queue"] == name]
        age = snapshot.at_seconds - min(started) if started else 0
        assert row["oldest_active_seconds"] == pytest.approx(age, abs=EPSILON), name
    assert snapshot.healthy


def test_snapshot_of_a_live_scheduler_equals_the_inspector(go: Go, lively: RedisServer) -> None:
    """Scheduler entries with their next and previous times; "never" is None on both sides."""
    report, snapshot = both(go, lively)
    assert len(snapshot.schedulers) == 1
    ours = {entry.entry_id: entry for entry in snapshot.schedulers[0]}
    assert len(ours) == len(report["scheduler_entries"]) == 3
    for theirs in report["scheduler_entries"]:
        entry = ours[theirs["id"]]
        assert (entry.spec, entry.task_type) == (theirs["spec"], theirs["type"])
        if entry.spec == "@every 1s":
            # It fires while we look, but it fires once a second.
            assert entry.next_at_seconds == pytest.approx(theirs["next"] / 1e9, abs=5)
            assert entry.previous_at_seconds == pytest.approx(theirs["prev"] / 1e9, abs=5)
        else:
            assert entry.next_at_seconds == theirs["next"] / 1e9
            assert entry.previous_at_seconds is theirs["prev"] is None


def test_snapshot_after_the_server_ended_has_no_workers(go: Go, own_redis: RedisServer) -> None:
    """After an orderly end both sides see no server and no scheduler; a crash is forgotten within seconds."""
    with go.live(own_redis, "-block", ""):
        pass
    report, snapshot = both(go, own_redis)
    assert report["servers"] == report["scheduler_entries"] == []
    assert not snapshot.servers
    assert not snapshot.schedulers
    assert not snapshot.healthy

    with go.live(own_redis, "-block", "high=1", "-scheduler=false") as live:
        live.crash()
        _, snapshot = both(go, own_redis)
        assert [server.busy for server in snapshot.servers] == [1]
        report, snapshot = both(go, own_redis, until=lambda report: not report["servers"])
    assert snapshot.servers == ()
    assert snapshot.queues.of("high")["active"] == 1


def test_snapshot_counts_the_day_as_go_does(go: Go, filled: Filled) -> None:
    """Today's counters are those of the newest row of Go's history, which is the current UTC day."""
    report, snapshot = both(go, filled.redis)
    today = datetime.fromtimestamp(snapshot.at_seconds, tz=UTC).strftime("%Y-%m-%d")
    for name, queue in report["queues"].items():
        row, newest = snapshot.queues.of(name), queue["history"][0]
        assert newest == {
            "date": today,
            "processed": row["processed_today"],
            "failed": row["failed_today"],
        }, name
