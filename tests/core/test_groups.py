"""Aggregation: wire sections 3.18-3.21."""

import pytest
from redis import Redis

from asynq_exporter.core import Broker, CorruptMessageError, FixedClock, NotFoundError, keys
from asynq_exporter.core.messages import TaskMessage
from tests.core.queue_state import Q, T, a_task, everything, hash_of, scores_of

G = "g:1"
GROUP = keys.group(Q, G)


async def fill(broker: Broker, clock: FixedClock, count: int, *, every: float = 1) -> None:
    """Tasks 0, 1, ... that join the group one after another; the clock ends at the last."""
    for i in range(count):
        if i:
            clock.advance(every)
        await broker.add_to_group(a_task(str(i), group=G))


async def test_empty_group_waits(broker: Broker, redis_sync: Redis) -> None:
    """Step 1: nothing to take; a name left over is not cleaned up."""
    redis_sync.sadd(keys.groups(Q), G)
    assert await broker.aggregation_check(Q, G, max_size=1) is None
    assert redis_sync.smembers(keys.groups(Q)) == {G.encode()}


@pytest.mark.parametrize(
    ("count", "max_size", "taken", "listed"),
    [(2, 3, None, True), (3, 3, 3, False), (5, 3, 3, True)],
    ids=["not full", "just full", "more than full"],
)
async def test_full_group_gives_its_oldest(
    broker: Broker,
    clock: FixedClock,
    redis_sync: Redis,
    count: int,
    max_size: int,
    taken: int | None,
    listed: bool,
) -> None:
    """Step 2: the lowest scores go, with their scores; the name goes if nobody is left."""
    await fill(broker, clock, count)
    set_id = await broker.aggregation_check(Q, G, max_size=max_size)
    assert (set_id is not None) == (taken is not None)
    assert redis_sync.sismember(keys.groups(Q), G) == listed
    if set_id is not None:
        assert taken is not None
        key = keys.aggregation_set(Q, G, set_id)
        assert scores_of(redis_sync, key) == {str(i): T + i for i in range(taken)}
        assert scores_of(redis_sync, GROUP) == {str(i): T + i for i in range(taken, count)}
        assert scores_of(redis_sync, keys.aggregation_sets(Q)) == {key: T + count - 1 + 120}
        assert hash_of(redis_sync, "0")["state"] == b"aggregating"


@pytest.mark.parametrize(
    ("wait", "delay", "grace", "taken"),
    [
        (9, 10.9, 60, False),
        (10, 10.9, 60, True),
        (59, 0, 60, False),
        (60, 0, 60, True),
        (1, 0, 1.9, True),
    ],
    ids=["young", "old", "busy", "quiet", "fractions are cut"],
)
async def test_old_or_quiet_group_gives_everything(
    broker: Broker, clock: FixedClock, redis_sync: Redis, wait: float, delay: float, grace: float, taken: bool
) -> None:
    """Steps 3-5: the oldest has waited the delay, or the newest the grace; all go, and the name."""
    await fill(broker, clock, 3, every=0)
    clock.advance(wait)
    set_id = await broker.aggregation_check(Q, G, max_size=5, max_delay_seconds=delay, grace_seconds=grace)
    assert (set_id is not None) == taken
    assert redis_sync.exists(GROUP) == (not taken)
    assert redis_sync.exists(keys.groups(Q)) == (not taken)


async def test_delay_counts_from_the_oldest_and_grace_from_the_newest(
    broker: Broker, clock: FixedClock
) -> None:
    """Steps 3 and 4 look at opposite ends of the group."""
    await fill(broker, clock, 4, every=5)
    assert await broker.aggregation_check(Q, G, max_delay_seconds=16, grace_seconds=5) is None
    assert await broker.aggregation_check(Q, G, max_delay_seconds=15, grace_seconds=5) is not None


async def test_set_is_read_in_order_of_joining(broker: Broker, clock: FixedClock, redis_sync: Redis) -> None:
    """3.19: the messages with the deadline; one without data reads as an empty message."""
    await fill(broker, clock, 3)
    set_id = await broker.aggregation_check(Q, G, max_size=3)
    assert set_id is not None
    redis_sync.delete(keys.task(Q, "1"))
    found = await broker.read_aggregation_set(Q, G, set_id)
    assert [task.id for task in found.tasks] == ["0", "", "2"]
    assert found.tasks[1] == TaskMessage()
    assert found.deadline == T + 2 + 120
    redis_sync.hset(keys.task(Q, "1"), "msg", b"\xff")
    with pytest.raises(CorruptMessageError):
        await broker.read_aggregation_set(Q, G, set_id)


async def test_unregistered_set_is_not_found(broker: Broker) -> None:
    """3.19: a set that was deleted or taken back has no deadline."""
    with pytest.raises(NotFoundError):
        await broker.read_aggregation_set(Q, G, "no such set")


async def test_deleting_a_set_deletes_its_tasks(broker: Broker, clock: FixedClock, redis_sync: Redis) -> None:
    """3.20: hashes, set and registration go; locks stay and nothing is counted."""
    lock = keys.unique(Q, "t", None)
    await broker.add_to_group_unique(a_task(group=G, unique_key=lock), ttl_seconds=600)
    clock.advance(60)
    set_id = await broker.aggregation_check(Q, G)
    assert set_id is not None
    await broker.delete_aggregation_set(Q, G, set_id)
    assert everything(redis_sync).keys() == {keys.QUEUES, lock}


async def test_stale_set_returns_to_its_group(broker: Broker, clock: FixedClock, redis_sync: Redis) -> None:
    """3.21, trap 10: at its deadline, with the scores it had; the group is not listed again."""
    await fill(broker, clock, 2)
    assert await broker.aggregation_check(Q, G, max_size=2) is not None
    clock.advance(119)
    assert await broker.reclaim_stale_aggregation_sets(Q) == 0
    clock.advance(1)
    assert await broker.reclaim_stale_aggregation_sets(Q) == 1
    assert scores_of(redis_sync, GROUP) == {"0": T, "1": T + 1}
    assert everything(redis_sync).keys() == {keys.QUEUES, GROUP, keys.task(Q, "0"), keys.task(Q, "1")}
