"""A server's numbers in the sums of all workers."""

import asyncio
from collections import Counter

import pytest
from redis.asyncio import Redis as AsyncRedis

from asynq_exporter.core import Broker, keys
from asynq_exporter.core.errors import UnavailableError
from asynq_exporter.core.shared_timings import SharedTimings
from asynq_exporter.core.worker import Attempt
from asynq_exporter.core.worker.sharing import Row, Sharing
from asynq_exporter.core.worker.timings import Timings
from tests.core.queue_state import a_task
from tests.core.worker.serving import serving, until


class Lossy(SharedTimings):
    """Sums whose answers get lost when a test says so."""

    def __init__(self, redis: AsyncRedis) -> None:
        super().__init__(redis)
        self.loses_answers = self.is_away = False

    async def add(self, server_id: str, number: int, added: "dict[str, Row]") -> bool:  # type: ignore[override]
        """Adds, and perhaps fails all the same."""
        if self.is_away:
            raise UnavailableError("away")
        done = await super().add(server_id, number, added)
        if self.loses_answers:
            raise UnavailableError("the answer was lost")
        return done


async def test_each_attempt_is_added_once(redis_client: AsyncRedis) -> None:
    """Whether the addition was lost on its way there or on its way back."""
    shared, counted = Lossy(redis_client), Timings()
    sharing = Sharing(shared, counted.read, server_id="s")
    await sharing.share()
    assert not await redis_client.exists(keys.TASK_TIMINGS)
    for turn in range(12):
        counted.ran("t", 0.01, failed=turn % 3 == 0)
        shared.loses_answers, shared.is_away = turn % 4 == 1, turn % 4 == 2
        if shared.loses_answers or shared.is_away:
            with pytest.raises(UnavailableError):
                await sharing.share()
        else:
            await sharing.share()
    await sharing.share()

    found = (await shared.read())["t"]
    assert (8, 4, 12) == (found.succeeded, found.failed, found.duration.count)


async def test_servers_share_when_they_are_told_to(redis_client: AsyncRedis, broker: Broker) -> None:
    """At their heartbeats and once more at the end; what they have shared outlives them."""
    shared = SharedTimings(redis_client)

    async def handle(attempt: Attempt) -> None:
        if attempt.id == "bad":
            raise ValueError("no")

    async def outcomes() -> Counter[str]:
        found = (await shared.read()).get("t")
        return Counter(succeeded=found.succeeded, failed=found.failed) if found else Counter()

    async def are(succeeded: int) -> bool:
        return (await outcomes())["succeeded"] == succeeded

    async with serving(redis_client, handle, share_timings=True):
        await broker.enqueue(a_task("1"))
        await until(lambda: are(1), what="the heartbeat has shared")
        async with serving(redis_client, handle, share_timings=True, heartbeat_seconds=20):
            await broker.enqueue(a_task("2"))
            await broker.enqueue(a_task("bad"))
            await asyncio.gather(
                until(lambda: redis_client.zcard(keys.retry("default")), what="one has failed"),
                until(lambda: _is_gone(redis_client, "2"), what="one is done"),
            )
    assert Counter(succeeded=2, failed=1) == await outcomes()


async def _is_gone(redis: AsyncRedis, task_id: str) -> bool:
    return not await redis.exists(keys.task("default", task_id))


async def test_servers_share_nothing_unasked(redis_client: AsyncRedis, broker: Broker) -> None:
    """It is the user's Redis."""

    async def handle(_attempt: Attempt) -> None:
        return

    await broker.enqueue(a_task("1"))
    async with serving(redis_client, handle):
        await until(lambda: _is_gone(redis_client, "1"), what="it is done")
    assert not await redis_client.exists(keys.TASK_TIMINGS)
