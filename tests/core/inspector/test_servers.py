"""Live servers and schedulers (wire sections 4.11 and 4.12)."""

import pytest
from redis import Redis

from asynq_exporter.core import Broker, FixedClock, keys, messages
from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.core.messages import (
    NANOSECONDS,
    SchedulerEnqueueEvent,
    SchedulerEntry,
    ServerInfo,
    WorkerInfo,
)
from tests.core.queue_state import Q, T, everything


def a_server(server_id: str, **fields: object) -> ServerInfo:
    """A server's record."""
    return ServerInfo(
        host="web",
        pid=7,
        server_id=server_id,
        concurrency=10,
        queues={"default": 1, "low": 3},
        strict_priority=True,
        status="active",
        start_time=messages.timestamp(T * NANOSECONDS + 500_000_000),
        **fields,  # type: ignore[arg-type]
    )


def a_worker(task_id: str, payload: bytes = b"x") -> WorkerInfo:
    """A worker's record."""
    return WorkerInfo(
        host="web",
        pid=7,
        server_id="s",
        task_id=task_id,
        task_type="t",
        task_payload=payload,
        queue=Q,
        start_time=messages.timestamp(T * NANOSECONDS),
        deadline=messages.timestamp((T + 60) * NANOSECONDS),
    )


async def test_servers_with_what_they_run(inspector: Inspector, broker: Broker) -> None:
    """4.11: in order, with their tasks in order."""
    await broker.write_server_state(a_server("s2"))
    await broker.write_server_state(a_server("s1"), [a_worker("b"), a_worker("a")])
    first, second = await inspector.servers()
    assert (first.server_id, first.host, first.pid, first.concurrency) == ("s1", "web", 7, 10)
    assert (first.queues, first.strict_priority, first.status) == ({"default": 1, "low": 3}, True, "active")
    assert first.started_at == T + 0.5
    assert [(worker.task_id, worker.task_type, worker.queue) for worker in first.workers] == [
        ("a", "t", Q),
        ("b", "t", Q),
    ]
    worker = first.workers[0]
    assert (worker.payload, worker.payload_bytes, worker.started_at, worker.deadline) == (b"x", 1, T, T + 60)
    assert (first.worker_count, second.server_id, second.workers, second.worker_count) == (2, "s2", [], 0)


async def test_dead_and_broken_servers_are_left_out(
    inspector: Inspector, broker: Broker, clock: FixedClock, redis_sync: Redis
) -> None:
    """4.11, trap 14: past their heartbeat, without a record, unreadable; and nothing is pruned."""
    await broker.write_server_state(a_server("dead"))
    clock.advance(10)
    assert [server.server_id for server in await inspector.servers()] == ["dead"]
    clock.advance(1)
    await broker.write_server_state(a_server("alive"))
    strays: list[bytes] = [b"asynq:servers:{no record}", b"\xff", b"bad"]
    redis_sync.zadd(keys.SERVERS, dict.fromkeys(strays, T + 999))
    redis_sync.set("bad", b"\xff\xff")
    before = everything(redis_sync)
    assert [server.server_id for server in await inspector.servers()] == ["alive"]
    assert everything(redis_sync) == before


async def test_long_and_corrupt_worker_records(
    inspector: Inspector, broker: Broker, redis_sync: Redis
) -> None:
    """Trap 29: payloads are cut with their lengths told; what cannot be read shows its task's ID."""
    server = a_server("s")
    workers = [a_worker("long", bytes(500_000)), a_worker("short", b"ab"), a_worker("huge", bytes(9_000_000))]
    await broker.write_server_state(server, workers)
    redis_sync.hset(keys.workers("web", 7, "s"), "corrupt", b"\xff" * 5000)
    [found] = await inspector.servers(payload_limit_bytes=1)
    by_id = {worker.task_id: worker for worker in found.workers}
    assert found.worker_count == 4
    assert (by_id["long"].payload, by_id["long"].payload_bytes) == (b"\0", 500_000)
    assert (by_id["short"].payload, by_id["short"].payload_bytes) == (b"a", 2)
    assert by_id["long"].queue == by_id["short"].queue == Q
    assert {id_ for id_, worker in by_id.items() if not worker.readable} == {"huge", "corrupt"}
    for limit in (-1, 65_537):
        with pytest.raises(InvalidArgumentError):
            await inspector.servers(payload_limit_bytes=limit)


async def test_many_servers(inspector: Inspector, broker: Broker) -> None:
    """More than one round trip asks for."""
    for n in range(45):
        await broker.write_server_state(a_server(f"{n:02}"), [a_worker(str(n))])
    found = await inspector.servers()
    assert [server.workers[0].task_id for server in found] == [str(n) for n in range(45)]


async def test_scheduler_entries(
    inspector: Inspector, broker: Broker, clock: FixedClock, redis_sync: Redis
) -> None:
    """4.12, trap 16: "never" is None; dead schedulers and unreadable entries are left out."""
    entry = SchedulerEntry(
        id="e-1",
        spec="@every 30s",
        task_type="tick",
        task_payload=bytes(20_000),
        enqueue_options=['Queue("low")', "MaxRetry(3)"],
        next_enqueue_time=messages.timestamp((T + 30) * NANOSECONDS),
        prev_enqueue_time=messages.timestamp(None),
    )
    other = SchedulerEntry(id="e-0", spec="@hourly", prev_enqueue_time=messages.timestamp(T * NANOSECONDS))
    await broker.write_scheduler_entries("host:1:u", [entry, other])
    redis_sync.lpush(keys.scheduler_entries("host:1:u"), b"\xff")
    redis_sync.zadd(keys.SCHEDULERS, {"asynq:schedulers:{gone}": T - 1, "asynq:schedulers:{empty}": T + 9})
    before = everything(redis_sync)
    first, second = await inspector.scheduler_entries()
    assert everything(redis_sync) == before
    assert (first.entry_id, first.prev_enqueue_at) == ("e-0", T)
    assert (second.entry_id, second.scheduler_id, second.spec) == ("e-1", "host:1:u", "@every 30s")
    assert (second.task_type, len(second.payload), second.payload_bytes) == ("tick", 16 * 1024, 20_000)
    assert second.options == ['Queue("low")', "MaxRetry(3)"]
    assert (second.next_enqueue_at, second.prev_enqueue_at) == (T + 30, None)
    clock.advance(21)
    assert await inspector.scheduler_entries() == []


async def test_enqueue_events_are_newest_first(
    inspector: Inspector, broker: Broker, redis_sync: Redis
) -> None:
    """4.12: in pages; unreadable ones are left out."""
    for n in range(35):
        event = SchedulerEnqueueEvent(task_id=str(n), enqueue_time=messages.timestamp((T + n) * NANOSECONDS))
        await broker.record_enqueue_event("e", event)
    redis_sync.zadd(keys.scheduler_history("e"), {b"\xff": T - 1})
    first = await inspector.enqueue_events("e")
    second = await inspector.enqueue_events("e", page=2)
    assert [event.task_id for event in first + second] == [str(n) for n in reversed(range(35))]
    assert first[0].enqueued_at == T + 34
    assert await inspector.enqueue_events("unknown") == []
    for options in ({"page": 0}, {"size": 0}, {"size": 1001}, {"page": 10**9}):
        with pytest.raises(InvalidArgumentError):
            await inspector.enqueue_events("e", **options)
    with pytest.raises(InvalidArgumentError):
        await inspector.enqueue_events(" ")
