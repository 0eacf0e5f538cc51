"""What the scan reads of workers, schedulers, breakers and Redis itself."""

import math
from typing import TYPE_CHECKING

import pytest

from asynq_exporter.core import keys, messages
from asynq_exporter.scan import breakers, redis_info
from asynq_exporter.scan.pipe import ReplyError
from tests.scan.conftest import Scan

if TYPE_CHECKING:
    import redis


def write_server(
    client: "redis.Redis",
    sid: str,
    queues: dict[str, int],
    *,
    ends: float,
    busy: int = 0,
    status: str = "active",
) -> None:
    """A server record whose registry entry ends at a Unix second."""
    info = messages.ServerInfo(
        host="h",
        pid=1,
        server_id=sid,
        concurrency=10,
        status="active",
        active_worker_count=busy,
        queues=queues,
    )
    client.set(keys.server("h", 1, sid), messages.encode(info))
    client.zadd(keys.SERVERS, {keys.server("h", 1, sid): ends})


def write_worker(client: "redis.Redis", sid: str, task_id: str, queue: str, started: float) -> None:
    """A record of a task that a server runs."""
    info = messages.WorkerInfo(
        host="h",
        pid=1,
        server_id=sid,
        task_id=task_id,
        queue=queue,
        start_time=messages.timestamp(int(started * 1e9)),
    )
    client.hset(keys.workers("h", 1, sid), task_id, messages.encode(info))


async def test_servers_are_the_live_ones(redis_sync: "redis.Redis", scan: Scan, now: float) -> None:
    """Expired servers are left alone, not pruned; a member whose record is gone does not count."""
    write_server(redis_sync, "live", {"low": 1}, ends=now + 10, busy=3)
    write_server(redis_sync, "gone", {"low": 1}, ends=now - 10)
    redis_sync.zadd(keys.SERVERS, {keys.server("h", 1, "ghost"): now + 10})

    snapshot = await scan()

    assert [(s.server_id, s.concurrency, s.busy, s.queues, s.status) for s in snapshot.servers] == [
        ("live", 10, 3, {"low": 1}, "active")
    ]
    assert redis_sync.zcard(keys.SERVERS) == 3
    assert snapshot.parts["workers"].success


async def test_corrupt_server_record_costs_itself(redis_sync: "redis.Redis", scan: Scan, now: float) -> None:
    """A record that is no message is named; the other servers stay."""
    write_server(redis_sync, "good", {"low": 1}, ends=now + 10)
    write_server(redis_sync, "bad", {"low": 1}, ends=now + 10)
    redis_sync.set(keys.server("h", 1, "bad"), b"\xff\xff")

    snapshot = await scan()

    assert [server.server_id for server in snapshot.servers] == ["good"]
    assert "bad" in snapshot.parts["workers"].error


async def test_oldest_active_task_is_found_in_its_record(
    redis_sync: "redis.Redis", scan: Scan, now: float
) -> None:
    """The age comes from the record of the oldest task, on whichever server it runs."""
    redis_sync.lpush(keys.active("low"), "old", "new")
    redis_sync.zadd(keys.lease("low"), {"old": now + 30, "new": now + 30})
    write_server(redis_sync, "s1", {"low": 1}, ends=now + 10, busy=1)
    write_server(redis_sync, "s2", {"low": 1}, ends=now + 10, busy=1)
    write_worker(redis_sync, "s1", "new", "low", now - 5)
    write_worker(redis_sync, "s2", "old", "low", now - 500)

    queues = (await scan()).queues

    assert math.isclose(500, queues.of("low")["oldest_active_seconds"], abs_tol=5)
    assert queues.of("high")["oldest_active_seconds"] == 0


async def test_oldest_active_looks_past_an_orphan(redis_sync: "redis.Redis", scan: Scan, now: float) -> None:
    """An orphan at the old end has no record; the next oldest that has one tells. A namesake does not."""
    redis_sync.lpush(keys.active("low"), "orphan", "runs")
    redis_sync.zadd(keys.lease("low"), {"orphan": now - 300, "runs": now + 30})
    write_server(redis_sync, "s", {"low": 1, "high": 1}, ends=now + 10, busy=2)
    write_worker(redis_sync, "s", "orphan", "high", now - 9000)
    write_worker(redis_sync, "s", "runs", "low", now - 40)

    assert math.isclose(40, (await scan()).queues.of("low")["oldest_active_seconds"], abs_tol=5)


async def test_oldest_active_is_unknown_without_a_record(
    redis_sync: "redis.Redis", scan: Scan, now: float
) -> None:
    """Active tasks that nobody records have an unknown age, not 0."""
    redis_sync.lpush(keys.active("low"), "t")
    write_server(redis_sync, "s", {"low": 1}, ends=now + 10, busy=1)

    assert (await scan()).queues.of("low")["oldest_active_seconds"] is None


async def test_schedulers_and_entries(redis_sync: "redis.Redis", scan: Scan, now: float) -> None:
    """Live schedulers are read with their entries; `never` is none, and an idle scheduler counts."""
    entry = messages.SchedulerEntry(
        id="e",
        spec="@every 30s",
        task_type="tick",
        next_enqueue_time=messages.timestamp(int((now + 30) * 1e9)),
        prev_enqueue_time=messages.timestamp(None),
    )
    redis_sync.lpush(keys.scheduler_entries("a"), messages.encode(entry))
    for name, ends in (("a", now + 20), ("idle", now + 20), ("gone", now - 1)):
        redis_sync.zadd(keys.SCHEDULERS, {keys.scheduler_entries(name): ends})

    snapshot = await scan()

    (read,) = [entry for entries in snapshot.schedulers for entry in entries]
    assert len(snapshot.schedulers) == 2
    assert (
        read.entry_id,
        read.spec,
        read.task_type,
        read.previous_at_seconds,
    ) == ("e", "@every 30s", "tick", None)
    assert read.next_at_seconds is not None
    assert math.isclose(now + 30, read.next_at_seconds, abs_tol=0.001)


async def test_breakers_are_read_from_their_hash(redis_sync: "redis.Redis", scan: Scan) -> None:
    """Field and value give scope, name and state; more words in the value are the breaker's own."""
    redis_sync.hset(
        keys.CIRCUIT_BREAKERS, mapping={"service:a:b": "OPEN 5 1767225600", "platform:p": "CLOSED"}
    )

    found = (await scan()).breakers

    assert [(b.scope, b.name, b.state) for b in found] == [
        ("platform", "p", "CLOSED"),
        ("service", "a:b", "OPEN"),
    ]


@pytest.mark.parametrize("field", ["nonsense", "queue:nonsense" + "x" * 10_000], ids=["shape", "length"])
async def test_bad_breakers_cost_themselves(redis_sync: "redis.Redis", scan: Scan, field: str) -> None:
    """A field that is no breaker is named in short, and nothing else suffers."""
    redis_sync.hset(keys.CIRCUIT_BREAKERS, field, "CLOSED" if ":" in field else "")

    snapshot = await scan()

    assert "nonsense" in snapshot.parts["breakers"].error
    assert len(snapshot.parts["breakers"].error) < 200
    assert snapshot.parts["queues"].success


async def test_redis_tells_of_itself(redis_sync: "redis.Redis", scan: Scan) -> None:
    """INFO is read, and the round trip measured."""
    snapshot = await scan()

    info = snapshot.redis
    assert info is not None
    assert redis_sync.info()["redis_version"] == info.version
    assert (info.mode, info.role, info.maxmemory_policy) == ("standalone", "master", "noeviction")
    assert (info.memory_used_bytes or 0) > 100_000
    assert (info.memory_max_bytes, info.evicted_keys, info.rejected_connections) == (0, 0, 0)
    assert snapshot.ping_seconds is not None
    assert 0 < snapshot.ping_seconds < 1


def test_info_without_a_field_leaves_it_unknown() -> None:
    """What a Redis does not tell is unknown, and Valkey's own version wins."""
    info = redis_info.parse(
        b"# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.0.1\r\nused_memory:oops\r\n"
    )

    assert (info.version, info.mode, info.memory_used_bytes) == ("8.0.1", "", None)


@pytest.mark.parametrize("read", [redis_info.parse, breakers.read])
def test_refusal_says_what_was_refused(read: object) -> None:
    """A command that the ACL forbids is an error with Redis' own words."""
    with pytest.raises(ValueError, match="NOPERM"):
        read(ReplyError("NOPERM this user has no permissions"))  # type: ignore[operator]
