"""What a scan asks ahead because the last ones asked it: it saves time and never changes what is found."""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import ResponseError

from asynq_exporter.core import catalog, keys
from asynq_exporter.core.clock import utc_day
from asynq_exporter.scan.scanner import Scanner
from tests.scan.conftest import Scan

if TYPE_CHECKING:
    import redis
    import redis.asyncio

NOW = 1_800_000_000

QUEUES = ("low", "high", "a", "b")

Change = Callable[["redis.Redis", str, str], object]

#: What may happen to a queue between two scans; the last word is the ID of a task.
CHANGES: tuple[Change, ...] = (
    lambda client, q, task: client.lpush(keys.pending(q), task),
    lambda client, q, task: client.hset(keys.task(q, task), "pending_since", (NOW - int(task)) * 10**9),
    lambda client, q, task: client.hdel(keys.task(q, task), "pending_since"),
    lambda client, q, _: client.rpoplpush(keys.pending(q), keys.active(q)),
    lambda client, q, task: client.zadd(keys.lease(q), {task: NOW + 50 - int(task)}),
    lambda client, q, _: client.rpop(keys.active(q)),
    lambda client, q, _: client.delete(keys.lease(q)),
    lambda client, q, task: client.zadd(keys.archived(q), {task: NOW - 100 * int(task)}),
    lambda client, q, _: client.zpopmin(keys.archived(q)),
    lambda client, q, task: client.zadd(keys.scheduled(q), {task: NOW + 50 - int(task)}),
    lambda client, q, _: client.delete(keys.scheduled(q)),
    lambda client, q, task: client.zadd(keys.retry(q), {task: NOW + 20 - int(task)}),
    lambda client, q, task: client.set(keys.processed(q), task),
    lambda client, q, _: client.delete(keys.processed(q)),
    lambda client, q, task: client.set(keys.failed_on(q, utc_day(NOW * 10**9)), task),
    lambda client, q, task: client.delete(keys.active(q)) and client.zadd(keys.active(q), {task: 1}),
    lambda client, q, task: client.delete(keys.archived(q)) and client.set(keys.archived(q), task),
    lambda client, q, _: client.delete(keys.active(q), keys.archived(q)),
)


class StillClock:
    """Time stands."""

    def now_ns(self) -> int:
        """The Unix time in nanoseconds."""
        return NOW * 10**9


def fill(client: "redis.Redis", queue: str) -> None:
    """A queue in which every state holds something that is at rest."""
    client.sadd(keys.QUEUES, queue)
    client.lpush(keys.pending(queue), "p")
    client.hset(keys.task(queue, "p"), "pending_since", (NOW - 60) * 10**9)
    client.lpush(keys.active(queue), "a")
    client.zadd(keys.lease(queue), {"a": 2 * NOW})
    for key in (keys.scheduled(queue), keys.retry(queue), keys.archived(queue)):
        client.zadd(key, {"s": NOW - 60})
    client.set(keys.processed(queue), 1)
    client.set(keys.failed(queue), 1)


async def test_queues_at_rest_take_one_round_trip_after_the_ping(
    redis_sync: "redis.Redis", scan: Scan
) -> None:
    """From the third scan on; with the same commands and the same numbers as in the first one."""
    for queue in QUEUES:
        fill(redis_sync, queue)

    first, _, third, fourth = [await scan() for _ in range(4)]

    assert first.cost.round_trips > third.cost.round_trips == fourth.cost.round_trips == 2
    assert first.cost.commands == third.cost.commands == fourth.cost.commands
    assert first.queues.of("a")["archived"] == fourth.queues.of("a")["archived"] == 1


async def test_a_queue_that_moves_is_not_asked_twice(redis_sync: "redis.Redis", scan: Scan) -> None:
    """The task at its end is another one each time: nothing is asked of the one before."""
    fill(redis_sync, "a")
    costs = []
    for turn in range(4):
        redis_sync.lpush(keys.pending("a"), f"next {turn}")
        redis_sync.hset(keys.task("a", f"next {turn}"), "pending_since", NOW * 10**9)
        redis_sync.rpop(keys.pending("a"))
        costs.append((await scan()).cost.commands)

    assert len(set(costs)) == 1


@pytest.mark.parametrize("seed", range(8))
async def test_it_finds_what_a_fresh_scanner_finds(
    redis_sync: "redis.Redis", redis_client: "redis.asyncio.Redis", seed: int
) -> None:
    """After any change, wrong types among them, and with queues that come and go."""
    dice = random.Random(seed)
    kept = Scanner(redis_client, catalog.documented(), clock=StillClock())
    for queue in QUEUES:
        fill(redis_sync, queue)
    for _ in range(60):
        for _ in range(dice.choice((0, 0, 1, 3))):
            try:
                dice.choice(CHANGES)(redis_sync, dice.choice(QUEUES), str(dice.randrange(100)))
            except ResponseError:
                continue  # the key is of another type by now
        fresh = Scanner(redis_client, catalog.documented(), clock=StillClock())
        found, expected = await kept.scan(timeout_seconds=10), await fresh.scan(timeout_seconds=10)
        await fresh.close()

        assert expected.queues == found.queues
        assert expected.queue_errors == found.queue_errors
    await kept.close()
