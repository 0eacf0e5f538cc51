"""The upkeep of queues: wire sections 3.14, 3.15, 3.28."""

import pytest
from redis import Redis

from asynq_exporter.core import Broker, FixedClock, keys
from asynq_exporter.core.errors import FailedPreconditionError
from tests.core.queue_state import Q, T, a_task, everything, hash_of, list_of, scores_of


async def test_forward_moves_what_is_due_in_order(
    broker: Broker, clock: FixedClock, redis_sync: Redis
) -> None:
    """3.14: scheduled before retry, earliest first, from the second it is due."""
    await broker.schedule(a_task("s2"), process_at=T + 2)
    await broker.schedule(a_task("s1"), process_at=T + 1)
    await broker.schedule(a_task("s3"), process_at=T + 3)
    await broker.enqueue(a_task("r"))
    delivery = await broker.dequeue([Q])
    assert delivery is not None
    await broker.retry(delivery.message, retry_at=T, error="boom")
    clock.advance(2.9)
    assert await broker.forward([Q, "empty"]) == 3
    assert list_of(redis_sync, keys.pending(Q)) == ["r", "s2", "s1"]
    assert scores_of(redis_sync, keys.scheduled(Q)) == {"s3": T + 3}
    assert redis_sync.exists(keys.retry(Q)) == 0
    assert hash_of(redis_sync, "s1")["pending_since"] == b"%d" % (T * 10**9 + 2_900_000_000)


async def test_forward_goes_on_beyond_a_batch(broker: Broker, redis_sync: Redis) -> None:
    """3.14: 100 at a time, until nothing is due."""
    for i in range(205):
        await broker.schedule(a_task(str(i)), process_at=T)
    assert await broker.forward([Q]) == 205
    assert redis_sync.llen(keys.pending(Q)) == 205


async def test_forward_returns_a_retried_task_to_its_group(broker: Broker, redis_sync: Redis) -> None:
    """3.14, traps 10 and 11: the field of the hash decides, and the group is not listed."""
    redis_sync.zadd(keys.retry(Q), {"1": T - 9})
    redis_sync.hset(keys.task(Q, "1"), mapping={"msg": b"", "state": "retry", "group": "a:b"})
    assert await broker.forward([Q]) == 1
    assert scores_of(redis_sync, keys.group(Q, "a:b")) == {"1": T}
    assert hash_of(redis_sync) == {"msg": b"", "state": b"aggregating", "group": b"a:b"}
    assert redis_sync.exists(keys.groups(Q), keys.pending(Q), keys.retry(Q)) == 0


async def test_scheduled_task_with_group_is_never_aggregated(
    broker: Broker, clock: FixedClock, redis_sync: Redis
) -> None:
    """6.2, trap 19: its group is in the message only, so it becomes pending."""
    await broker.schedule(a_task(group="g"), process_at=T + 1)
    clock.advance(1)
    await broker.forward([Q])
    assert list_of(redis_sync, keys.pending(Q)) == ["1"]


async def test_forward_makes_ghosts(broker: Broker, redis_sync: Redis) -> None:
    """3.14, trap 12: an ID without a hash gets one with state and time."""
    redis_sync.zadd(keys.scheduled(Q), {"ghost": T})
    assert await broker.forward([Q]) == 1
    assert hash_of(redis_sync, "ghost").keys() == {"state", "pending_since"}


async def test_expired_successes_are_deleted(broker: Broker, clock: FixedClock, redis_sync: Redis) -> None:
    """3.15: in batches until none is left, from the second their time is over; locks stay."""
    ids = [str(i) for i in range(7)]
    for i in ids:
        redis_sync.hset(keys.task(Q, i), "state", "completed")
    redis_sync.zadd(keys.completed(Q), dict.fromkeys(ids, T + 10) | {"6": T + 11})
    redis_sync.set("lock", "0")
    assert await broker.delete_expired_completed(Q) == 0
    clock.advance(10)
    assert await broker.delete_expired_completed(Q, batch_size=4) == 6
    assert everything(redis_sync).keys() == {keys.completed(Q), keys.task(Q, "6"), "lock"}


async def test_pause_and_unpause_each_work_once(broker: Broker, redis_sync: Redis) -> None:
    """3.28: the flag says since when; the second of each is refused; the queue need not exist."""
    await broker.pause(Q)
    assert redis_sync.get(keys.paused(Q)) == b"%d" % T
    assert redis_sync.ttl(keys.paused(Q)) == -1
    with pytest.raises(FailedPreconditionError, match="already paused"):
        await broker.pause(Q)
    await broker.unpause(Q)
    assert redis_sync.exists(keys.paused(Q)) == 0
    with pytest.raises(FailedPreconditionError, match="not paused"):
        await broker.unpause(Q)


async def test_paused_queue_still_grows_and_forwards(broker: Broker, redis_sync: Redis) -> None:
    """Trap 18: pausing stops nothing but dequeue."""
    await broker.pause(Q)
    await broker.enqueue(a_task("1"))
    await broker.schedule(a_task("2"), process_at=T)
    assert await broker.forward([Q]) == 1
    assert list_of(redis_sync, keys.pending(Q)) == ["2", "1"]
