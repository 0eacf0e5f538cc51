"""The life of task A in Redis, as the wire document writes it down (section 10.5)."""

from redis import Redis

from asynq_exporter.core import Broker, FixedClock, keys, messages
from tests.core.queue_state import DAY, Q, T, a_task, counters_of, everything, hash_of, list_of, scores_of

NINETY_DAYS = 90 * 24 * 3600


def names(redis: Redis) -> set[str]:
    """All keys but the set of queues."""
    return set(everything(redis)) - {keys.QUEUES}


async def test_redis_holds_what_the_document_says(
    broker: Broker, clock: FixedClock, redis_sync: Redis
) -> None:
    """Enqueue, dequeue, fail, forward, dequeue, done: after each step every key is the documented one."""
    message = a_task()
    data = messages.encode(message)
    stats = {
        f"asynq:{{default}}:{name}" for name in ("processed", "failed", f"processed:{DAY}", f"failed:{DAY}")
    }

    await broker.enqueue(message)
    assert redis_sync.smembers("asynq:queues") == {b"default"}
    assert list_of(redis_sync, "asynq:{default}:pending") == ["1"]
    assert hash_of(redis_sync) == {"msg": data, "state": b"pending", "pending_since": b"%d" % (T * 10**9)}
    assert names(redis_sync) == {"asynq:{default}:pending", "asynq:{default}:t:1"}

    delivery = await broker.dequeue([Q])
    assert delivery is not None
    assert delivery.message == message
    assert delivery.lease_expires_at == T + 30
    assert list_of(redis_sync, "asynq:{default}:active") == ["1"]
    assert scores_of(redis_sync, "asynq:{default}:lease") == {"1": T + 30}
    assert hash_of(redis_sync) == {"msg": data, "state": b"active"}
    assert names(redis_sync) == {"asynq:{default}:active", "asynq:{default}:lease", "asynq:{default}:t:1"}

    clock.advance(5)
    await broker.retry(delivery.message, retry_at=T + 30, error="boom")
    failed = messages.failed(message, "boom", at_seconds=T + 5, counted=True)
    assert (failed.retried, failed.error_msg, failed.last_failed_at) == (1, "boom", T + 5)
    assert scores_of(redis_sync, "asynq:{default}:retry") == {"1": T + 30}
    assert hash_of(redis_sync) == {"msg": messages.encode(failed), "state": b"retry"}
    assert counters_of(redis_sync) == (1, 1, 1, 1)
    for name in ("processed", "failed"):
        assert redis_sync.expiretime(f"asynq:{{default}}:{name}:{DAY}") == T + 5 + NINETY_DAYS
        assert redis_sync.ttl(f"asynq:{{default}}:{name}") == -1
    assert names(redis_sync) == {"asynq:{default}:retry", "asynq:{default}:t:1"} | stats

    clock.advance(25)
    assert await broker.forward([Q]) == 1
    assert list_of(redis_sync, "asynq:{default}:pending") == ["1"]
    assert hash_of(redis_sync) == {
        "msg": messages.encode(failed),
        "state": b"pending",
        "pending_since": b"%d" % ((T + 30) * 10**9),
    }

    delivery = await broker.dequeue([Q])
    assert delivery is not None
    await broker.done(delivery.message)
    assert names(redis_sync) == stats
    assert counters_of(redis_sync) == (2, 1, 2, 1)


async def test_lists_run_from_right_to_left(broker: Broker, redis_sync: Redis) -> None:
    """New work goes to the left, the oldest runs first, and what is requeued runs next."""
    for task_id in ("z", "a", "b"):
        await broker.enqueue(a_task(task_id))
    first = await broker.dequeue([Q])
    assert first is not None
    assert first.message.id == "z"
    assert list_of(redis_sync, keys.pending(Q)) == ["b", "a"]
    await broker.requeue(first.message)
    assert list_of(redis_sync, keys.pending(Q)) == ["b", "a", "z"]
