"""What a server does beside its tasks: wire sections 5.8 and 5.9, and the janitor's."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from asynq_exporter.core import Broker, Client, FixedClock, Task, keys
from asynq_exporter.core.client import Options
from asynq_exporter.core.errors import UnavailableError
from asynq_exporter.core.worker import Attempt, ServerConfig
from asynq_exporter.core.worker.aggregator import GroupChecks
from asynq_exporter.core.worker.broker import WorkerBroker
from tests.core.queue_state import Q, T, a_task, counters_of, hash_of, list_of, message_of, scores_of
from tests.core.worker.serving import Gate, gone, serving, succeed, there, until

#: No task is taken, so what is seen is the upkeep's work alone.
IDLE: dict[str, Any] = {"polling": False}


async def test_due_tasks_are_forwarded(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """Scheduled and retried ones, when their second has come and not before."""
    await broker.schedule(a_task("now"), process_at=T)
    await broker.schedule(a_task("later"), process_at=T + 10)
    redis_sync.zadd(keys.retry(Q), {"again": T})
    redis_sync.hset(keys.task(Q, "again"), mapping={"msg": b"", "state": "retry"})
    async with serving(redis_client, succeed, clock=clock, **IDLE):
        await until(lambda: redis_sync.llen(keys.pending(Q)) == 2, what="two are pending")
        assert list_of(redis_sync, keys.pending(Q)) == ["again", "now"]
        assert scores_of(redis_sync, keys.scheduled(Q)) == {"later": T + 10}
        clock.advance(10)
        await gone(redis_client, keys.scheduled(Q))


async def test_abandoned_task_is_recovered(
    redis_client: AsyncRedis,
    redis_sync: Redis,
    broker: Broker,
    clock: FixedClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """10.6: a lease that ended 29 s ago is left alone; 30 s ago, and the task waits for a retry."""
    await broker.enqueue(a_task())
    await broker.dequeue([Q])
    clock.advance(30 + 29)
    async with serving(redis_client, succeed, clock=clock, **IDLE):
        await there(redis_client, keys.SERVERS)
        # The janitor's work of now shows that the recoverer, which began before it, has passed.
        redis_sync.zadd(keys.completed(Q), {"old": 1})
        await gone(redis_client, keys.completed(Q))
        assert list_of(redis_sync, keys.active(Q)) == ["1"]
        clock.advance(1)
        await there(redis_client, keys.retry(Q))
    assert scores_of(redis_sync, keys.retry(Q)) == {"1": T + 60 + 60}
    assert (message_of(redis_sync).retried, message_of(redis_sync).error_msg) == (
        1,
        "asynq: task lease expired",
    )
    assert counters_of(redis_sync) == (1, 1, 1, 1)
    assert "[Asynq] Task failed" in [record.getMessage() for record in caplog.records]


async def test_abandoned_task_without_retries_is_archived(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """The error handler is not asked; nobody handled it."""
    told: list[Exception] = []

    async def tell(_attempt: Attempt, error: Exception) -> None:
        told.append(error)

    await broker.enqueue(a_task(max_retry=0))
    await broker.dequeue([Q])
    clock.advance(60)
    async with serving(redis_client, succeed, clock=clock, error_handler=tell, **IDLE):
        await there(redis_client, keys.archived(Q))
    assert told == []
    assert message_of(redis_sync).error_msg == "asynq: task lease expired"


async def test_abandonment_may_be_no_failure(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """The predicate is asked about it as about any error."""
    await broker.enqueue(a_task())
    await broker.dequeue([Q])
    clock.advance(60)
    async with serving(redis_client, succeed, clock=clock, is_failure=lambda _error: False, **IDLE):
        await there(redis_client, keys.retry(Q))
    assert message_of(redis_sync).retried == 0
    assert counters_of(redis_sync) == (-1, -1, -1, -1)


async def test_two_servers_recover_a_task_once(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """Who comes second finds nothing, and says nothing."""
    for number in range(50):
        await broker.enqueue(a_task(str(number)))
        await broker.dequeue([Q])
    clock.advance(60)
    async with (
        serving(redis_client, succeed, clock=clock, **IDLE),
        serving(redis_client, succeed, clock=clock, **IDLE),
    ):
        await until(lambda: redis_sync.zcard(keys.retry(Q)) == 50, what="all are recovered")
    assert counters_of(redis_sync) == (50, 50, 50, 50)


async def test_janitor_deletes_what_is_over(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """Kept successes go when their retention has ended; others stay."""
    for task_id, retention in (("short", 10), ("long", 20)):
        await broker.enqueue(a_task(task_id, retention_seconds=retention))
    async with serving(redis_client, succeed, clock=clock):
        await until(lambda: redis_sync.zcard(keys.completed(Q)) == 2, what="both are kept")
        clock.advance(10)
        await gone(redis_client, keys.task(Q, "short"))
        assert scores_of(redis_sync, keys.completed(Q)) == {"long": T + 20}
        clock.advance(10)
        await gone(redis_client, keys.task(Q, "long"), keys.completed(Q))


async def join(group: str, tasks: Sequence[Task]) -> Task | tuple[Task, Options]:
    """Makes one task of many: their payloads side by side."""
    payload = group.encode() + b":" + b"".join(task.payload or b"" for task in tasks)
    return Task("joined", payload), Options(task_id="joined", retention_seconds=60, queue="ignored")


GROUPING: dict[str, Any] = {"group_grace_seconds": 1, "aggregator": join}


async def put_in_group(client: Client, *payloads: bytes, group: str = "g") -> None:
    """Tasks that wait in a group."""
    for payload in payloads:
        await client.enqueue(Task("part", payload), group=group, task_id=f"{group}-{payload.decode()}")


@pytest.mark.parametrize(
    ("limits", "seconds", "payload"),
    [
        ({"group_grace_seconds": 30}, 30, b"g:abc"),
        ({"group_grace_seconds": 60, "group_max_delay_seconds": 20}, 20, b"g:abc"),
        ({"group_grace_seconds": 60, "group_max_size": 3}, 0, b"g:abc"),
        ({"group_grace_seconds": 60, "group_max_size": 2}, 0, b"g:ab"),
    ],
)
async def test_group_becomes_one_task(
    redis_client: AsyncRedis,
    redis_sync: Redis,
    client: Client,
    clock: FixedClock,
    limits: dict[str, float],
    seconds: int,
    payload: bytes,
) -> None:
    """When it is quiet, old, or full; the task enters the queue of the group, its parts are gone."""
    await put_in_group(client, b"a", b"b", b"c")
    config = {"aggregator": join, **limits, **IDLE}
    async with serving(redis_client, succeed, clock=clock, **config) as server:
        clock.advance(seconds)
        # The period of the checks is seven seconds; a test does not wait for it.
        await server._groups.check()
        await there(redis_client, keys.pending(Q))
        await gone(redis_client, keys.aggregation_sets(Q))
    message = message_of(redis_sync, "joined")
    assert (message.type, message.payload, message.queue, message.retention) == ("joined", payload, Q, 60)
    left = len(b"g:abc") - len(payload)
    assert redis_sync.zcard(keys.group(Q, "g")) == left
    assert redis_sync.exists(keys.groups(Q)) == bool(left)
    assert counters_of(redis_sync) == (-1, -1, -1, -1)


async def test_groups_are_checked_by_themselves(redis_client: AsyncRedis, redis_sync: Redis) -> None:
    """With a grace of a second there is a check every second."""
    await put_in_group(Client(redis_client), b"a", b"b")
    async with serving(redis_client, succeed, **GROUPING):
        await there(redis_client, keys.completed(Q))
    assert message_of(redis_sync, "joined").payload == b"g:ab"


async def test_failing_aggregator_loses_nothing(
    redis_client: AsyncRedis,
    redis_sync: Redis,
    client: Client,
    clock: FixedClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The set stays until its deadline; then the recoverer gives the tasks back, and other groups went on."""

    async def sometimes(group: str, tasks: Sequence[Task]) -> Task | tuple[Task, Options]:
        if group == "bad":
            raise RuntimeError("cannot join")
        return await join(group, tasks)

    await put_in_group(client, b"a", group="bad")
    await put_in_group(client, b"b", group="good")
    config = {"aggregator": sometimes, "group_grace_seconds": 60, **IDLE}
    async with serving(redis_client, succeed, clock=clock, **config) as server:
        clock.advance(60)
        await server._groups.check()
        await there(redis_client, keys.task(Q, "joined"))
        assert redis_sync.zcard(keys.aggregation_sets(Q)) == 1
        clock.advance(120)
        await gone(redis_client, keys.aggregation_sets(Q))
    assert redis_sync.zcard(keys.group(Q, "bad")) == 1
    assert "cannot join" in caplog.text


async def test_no_more_than_three_checks_at_once(
    redis_client: AsyncRedis, client: Client, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """An aggregator that takes its time does not pile up passes; the end of the server waits for it."""
    let_go, asked = asyncio.Event(), []

    async def slow(group: str, tasks: Sequence[Task]) -> Task | tuple[Task, Options]:
        asked.append(group)
        await let_go.wait()
        return Task("joined"), Options(task_id=group)

    for number in range(5):
        await put_in_group(client, b"x", group=f"g{number}")
    config = {"aggregator": slow, "group_grace_seconds": 1, **IDLE}
    async with serving(redis_client, succeed, clock=clock, **config) as server:
        clock.advance(1)
        checks = [asyncio.create_task(server._groups.check()) for _ in range(4)]
        await until(lambda: "Too many checks" in caplog.text, what="the fourth is left out")
        assert len(asked) <= 3
        ending = asyncio.create_task(server.shutdown())
        let_go.set()
        await asyncio.gather(ending, *checks)
    assert len(asked) == 5


async def test_a_late_error_is_told(
    redis_client: AsyncRedis, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A check that fails after its caller has gone on is in the log, and not in a traceback at the end."""
    let_go = asyncio.Event()

    class Away(WorkerBroker):
        async def groups(self, queue: str) -> list[str]:
            await let_go.wait()
            raise UnavailableError("Redis is away")

    checks = GroupChecks(
        Away(redis_client, clock, lease_seconds=30, timeout_seconds=10),
        Client(redis_client, clock),
        join,
        ServerConfig(group_grace_seconds=1, aggregator=join),
        clock=clock,
        queues=[Q],
    )
    await checks.check()
    let_go.set()
    await until(lambda: "late check of groups failed" in caplog.text, what="the log tells")
    assert [record.error for record in caplog.records if hasattr(record, "error")] == ["Redis is away"]
    await checks.close(within_seconds=1)


async def test_without_an_aggregator_groups_wait(
    redis_client: AsyncRedis, redis_sync: Redis, client: Client, clock: FixedClock
) -> None:
    """5.1: such a server leaves them to others."""
    await put_in_group(client, b"a")
    clock.advance(1000)
    async with serving(redis_client, succeed, clock=clock):
        redis_sync.zadd(keys.completed(Q), {"old": 1})
        await gone(redis_client, keys.completed(Q))
    assert redis_sync.zcard(keys.group(Q, "g")) == 1


async def test_recoverer_works_beside_busy_slots(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """All slots taken, the tasks of a dead worker come back even so."""
    gate = Gate()
    await broker.enqueue(a_task("abandoned"))
    await broker.dequeue([Q])
    clock.advance(60)
    await broker.enqueue(a_task("busy"))
    async with serving(redis_client, gate, clock=clock, concurrency=1):
        await gate.holds(1)
        await there(redis_client, keys.retry(Q))
        assert hash_of(redis_sync, "abandoned")["state"] == b"retry"
        gate.opened.set()


async def test_one_bad_queue_costs_itself_alone(
    redis_client: AsyncRedis,
    redis_sync: Redis,
    broker: Broker,
    clock: FixedClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A key of the wrong type stops neither the other queues nor the server, and is said."""
    caplog.set_level(logging.WARNING)
    redis_sync.set(keys.scheduled("bad"), "no set")
    redis_sync.set(keys.completed("bad"), "no set")
    await broker.schedule(a_task(queue="good"), process_at=T)
    redis_sync.zadd(keys.completed("good"), {"old": 1})
    async with serving(redis_client, succeed, clock=clock, queues={"bad": 2, "good": 1}):
        await gone(redis_client, keys.task("good", "1"), keys.completed("good"))
    assert "[Asynq] Redis error, trying again" in caplog.text
