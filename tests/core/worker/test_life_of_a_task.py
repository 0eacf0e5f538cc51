"""What a server does with a task: wire section 5.4, on a real Redis."""

import asyncio
import logging
from functools import partial
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from asynq_exporter.core import Broker, Client, FixedClock, Task, keys
from asynq_exporter.core.worker import (
    Attempt,
    AttemptOverError,
    Handler,
    PanicError,
    RevokeTaskError,
    SkipRetryError,
)
from tests.core.queue_state import (
    Q,
    T,
    a_task,
    counters_of,
    hash_of,
    list_of,
    message_of,
    scores_of,
)
from tests.core.worker.serving import Gate, fail_with, gone, serving, succeed, there, until

LOCK = keys.unique(Q, "t", None)


def messages_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of the log so far."""
    return [record.getMessage() for record in caplog.records]


async def test_success_deletes_the_task(
    redis_client: AsyncRedis,
    redis_sync: Redis,
    broker: Broker,
    clock: FixedClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without retention nothing is left but the counters, and the line of the guide."""
    caplog.set_level(logging.INFO)
    await broker.enqueue_unique(a_task(unique_key=LOCK), ttl_seconds=100)
    async with serving(redis_client, succeed, clock=clock):
        await gone(redis_client, keys.task(Q, "1"))
        await until(lambda: "[Asynq] Task completed" in messages_of(caplog), what="the line is there")
    assert counters_of(redis_sync) == (1, -1, 1, -1)
    assert redis_sync.exists(keys.active(Q), keys.lease(Q), LOCK) == 0


async def test_success_is_kept_for_its_retention(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """The record says when it ended, and what the handler wrote."""

    async def answer(attempt: Attempt) -> None:
        assert await attempt.write_result(b"first") == 5
        await attempt.write_result(b"second")

    await broker.enqueue(a_task(retention_seconds=3600))
    async with serving(redis_client, answer, clock=clock):
        await there(redis_client, keys.completed(Q))
    assert scores_of(redis_sync, keys.completed(Q)) == {"1": T + 3600}
    assert hash_of(redis_sync)["result"] == b"second"
    assert message_of(redis_sync).completed_at == T


async def test_handler_sees_what_the_task_says(redis_client: AsyncRedis, client: Client) -> None:
    """Type, payload, headers, ID, queue, retries and deadline."""
    gate = Gate()
    await client.enqueue(
        Task("mail:send", b"\x00x", {"trace": "1"}), task_id="id", timeout_seconds=60, max_retry=7
    )
    async with serving(redis_client, gate):
        await gate.holds(1)
        [attempt] = gate.entered
        assert (attempt.type, attempt.payload, attempt.headers) == ("mail:send", b"\x00x", {"trace": "1"})
        assert (attempt.id, attempt.queue, attempt.retried, attempt.max_retry) == ("id", Q, 0, 7)
        assert 50 < attempt.remaining_seconds() <= 60
        gate.opened.set()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RuntimeError("boom"), "boom"),
        (RuntimeError("caf\udce9"), "caf\N{REPLACEMENT CHARACTER}"),
        (asyncio.CancelledError(), "context canceled"),
    ],
)
async def test_error_is_retried(
    redis_client: AsyncRedis,
    redis_sync: Redis,
    broker: Broker,
    clock: FixedClock,
    caplog: pytest.LogCaptureFixture,
    error: BaseException,
    text: str,
) -> None:
    """The attempt counts, the text stays with the task, and the log has the guide's line."""
    asked: list[tuple[int, str]] = []

    def delay(retried: int, caught: Exception, task: Task) -> float:
        asked.append((retried, task.type))
        return 90.7

    await broker.enqueue(a_task())
    async with serving(redis_client, fail_with(error), clock=clock, retry_delay=delay):
        await there(redis_client, keys.retry(Q))
        await until(lambda: "[Asynq] Task failed" in messages_of(caplog), what="the line is there")
    message = message_of(redis_sync)
    assert scores_of(redis_sync, keys.retry(Q)) == {"1": T + 90}
    assert (message.retried, message.error_msg, message.last_failed_at) == (1, text, T)
    assert counters_of(redis_sync) == (1, 1, 1, 1)
    assert asked == [(0, "t")]


async def test_exhausted_retries_are_archived(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """Even where the error is no failure, and then it counts as one."""
    await broker.enqueue(a_task(max_retry=0))
    async with serving(
        redis_client, fail_with(RuntimeError("boom")), clock=clock, is_failure=lambda _: False
    ):
        await there(redis_client, keys.archived(Q))
    assert message_of(redis_sync).retried == 0
    assert counters_of(redis_sync) == (1, 1, 1, 1)


async def test_no_failure_counts_nowhere(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """A predicate that says so leaves retries and counters alone; error and moment are noted."""
    await broker.enqueue(a_task())
    async with serving(
        redis_client, fail_with(RuntimeError("later")), clock=clock, is_failure=lambda _: False
    ):
        await there(redis_client, keys.retry(Q))
    message = message_of(redis_sync)
    assert (message.retried, message.error_msg, message.last_failed_at) == (0, "later", T)
    assert counters_of(redis_sync) == (-1, -1, -1, -1)


async def test_skipped_retry_is_archived(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """An error that SkipRetry caused ends the retries, and keeps its own text."""

    async def skip(_attempt: Attempt) -> None:
        raise ValueError("hopeless") from SkipRetryError()

    await broker.enqueue(a_task())
    async with serving(redis_client, skip, clock=clock):
        await there(redis_client, keys.archived(Q))
    assert message_of(redis_sync).error_msg == "hopeless"


async def test_revoked_task_is_done(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """It counts as processed and not as failed, frees its lock, and is not kept."""
    await broker.enqueue_unique(a_task(unique_key=LOCK, retention_seconds=60), ttl_seconds=100)
    async with serving(redis_client, fail_with(RevokeTaskError()), clock=clock):
        await gone(redis_client, keys.task(Q, "1"))
    assert counters_of(redis_sync) == (1, -1, 1, -1)
    assert redis_sync.exists(LOCK, keys.completed(Q)) == 0


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), KeyError("user")])
async def test_panic_costs_one_attempt(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock, error: BaseException
) -> None:
    """A handler that would end the process, or errs, fails its task; the server takes the next one."""
    told: list[Exception] = []

    async def tell(_attempt: Attempt, caught: Exception) -> None:
        told.append(caught)

    await broker.enqueue(a_task())
    await broker.enqueue(a_task("2"))
    async with serving(redis_client, fail_with(error), clock=clock, concurrency=1, error_handler=tell):
        await until(lambda: redis_sync.zcard(keys.retry(Q)) == 2, what="both failed")
    assert "panic error cause by: panic [" in message_of(redis_sync).error_msg
    assert type(error).__name__ in message_of(redis_sync).error_msg
    assert all(isinstance(caught, PanicError) for caught in told)


async def test_timeout_is_a_failure(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, client: Client
) -> None:
    """The handler is told to stop, and the task goes on with Go's text."""
    gate = Gate()
    await Client(redis_client).enqueue(Task("t"), task_id="1", timeout_seconds=1)
    async with serving(redis_client, gate):
        await there(redis_client, keys.retry(Q))
        assert [attempt.id for attempt in gate.canceled] == ["1"]
    assert message_of(redis_sync).error_msg == "context deadline exceeded"


async def test_stubborn_handler_holds_no_slot(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """What a handler does after its attempt is over is ignored: result, error, and time."""
    go_on, late = asyncio.Event(), []

    async def stubborn(attempt: Attempt) -> None:
        if attempt.id == "2":
            return
        try:
            await go_on.wait()
        except asyncio.CancelledError:
            await go_on.wait()
        try:
            await attempt.write_result(b"late")
        except AttemptOverError as exc:
            late.append(exc)
        raise RuntimeError("late too")

    client = Client(redis_client)
    await client.enqueue(Task("t"), task_id="1", timeout_seconds=1)
    await client.enqueue(Task("t"), task_id="2")
    async with serving(redis_client, stubborn, concurrency=1):
        await gone(redis_client, keys.task(Q, "2"))
        go_on.set()
        await until(lambda: late, what="the first handler ends")
    assert message_of(redis_sync).error_msg == "context deadline exceeded"
    assert "result" not in hash_of(redis_sync)


async def test_task_past_its_deadline_is_not_begun(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """The handler never sees it."""
    gate = Gate()
    await broker.enqueue(a_task(deadline=T - 1))
    async with serving(redis_client, gate, clock=clock):
        await there(redis_client, keys.retry(Q))
    assert gate.entered == []
    assert message_of(redis_sync).error_msg == "context deadline exceeded"


async def test_cancelation_by_message(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """Whoever publishes the ID ends the attempt; other tasks go on."""
    gate = Gate()
    for task_id in ("1", "2"):
        await broker.enqueue(a_task(task_id))
    async with serving(redis_client, gate, clock=clock):
        await gate.holds(2)
        await until(lambda: redis_client.publish(keys.CANCEL_CHANNEL, "1"), what="the server hears")
        await there(redis_client, keys.retry(Q))
        assert list_of(redis_sync, keys.active(Q)) == ["2"]
        gate.opened.set()
    assert message_of(redis_sync).error_msg == "context canceled"


async def test_lost_lease_writes_nothing(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """The attempt ends, the error handler hears of it, and the task is left to the recoverer."""
    told: list[str] = []

    async def tell(_attempt: Attempt, error: Exception) -> None:
        told.append(str(error))

    gate = Gate()
    await broker.enqueue(a_task())
    async with serving(redis_client, gate, clock=clock, error_handler=tell) as server:
        await gate.holds(1)
        clock.advance(31)
        await until(lambda: not server.active_tasks, what="the attempt is over")
        assert hash_of(redis_sync)["state"] == b"active"
        assert list_of(redis_sync, keys.active(Q)) == ["1"]
        assert scores_of(redis_sync, keys.lease(Q))["1"] <= T + 30
    assert told == ["asynq: task lease expired"]
    assert gate.canceled


async def test_late_success_writes_nothing(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """A handler that ends after its lease, before anybody noticed, must not touch a task of others."""
    gate = Gate()
    await broker.enqueue(a_task())
    async with serving(redis_client, gate, clock=clock, heartbeat_seconds=29) as server:
        await gate.holds(1)
        clock.advance(31)
        gate.opened.set()
        await until(lambda: not server.active_tasks, what="the attempt is over")
    assert hash_of(redis_sync)["state"] == b"active"


@pytest.mark.parametrize(
    "broken",
    [
        {"error_handler": fail_with(RuntimeError("in the error handler"))},
        {"retry_delay": lambda *_all: 1 / 0},
        {"is_failure": lambda _error: 1 / 0},
    ],
)
async def test_users_functions_may_fail(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock, broken: dict[str, Any]
) -> None:
    """The task is retried even so, with what asynq would do."""

    async def tell(attempt: Attempt, _error: Exception) -> None:
        handler: Handler = broken["error_handler"]
        await handler(attempt)

    config = {"error_handler": tell} if "error_handler" in broken else broken
    await broker.enqueue(a_task())
    async with serving(redis_client, fail_with(RuntimeError("boom")), clock=clock, **config):
        await there(redis_client, keys.retry(Q))
    assert scores_of(redis_sync, keys.retry(Q))["1"] >= T + 15
    assert message_of(redis_sync).retried == 1


async def test_unreadable_task_stops_nobody(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """Bytes that are no message stay active, and the next task is taken."""
    redis_sync.lpush(keys.pending(Q), "bad", "ghost")
    redis_sync.hset(keys.task(Q, "bad"), mapping={"msg": b"\xff", "state": "pending"})
    await broker.enqueue(a_task())
    async with serving(redis_client, succeed, clock=clock):
        await gone(redis_client, keys.task(Q, "1"))
    assert list_of(redis_sync, keys.active(Q)) == ["ghost", "bad"]


async def test_equal_ids_in_two_queues(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """Both run, and both keep their leases; asynq would extend one (trap 24)."""

    def is_extended(name: str) -> bool:
        return scores_of(redis_sync, name) == {"1": T + 50}

    gate = Gate()
    for queue in ("a", "b"):
        await broker.enqueue(a_task(queue=queue))
    async with serving(redis_client, gate, clock=clock, queues={"a": 1, "b": 1}):
        await gate.holds(2)
        clock.advance(20)
        for name in (keys.lease("a"), keys.lease("b")):
            await until(partial(is_extended, name), what=f"{name} is extended")
        gate.opened.set()


async def test_durations_and_waits_are_counted(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """By type: from pending to taken, and from taken to over."""
    await broker.enqueue(a_task())
    clock.advance(42)
    async with serving(redis_client, succeed, clock=clock) as server:
        await until(server.timings, what="it is counted")
        await gone(redis_client, keys.task(Q, "1"))
    found = server.timings()["t"]
    assert (found.wait.count, found.wait.sum_seconds) == (1, 42.0)
    assert (found.duration.count, found.succeeded, found.failed) == (1, 1, 0)
