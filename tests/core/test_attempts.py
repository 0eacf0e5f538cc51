"""A worker and its task: wire sections 3.8-3.13, 3.16, 3.17."""

from collections.abc import Awaitable, Callable

import pytest
from redis import Redis

from asynq_exporter.core import Broker, CorruptMessageError, FixedClock, NotFoundError, keys
from asynq_exporter.core.errors import InternalError
from asynq_exporter.core.messages import TaskMessage
from tests.core.queue_state import (
    DAY,
    Q,
    T,
    a_task,
    counters_of,
    everything,
    hash_of,
    list_of,
    message_of,
    scores_of,
)

LOCK = keys.unique(Q, "t", None)
NINETY_DAYS = 90 * 24 * 3600

Finish = Callable[[Broker, TaskMessage], Awaitable[None]]

FINISH: dict[str, Finish] = {
    "done": lambda broker, message: broker.done(message),
    "mark_complete": lambda broker, message: broker.mark_complete(message),
    "requeue": lambda broker, message: broker.requeue(message),
    "retry": lambda broker, message: broker.retry(message, retry_at=T + 60, error="boom"),
    "archive": lambda broker, message: broker.archive(message, error="boom"),
}


async def started(broker: Broker, message: TaskMessage | None = None) -> TaskMessage:
    """A task that a worker holds."""
    await broker.enqueue(message or a_task())
    delivery = await broker.dequeue([Q])
    assert delivery is not None
    return delivery.message


async def test_dequeue_takes_the_first_queue_with_work(broker: Broker) -> None:
    """3.8: queues are tried in the caller's order; empty and paused ones fall through."""
    for queue in ("low", "high", "paused"):
        await broker.enqueue(a_task(queue=queue))
    await broker.pause("paused")
    order = ["paused", "empty", "low", "high"]
    taken = [await broker.dequeue(order) for _ in range(3)]
    assert [delivery and delivery.message.queue for delivery in taken] == ["low", "high", None]


async def test_lease_ends_in_a_whole_second(broker: Broker, clock: FixedClock, redis_sync: Redis) -> None:
    """3.8, 3.17: the score is cut to seconds, the caller gets the moment itself."""
    clock.advance(0.75)
    await broker.enqueue(a_task())
    delivery = await broker.dequeue([Q])
    assert delivery is not None
    assert delivery.lease_expires_at == T + 30.75
    assert scores_of(redis_sync, keys.lease(Q)) == {"1": T + 30}


async def test_id_without_hash_becomes_a_ghost(broker: Broker, redis_sync: Redis) -> None:
    """3.8, trap 12: the caller sees an empty queue, and the ID stays active for good."""
    redis_sync.lpush(keys.pending(Q), "ghost")
    assert await broker.dequeue([Q]) is None
    assert hash_of(redis_sync, "ghost") == {"state": b"active"}
    assert list_of(redis_sync, keys.active(Q)) == ["ghost"]
    assert scores_of(redis_sync, keys.lease(Q)) == {"ghost": T + 30}
    assert await broker.list_lease_expired([Q], cutoff=T + 99) == []


async def test_unreadable_task_stays_active(broker: Broker, redis_sync: Redis) -> None:
    """A message that is none raises with its bytes; the task is not lost."""
    redis_sync.lpush(keys.pending(Q), "1")
    redis_sync.hset(keys.task(Q, "1"), mapping={"msg": b"\xff", "state": "pending"})
    with pytest.raises(CorruptMessageError) as caught:
        await broker.dequeue([Q])
    assert caught.value.data == b"\xff"
    assert list_of(redis_sync, keys.active(Q)) == ["1"]


async def test_mark_complete_keeps_the_task(broker: Broker, redis_sync: Redis) -> None:
    """3.10: the record may go after its retention; message says when, counters count, the result stays."""
    message = await started(broker, a_task(retention_seconds=3600))
    await broker.write_result(Q, "1", b"answer")
    await broker.mark_complete(message)
    assert scores_of(redis_sync, keys.completed(Q)) == {"1": T + 3600}
    assert message_of(redis_sync).completed_at == T
    assert hash_of(redis_sync)["state"] == b"completed"
    assert hash_of(redis_sync)["result"] == b"answer"
    assert counters_of(redis_sync) == (1, -1, 1, -1)
    assert redis_sync.expiretime(keys.processed_on(Q, DAY)) == T + NINETY_DAYS
    assert redis_sync.exists(keys.active(Q), keys.lease(Q)) == 0


async def test_completed_twice_is_internal(broker: Broker, redis_sync: Redis) -> None:
    """3.10: a member that is there already raises, after the task has left its worker."""
    message = await started(broker)
    redis_sync.zadd(keys.completed(Q), {"1": 1})
    with pytest.raises(InternalError):
        await broker.mark_complete(message)
    assert redis_sync.exists(keys.active(Q), keys.lease(Q)) == 0
    assert hash_of(redis_sync)["state"] == b"active"


@pytest.mark.parametrize("finish", ["done", "mark_complete"])
@pytest.mark.parametrize(("holder", "left"), [("1", None), ("2", b"2")])
async def test_success_frees_only_its_own_lock(
    broker: Broker, redis_sync: Redis, finish: str, holder: str, left: bytes | None
) -> None:
    """3.9, 3.10: a lock that another task holds by now stays."""
    message = await started(broker, a_task(unique_key=LOCK))
    redis_sync.set(LOCK, holder)
    await FINISH[finish](broker, message)
    assert redis_sync.get(LOCK) == left


@pytest.mark.parametrize("finish", ["requeue", "retry", "archive"])
async def test_other_ends_keep_the_lock(broker: Broker, redis_sync: Redis, finish: str) -> None:
    """3.12, 3.13: the lock is neither freed nor extended."""
    message = await started(broker, a_task(unique_key=LOCK))
    redis_sync.set(LOCK, "1", ex=100)
    await FINISH[finish](broker, message)
    assert redis_sync.ttl(LOCK) == 100


async def test_requeue_forgets_the_waiting_time(broker: Broker, redis_sync: Redis) -> None:
    """3.11, trap 8: state and list change; no pending_since, no counter, same message."""
    message = await started(broker)
    await broker.requeue(message)
    assert hash_of(redis_sync).keys() == {"msg", "state"}
    assert message_of(redis_sync) == message
    assert counters_of(redis_sync) == (-1, -1, -1, -1)


async def test_retry_time_loses_its_fraction(broker: Broker, redis_sync: Redis) -> None:
    """3.12: the score is the second in which the retry time lies."""
    message = await started(broker)
    await broker.retry(message, retry_at=T + 60.9, error="boom")
    assert scores_of(redis_sync, keys.retry(Q)) == {"1": T + 60}


async def test_archive_counts_a_failure_but_no_retry(broker: Broker, redis_sync: Redis) -> None:
    """3.13: error and moment are noted, retried stays, counters count."""
    message = await started(broker)
    await broker.archive(message, error="boom\udcff")
    archived = message_of(redis_sync)
    assert (archived.retried, archived.error_msg, archived.last_failed_at) == (0, "boom\ufffd", T)
    assert hash_of(redis_sync)["state"] == b"archived"
    assert scores_of(redis_sync, keys.archived(Q)) == {"1": T}
    assert counters_of(redis_sync) == (1, 1, 1, 1)


async def test_archive_forgets_after_90_days(broker: Broker, redis_sync: Redis) -> None:
    """3.13: members up to the 90th day go with their hashes; their locks stay."""
    redis_sync.zadd(keys.archived(Q), {"old": T - NINETY_DAYS, "young": T - NINETY_DAYS + 1})
    for task_id in ("old", "young"):
        redis_sync.hset(keys.task(Q, task_id), mapping={"state": "archived", "unique_key": LOCK})
    redis_sync.set(LOCK, "old")
    await broker.archive(await started(broker), error="boom")
    assert scores_of(redis_sync, keys.archived(Q)).keys() == {"young", "1"}
    assert hash_of(redis_sync, "old") == {}
    assert hash_of(redis_sync, "young") != {}
    assert redis_sync.get(LOCK) == b"old"


async def test_archive_trims_any_number(broker: Broker, redis_sync: Redis) -> None:
    """3.13: when 8000 go at once asynq's script dies and leaves the task half archived; ours ends."""
    redis_sync.zadd(keys.archived(Q), {f"old-{i}": 1 for i in range(9000)})
    await broker.archive(await started(broker), error="boom")
    assert scores_of(redis_sync, keys.archived(Q)) == {"1": T}
    assert hash_of(redis_sync)["state"] == b"archived"


@pytest.mark.parametrize("finish", FINISH)
async def test_task_of_nobody_is_not_found(broker: Broker, redis_sync: Redis, finish: str) -> None:
    """A worker that lost its task changes nothing."""
    await broker.enqueue(a_task())
    before = everything(redis_sync)
    with pytest.raises(NotFoundError) as caught:
        await FINISH[finish](broker, a_task())
    assert everything(redis_sync) == before
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("finish", FINISH)
async def test_task_without_lease_leaves_the_active_list(
    broker: Broker, redis_sync: Redis, finish: str
) -> None:
    """3.9, trap 30: Redis does not roll back; the hash goes on saying active."""
    message = await started(broker)
    redis_sync.delete(keys.lease(Q))
    with pytest.raises(NotFoundError):
        await FINISH[finish](broker, message)
    assert list_of(redis_sync, keys.active(Q)) == []
    assert hash_of(redis_sync)["state"] == b"active"
    assert counters_of(redis_sync) == (-1, -1, -1, -1)


@pytest.mark.parametrize("finish", FINISH)
async def test_lease_of_a_task_that_is_not_active_stays(
    broker: Broker, redis_sync: Redis, finish: str
) -> None:
    """3.9, trap 13: the list is looked at first, so nothing changes."""
    message = await started(broker)
    redis_sync.delete(keys.active(Q))
    before = everything(redis_sync)
    with pytest.raises(NotFoundError):
        await FINISH[finish](broker, message)
    assert everything(redis_sync) == before


async def test_done_without_hash_counts_nothing(broker: Broker, redis_sync: Redis) -> None:
    """3.9: a task deleted under its worker is not found, and not processed."""
    message = await started(broker)
    redis_sync.delete(keys.task(Q, "1"))
    with pytest.raises(NotFoundError):
        await broker.done(message)
    assert counters_of(redis_sync) == (-1, -1, -1, -1)


async def test_done_removes_every_occurrence(broker: Broker, redis_sync: Redis) -> None:
    """3.9: an ID that stands in the list twice leaves it altogether."""
    message = await started(broker)
    redis_sync.lpush(keys.active(Q), "1", "other")
    await broker.done(message)
    assert list_of(redis_sync, keys.active(Q)) == ["other"]


async def test_counters_change_with_the_utc_day(broker: Broker, clock: FixedClock, redis_sync: Redis) -> None:
    """3.0: each UTC day has its own counter, the total goes on."""
    await broker.done(await started(broker))
    clock.advance(24 * 3600)
    await broker.done(await started(broker))
    assert counters_of(redis_sync) == (2, -1, 1, -1)
    assert counters_of(redis_sync, day="2100-01-02") == (2, -1, 1, -1)


async def test_daily_counter_keeps_its_first_expiry(
    broker: Broker, clock: FixedClock, redis_sync: Redis
) -> None:
    """3.0: EXPIREAT is set at the first increment only."""
    await broker.done(await started(broker))
    clock.advance(3600)
    await broker.done(await started(broker))
    assert redis_sync.expiretime(keys.processed_on(Q, DAY)) == T + NINETY_DAYS


async def test_expired_leases_are_read_across_queues(broker: Broker, redis_sync: Redis) -> None:
    """3.16: in every queue, without the ones that have no message or a bad one."""
    for queue in ("low", Q):
        await broker.enqueue(a_task(queue=queue))
        await broker.dequeue([queue])
    redis_sync.zadd(keys.lease(Q), {"no hash": 1, "bad": 1})
    redis_sync.hset(keys.task(Q, "bad"), "msg", b"\xff")
    before = everything(redis_sync)
    assert [m.queue for m in await broker.list_lease_expired([Q, "low"], cutoff=T + 30)] == [Q, "low"]
    assert await broker.list_lease_expired([Q, "low"], cutoff=T + 29.9) == []
    assert everything(redis_sync) == before


async def test_extending_renews_only_what_exists(
    broker: Broker, clock: FixedClock, redis_sync: Redis
) -> None:
    """3.17: a lease that was taken away does not come back."""
    await started(broker)
    clock.advance(5.5)
    assert await broker.extend_lease(Q, ["1", "lost"]) == T + 35.5
    assert scores_of(redis_sync, keys.lease(Q)) == {"1": T + 35}
    assert await broker.extend_lease(Q, []) == T + 35.5
