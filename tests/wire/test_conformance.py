"""The conformance checklist of the wire document (section 10.6), item by item.

Item 1 is in test_messages.py, item 10 in core/inspector/test_queues.py; item 9 by a running recoverer is in
core/worker/test_upkeep.py.
"""

from typing import cast

import pytest
from redis import Redis

from asynq_exporter.core import Broker, DuplicateTaskError, FixedClock, TaskIdConflictError, keys, messages
from tests.core.queue_state import Q, T, a_task, counters_of, everything, hash_of, list_of, scores_of

MAX_INT64 = 9_223_372_036_854_775_807
LOCK = keys.unique(Q, "t", None)


async def take(broker: Broker) -> messages.TaskMessage:
    """The next task of the queue, which must have one."""
    delivery = await broker.dequeue([Q])
    assert delivery is not None
    return delivery.message


async def test_2_same_id_twice_is_refused(broker: Broker, redis_sync: Redis) -> None:
    """The second enqueue raises, and not a byte of the first has changed."""
    await broker.enqueue(a_task())
    before = everything(redis_sync)
    with pytest.raises(TaskIdConflictError):
        await broker.enqueue(a_task(payload=b"other"))
    assert everything(redis_sync) == before


async def test_3_unique_twice_is_refused_until_done(broker: Broker, redis_sync: Redis) -> None:
    """The lock refuses a second task and goes with the first."""
    await broker.enqueue_unique(a_task("1", unique_key=LOCK), ttl_seconds=60)
    with pytest.raises(DuplicateTaskError):
        await broker.enqueue_unique(a_task("2", unique_key=LOCK), ttl_seconds=60)
    assert list_of(redis_sync, keys.pending(Q)) == ["1"]
    await broker.done(await take(broker))
    assert redis_sync.exists(LOCK) == 0


async def test_3_lock_of_another_task_stays(broker: Broker, redis_sync: Redis) -> None:
    """Done frees a lock only if it names this task."""
    await broker.enqueue_unique(a_task("1", unique_key=LOCK), ttl_seconds=60)
    redis_sync.set(LOCK, "another")
    await broker.done(await take(broker))
    assert redis_sync.get(LOCK) == b"another"


async def test_4_paused_queue_hands_out_nothing(broker: Broker, redis_sync: Redis) -> None:
    """Dequeue finds nothing and leaves the list as it is."""
    await broker.enqueue(a_task())
    await broker.pause(Q)
    before = everything(redis_sync)
    assert await broker.dequeue([Q]) is None
    assert everything(redis_sync) == before


async def test_5_retry_without_failure_counts_nothing(broker: Broker, redis_sync: Redis) -> None:
    """No counter key appears, and no retry is used up; the error is noted."""
    await broker.enqueue(a_task())
    await broker.retry(await take(broker), retry_at=T + 9, error="not yet", is_failure=False)
    assert counters_of(redis_sync) == (-1, -1, -1, -1)
    message = messages.decode_task(hash_of(redis_sync)["msg"])
    assert (message.retried, message.error_msg, message.last_failed_at) == (0, "not yet", T)


@pytest.mark.parametrize(
    ("start", "after"),
    [(MAX_INT64, 1), (MAX_INT64 - 511, 1), (MAX_INT64 - 512, MAX_INT64 - 511)],
    ids=["maximum", "first that wraps", "last that counts"],
)
async def test_6_processed_starts_again_at_the_maximum(
    broker: Broker, redis_sync: Redis, start: int, after: int
) -> None:
    """The total turns to 1 where a Lua double can no longer tell it from the maximum."""
    redis_sync.set(keys.processed(Q), start)
    await broker.enqueue(a_task())
    await broker.done(await take(broker))
    assert counters_of(redis_sync) == (after, -1, 1, -1)


async def test_6_failed_starts_again_with_processed(broker: Broker, redis_sync: Redis) -> None:
    """A failure at the maximum of processed turns both totals to 1."""
    redis_sync.mset({keys.processed(Q): MAX_INT64, keys.failed(Q): 77})
    await broker.enqueue(a_task())
    await broker.retry(await take(broker), retry_at=T + 9, error="boom")
    assert counters_of(redis_sync) == (1, 1, 1, 1)


async def test_6_failed_alone_does_not_start_again(broker: Broker, redis_sync: Redis) -> None:
    """The maximum is looked for in processed only."""
    redis_sync.mset({keys.processed(Q): 5, keys.failed(Q): MAX_INT64 - 1})
    await broker.enqueue(a_task())
    await broker.retry(await take(broker), retry_at=T + 9, error="boom")
    assert counters_of(redis_sync)[:2] == (6, MAX_INT64)


async def test_7_archive_keeps_9999(broker: Broker, redis_sync: Redis) -> None:
    """One more than 9999 pushes the oldest out, with its hash."""
    redis_sync.zadd(keys.archived(Q), {f"old-{i:04}": T - 10_000 + i for i in range(9999)})
    redis_sync.hset(keys.task(Q, "old-0000"), "state", "archived")
    redis_sync.hset(keys.task(Q, "old-0001"), "state", "archived")
    await broker.enqueue(a_task())
    await broker.archive(await take(broker), error="boom")
    archived = scores_of(redis_sync, keys.archived(Q))
    assert len(archived) == 9999
    assert archived["1"] == T
    assert "old-0000" not in archived
    assert "old-0001" in archived
    assert hash_of(redis_sync, "old-0000") == {}
    assert hash_of(redis_sync, "old-0001") != {}


async def test_8_history_keeps_1000_events(broker: Broker, redis_sync: Redis) -> None:
    """Of 1005 events the five oldest are gone."""
    for i in range(1005):
        event = messages.SchedulerEnqueueEvent(
            task_id=str(i), enqueue_time=messages.timestamp((T + i) * 10**9)
        )
        await broker.record_enqueue_event("e-1", event)
    key = keys.scheduler_history("e-1")
    found = cast("list[tuple[bytes, float]]", redis_sync.zrange(key, 0, -1, withscores=True))
    assert len(found) == 1000
    assert found[0][1] == T + 5
    assert messages.decode_enqueue_event(found[0][0]).task_id == "5"


@pytest.mark.parametrize(("age", "taken"), [(31, True), (29, False)])
async def test_9_recoverer_takes_leases_30_seconds_late(
    broker: Broker, clock: FixedClock, redis_sync: Redis, age: int, taken: bool
) -> None:
    """A lease that ended 31 s ago is found, one that ended 29 s ago is not."""
    await broker.enqueue(a_task())
    await take(broker)
    redis_sync.zadd(keys.lease(Q), {"1": T - age})
    cutoff = clock.now_ns() / 10**9 - 30
    assert [m.id for m in await broker.list_lease_expired([Q], cutoff=cutoff)] == (["1"] if taken else [])
