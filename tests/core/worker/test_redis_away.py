"""Redis restarted, frozen or away under a server: it goes on, nothing is lost, and the log says it."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from asynq_exporter.core import Client, FixedClock, NotFoundError, Task, UnavailableError, keys
from asynq_exporter.core.errors import AsynqError, InvalidArgumentError
from asynq_exporter.core.worker import Attempt
from asynq_exporter.core.worker.leases import Lease
from asynq_exporter.core.worker.outage import Outage
from asynq_exporter.core.worker.syncer import Syncer, Write
from tests.conftest import RedisServer, start_redis
from tests.core.queue_state import Q, T
from tests.core.worker.serving import Gate, gone, serving, there, until

#: Lost answers are recovered in about a second.
SHORT: dict[str, Any] = {"lease_seconds": 1.0, "recover_grace_seconds": 0.0, "retry_delay": lambda *_all: 0.0}


@pytest.fixture
def durable_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A redis-server that keeps its data over a restart."""
    server = start_redis(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    yield server
    server.kill()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says, without repetitions of the same part."""
    return [record.getMessage() for record in caplog.records]


async def test_restarts_lose_nothing(durable_redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """Killed twice while tasks are taken and ended: every task is done in the end, none is left active."""
    caplog.set_level(logging.INFO)
    number, done = 300, set[str]()

    async def work(attempt: Attempt) -> None:
        await asyncio.sleep(0.005)
        done.add(attempt.id)

    def has(part: int) -> bool:
        return len(done) >= part

    redis = durable_redis.async_client()
    client = Client(redis)
    await client.enqueue_many([(Task("t"), {"task_id": str(i), "max_retry": 100}) for i in range(number)])
    async with serving(redis, work, **SHORT):
        for part in (number // 3, 2 * number // 3):
            await until(partial(has, part), what=f"{part} tasks are done")
            durable_redis.kill()
            await until(lambda: "[Asynq] Redis error, trying again" in lines(caplog), what="it is said")
            await asyncio.to_thread(durable_redis.start_again)
            await until(lambda: "[Asynq] Redis answers again" in lines(caplog), what="so is this")
            caplog.clear()
        await until(lambda: len(done) == number, what="all are done")
        await gone(redis, keys.active(Q), keys.lease(Q), keys.retry(Q), keys.pending(Q), keys.scheduled(Q))
    names = cast("list[bytes]", await redis.keys("asynq:*"))
    assert sorted(name.decode() for name in names if b"processed" not in name and b"failed" not in name) == [
        keys.QUEUES
    ]
    await redis.aclose()


async def test_frozen_redis_is_waited_for(own_redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """A task that ends meanwhile is written when Redis moves again, once."""
    gate = Gate()
    redis = own_redis.async_client()
    await Client(redis).enqueue(Task("t"), task_id="1")
    async with serving(redis, gate, redis_timeout_seconds=0.1) as server:
        await gate.holds(1)
        own_redis.hang()
        gate.opened.set()
        await until(lambda: "[Asynq] Could not write, will try again" in lines(caplog), what="it is said")
        assert server.active_tasks == 0
        own_redis.resume()
        await gone(redis, keys.task(Q, "1"))
    with own_redis.client() as plain:
        assert plain.get(keys.processed(Q)) == b"1"
        assert plain.exists(keys.active(Q), keys.lease(Q)) == 0
    await redis.aclose()


async def test_server_starts_before_redis(own_redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """It says that polling began when it did, and works."""
    caplog.set_level(logging.INFO)
    ready = "[Asynq] Polling system initialized successfully"
    own_redis.kill()
    redis = own_redis.async_client()
    gate = Gate()
    gate.opened.set()
    async with serving(redis, gate) as server:
        await until(lambda: "[Asynq] Redis error, trying again" in lines(caplog), what="it is said")
        assert ready not in lines(caplog)
        await asyncio.to_thread(own_redis.start_again)
        await until(lambda: ready in lines(caplog), what="polling began")
        await Client(redis).enqueue(Task("t"), task_id="1")
        await gate.holds(1)
        # Cancelations are heard too, on a connection of their own.
        await until(server._subscriber.listening.is_set, what="it listens")
    await redis.aclose()


async def test_shutdown_without_redis_ends(own_redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """Frozen or gone, Redis does not hold up the end; the task is left to the recoverer."""
    gate = Gate()
    redis = own_redis.async_client()
    await Client(redis).enqueue(Task("t"), task_id="1")
    async with serving(redis, gate, shutdown_seconds=0.05, redis_timeout_seconds=0.1) as server:
        await gate.holds(1)
        own_redis.hang()
        await asyncio.wait_for(server.shutdown(), 10)
        own_redis.resume()
    assert "[Asynq] Redis was away at the end" in lines(caplog)
    await redis.aclose()


async def test_frozen_redis_holds_up_no_part(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Groups that are being looked at, and a health check, do not keep the server from its end either."""
    told: list[AsynqError | None] = []

    async def tell(error: AsynqError | None) -> None:
        told.append(error)

    async def join(_group: str, tasks: Sequence[Task]) -> Task:
        return tasks[0]

    # Without a time of its own in the client.
    redis = own_redis.async_client(socket_timeout=None)
    config: dict[str, Any] = {"aggregator": join, "group_grace_seconds": 1, "health_check": tell}
    async with serving(redis, Gate(), redis_timeout_seconds=0.2, **config) as server:
        await until(lambda: told, what="Redis was looked at")
        own_redis.hang()
        await until(lambda: told[-1], what="it is told")
        await until(lambda: server._groups._passes, what="groups are looked at")
        await asyncio.wait_for(server.shutdown(), 20)
        own_redis.resume()
    assert isinstance(told[-1], UnavailableError)
    assert "[Asynq] Redis was away at the end" in lines(caplog)
    await redis.aclose()


async def test_cancelations_are_heard_after_a_restart(durable_redis: RedisServer) -> None:
    """The subscription comes back with the connection."""
    gate = Gate()
    redis = durable_redis.async_client()
    await Client(redis).enqueue(Task("t"), task_id="1")
    async with serving(redis, gate) as server:
        await gate.holds(1)
        await until(server._subscriber.listening.is_set, what="it listens")
        durable_redis.kill()
        await until(lambda: not server._subscriber.listening.is_set(), what="it listens no more")
        await asyncio.to_thread(durable_redis.start_again)
        await until(lambda: redis.publish(keys.CANCEL_CHANNEL, "1"), what="somebody hears")
        await there(redis, keys.retry(Q))
    await redis.aclose()


# ---- the parts ------------------------------------------------------------------------------------------


class Flaky:
    """A write that fails a few times."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> None:
        """Raises the next error, if there is one left."""
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)


def write(make: Flaky, *, expires_at: float = T + 30) -> Write:
    """A write about a task under a lease."""
    return Write(ending="done", queue=Q, task_id="1", lease=Lease(expires_at), make=make)


AWAY = UnavailableError("away")


async def test_syncer_tries_until_it_is_written(clock: FixedClock) -> None:
    """Each try is a new one, and what is written leaves the backlog."""
    syncer, make = Syncer(clock), Flaky(AWAY, AWAY)
    assert await syncer.write(write(make))
    assert len(syncer) == 1
    with pytest.raises(UnavailableError):
        await syncer.retry_all()
    await syncer.retry_all()
    await syncer.retry_all()
    assert (len(syncer), make.calls) == (0, 3)


async def test_syncer_gives_up_with_the_lease(clock: FixedClock) -> None:
    """After it the task may be somebody else's."""
    syncer, make = Syncer(clock), Flaky(AWAY, AWAY, AWAY)
    await syncer.write(write(make))
    clock.advance(31)
    await syncer.retry_all()
    assert (len(syncer), make.calls) == (0, 1)


@pytest.mark.parametrize("error", [NotFoundError("gone"), InvalidArgumentError("never")])
async def test_syncer_does_not_repeat_what_cannot_help(clock: FixedClock, error: Exception) -> None:
    """A task that is not there any more, or was written by a try whose answer got lost."""
    syncer, make = Syncer(clock), Flaky(error)
    assert not await syncer.write(write(make))
    assert len(syncer) == 0


async def test_syncer_writes_nothing_after_the_lease(clock: FixedClock) -> None:
    """Not even once."""
    syncer, make = Syncer(clock), Flaky()
    assert not await syncer.write(write(make, expires_at=T - 1))
    assert make.calls == 0
    assert await syncer.write(write(make, expires_at=T))


def test_outage_is_said_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """One line in three seconds, which counts the others; and one at the end."""
    caplog.set_level(logging.INFO)
    now = [0.0]
    outage = Outage(monotonic=lambda: now[0])
    outage.answered()
    for tenths in range(50):
        now[0] = tenths / 10
        outage.failed("processor", AWAY)
    outage.answered()
    outage.answered()
    assert [(r.getMessage(), getattr(r, "unsaid", None)) for r in caplog.records] == [
        ("[Asynq] Redis error, trying again", 0),
        ("[Asynq] Redis error, trying again", 29),
        ("[Asynq] Redis answers again", None),
    ]
