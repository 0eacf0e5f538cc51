"""Scripts that are asked for at the same time go to Redis in one round trip."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from asynq_exporter.core import Client, FixedClock, Task, keys
from asynq_exporter.core.errors import InternalError, NotFoundError, TaskIdConflictError, UnavailableError
from asynq_exporter.core.messages import TaskInfo
from asynq_exporter.core.scripts import all_scripts
from asynq_exporter.core.scripts.gathering import BATCH_SIZE
from asynq_exporter.core.scripts.round_trips import RoundTrips, Words
from asynq_exporter.core.worker.broker import WorkerBroker
from tests.conftest import RedisServer
from tests.core.queue_state import Q, T, a_task, hash_of, list_of, scores_of


@pytest.fixture
def gathering(redis_client: AsyncRedis, clock: FixedClock) -> WorkerBroker:
    """A broker for many callers."""
    return WorkerBroker(redis_client, clock, lease_seconds=12, timeout_seconds=5)


async def test_many_callers_share_a_round_trip(
    redis_client: AsyncRedis, redis_sync: Redis, gathering: WorkerBroker
) -> None:
    """Each gets the reply to its own call, in one batch after another."""
    number = 2 * BATCH_SIZE + 50
    for i in range(number):
        await gathering.enqueue(a_task(str(i)))
    connections = redis_sync.info("stats")["total_connections_received"]
    taken = await asyncio.gather(*(gathering.take([Q]) for _ in range(number)))
    assert [found.message.id for found in taken if found] == [str(i) for i in range(number)]
    await asyncio.gather(*(gathering.done(found.message) for found in taken if found))
    assert redis_sync.info("stats")["total_connections_received"] - connections <= 2
    assert redis_sync.get(keys.processed(Q)) == str(number).encode()


async def test_whoever_asks_a_moment_later_comes_along(
    gathering: WorkerBroker, redis_client: AsyncRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a task and the question for the next, for which it made room, are one round trip."""
    await gathering.enqueue(a_task("1"))
    await gathering.enqueue(a_task("2"))
    found = await gathering.take([Q])
    assert found is not None
    await redis_client.script_load(all_scripts()["done"].source)
    names = {script.sha: script.name for script in all_scripts().values()}
    exchange, trips = RoundTrips.exchange, list[list[str]]()

    async def note(self: RoundTrips, commands: Sequence[Words]) -> list[Any]:
        trips.append([names[str(words[1])] for words in commands])
        return await exchange(self, commands)

    async def take_later() -> None:
        await asyncio.sleep(0)
        assert await gathering.take([Q]) is not None

    monkeypatch.setattr(RoundTrips, "exchange", note)
    await asyncio.gather(gathering.done(found.message), take_later())
    assert trips == [["done", "dequeue_timed"]]


async def test_callers_of_a_client_share_a_round_trip(redis_client: AsyncRedis, redis_sync: Redis) -> None:
    """Each is told of its own task; the queue is registered once for all of a batch."""
    client = Client(redis_client)
    await client.enqueue(Task("t"), task_id="0")
    redis_sync.config_resetstat()
    outcomes = await asyncio.gather(
        *(client.enqueue(Task("t"), task_id=str(i)) for i in range(50)), return_exceptions=True
    )
    assert redis_sync.info("stats")["total_reads_processed"] < 25
    assert redis_sync.info("commandstats")["cmdstat_sadd"]["calls"] < 5
    assert isinstance(outcomes[0], TaskIdConflictError)
    assert [info.id for info in outcomes if isinstance(info, TaskInfo)] == [str(i) for i in range(1, 50)]
    assert len(list_of(redis_sync, keys.pending(Q))) == 50


async def test_registration_that_fails_is_told(redis_client: AsyncRedis, redis_sync: Redis) -> None:
    """To everybody in the batch."""
    redis_sync.set(keys.QUEUES, "no set")
    client = Client(redis_client)
    outcomes = await asyncio.gather(*(client.enqueue(Task("t")) for _ in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [InternalError] * 3


async def test_error_of_one_is_not_that_of_others(gathering: WorkerBroker, redis_sync: Redis) -> None:
    """A call that fails raises for its own caller."""
    await gathering.enqueue(a_task("1"))
    found = await gathering.take([Q])
    assert found is not None
    results = await asyncio.gather(
        gathering.done(a_task("nobody")), gathering.done(found.message), return_exceptions=True
    )
    assert isinstance(results[0], NotFoundError)
    assert results[1] is None
    assert hash_of(redis_sync) == {}


async def test_scripts_are_sent_again_to_a_server_that_forgot(
    gathering: WorkerBroker, redis_sync: Redis
) -> None:
    """After a restart or a failover nobody waits for ever."""
    await gathering.enqueue(a_task("1"))
    assert await gathering.take([Q]) is not None
    redis_sync.script_flush()
    await gathering.enqueue(a_task("2"))
    found = await gathering.take([Q])
    assert found is not None
    redis_sync.script_flush()
    await asyncio.gather(gathering.done(found.message), gathering.requeue(a_task("1")))
    assert list_of(redis_sync, keys.pending(Q)) == ["1"]


async def test_take_names_lease_and_waiting_time(
    gathering: WorkerBroker, redis_sync: Redis, clock: FixedClock
) -> None:
    """As dequeue does, with a lease of the chosen length; a task may not say since when it waited."""
    await gathering.enqueue(a_task("1"))
    redis_sync.lpush(keys.pending(Q), "2")
    redis_sync.hset(keys.task(Q, "2"), mapping={"msg": a_task("2").SerializeToString(), "state": "pending"})
    clock.advance(0.5)
    first, second = await gathering.take(["empty", Q]), await gathering.take([Q])
    assert first is not None
    assert second is not None
    assert (first.lease_expires_at, first.pending_since_ns) == (T + 12.5, T * 10**9)
    assert second.pending_since_ns is None
    assert scores_of(redis_sync, keys.lease(Q)) == {"1": T + 12, "2": T + 12}
    assert hash_of(redis_sync)["state"] == b"active"
    assert "pending_since" not in hash_of(redis_sync)
    assert await gathering.take([Q]) is None


async def test_paused_queue_hands_out_nothing(gathering: WorkerBroker, redis_sync: Redis) -> None:
    """3.8, 10.6: the list stays as it was."""
    await gathering.enqueue(a_task("1"))
    await gathering.pause(Q)
    assert await gathering.take([Q]) is None
    assert list_of(redis_sync, keys.pending(Q)) == ["1"]


async def test_names_of_groups_that_are_no_text_are_left_out(
    gathering: WorkerBroker, redis_sync: Redis
) -> None:
    """We could not ask for them; the others are aggregated."""
    redis_sync.sadd(keys.groups(Q), "g:1 é", b"\xff")
    assert await gathering.groups(Q) == ["g:1 é"]


async def test_redis_that_hangs_is_not_waited_for(own_redis: RedisServer, clock: FixedClock) -> None:
    """All callers hear of it after the time for a round trip, and the next one works."""
    redis = own_redis.async_client()
    broker = WorkerBroker(redis, clock, lease_seconds=30, timeout_seconds=0.2)
    await broker.enqueue(a_task())
    own_redis.hang()
    results = await asyncio.gather(*(broker.take([Q]) for _ in range(3)), return_exceptions=True)
    own_redis.resume()
    assert [type(result) for result in results] == [UnavailableError] * 3
    await broker.forward([Q])
    await redis.aclose()


async def test_caller_that_gives_up_costs_nobody_else(gathering: WorkerBroker) -> None:
    """Its call is made, the reply is for nobody."""
    await gathering.enqueue(a_task("1"))
    await gathering.enqueue(a_task("2"))
    impatient = asyncio.create_task(gathering.take([Q]))
    patient = asyncio.create_task(gathering.take([Q]))
    await asyncio.sleep(0)
    impatient.cancel()
    found = await patient
    assert found is not None
    assert found.message.id == "2"
