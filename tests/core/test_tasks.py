"""Creating tasks, cancelling them, writing results: wire sections 3.1-3.7, 3.26, 3.27."""

from collections.abc import Awaitable, Callable

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from asynq_exporter.core import (
    Broker,
    DuplicateTaskError,
    InvalidArgumentError,
    TaskIdConflictError,
    keys,
    messages,
)
from asynq_exporter.core.broker import NewTask
from asynq_exporter.core.messages import TaskMessage
from tests.core.queue_state import Q, T, a_task, everything, hash_of, list_of, scores_of

LOCK = keys.unique(Q, "t", None)

Create = Callable[[Broker, TaskMessage], Awaitable[None]]

CREATE: dict[str, Create] = {
    "enqueue": lambda broker, message: broker.enqueue(message),
    "schedule": lambda broker, message: broker.schedule(message, process_at=T + 60),
    "add_to_group": lambda broker, message: broker.add_to_group(message),
}

CREATE_UNIQUE: dict[str, Create] = {
    "enqueue_unique": lambda broker, message: broker.enqueue_unique(message, ttl_seconds=60),
    "schedule_unique": lambda broker, message: broker.schedule_unique(
        message, process_at=T + 60, ttl_seconds=60
    ),
    "add_to_group_unique": lambda broker, message: broker.add_to_group_unique(message, ttl_seconds=60),
}


def grouped(task_id: str = "1") -> TaskMessage:
    """A task that every creating operation accepts."""
    return a_task(task_id, group="g", unique_key=LOCK)


async def test_schedule_writes_hash_and_score(broker: Broker, redis_sync: Redis) -> None:
    """3.3: the hash has message and state alone, even for a task that names a group."""
    message = a_task(group="g")
    await broker.schedule(message, process_at=T + 60)
    assert hash_of(redis_sync) == {"msg": messages.encode(message), "state": b"scheduled"}
    assert scores_of(redis_sync, keys.scheduled(Q)) == {"1": T + 60}
    assert redis_sync.exists(keys.groups(Q)) == 0


async def test_add_to_group_writes_hash_score_and_name(broker: Broker, redis_sync: Redis) -> None:
    """3.5: the group is named in the hash and in the set of groups; colons in its name are its own affair."""
    message = a_task(group="a:b")
    await broker.add_to_group(message)
    assert hash_of(redis_sync) == {
        "msg": messages.encode(message),
        "state": b"aggregating",
        "group": b"a:b",
    }
    assert scores_of(redis_sync, "asynq:{default}:g:a:b") == {"1": T}
    assert redis_sync.smembers(keys.groups(Q)) == {b"a:b"}


@pytest.mark.parametrize(
    ("operation", "field"),
    [("enqueue_unique", LOCK.encode()), ("schedule_unique", LOCK.encode()), ("add_to_group_unique", None)],
)
async def test_unique_task_takes_its_lock(
    broker: Broker, redis_sync: Redis, operation: str, field: bytes | None
) -> None:
    """3.2, 3.4, 3.6: the lock holds the ID and expires; a grouped task does not name it in its hash."""
    await CREATE_UNIQUE[operation](broker, grouped())
    assert redis_sync.get(LOCK) == b"1"
    assert redis_sync.ttl(LOCK) == 60
    assert hash_of(redis_sync).get("unique_key") == field


@pytest.mark.parametrize("operation", CREATE_UNIQUE)
async def test_held_lock_refuses_another_task(broker: Broker, redis_sync: Redis, operation: str) -> None:
    """The second task is a duplicate, and nothing has changed."""
    await broker.enqueue_unique(grouped("1"), ttl_seconds=60)
    before = everything(redis_sync)
    with pytest.raises(DuplicateTaskError, match="task already exists"):
        await CREATE_UNIQUE[operation](broker, grouped("2"))
    assert set(everything(redis_sync)) == set(before)
    assert redis_sync.get(LOCK) == b"1"


@pytest.mark.parametrize("operation", [*CREATE, *CREATE_UNIQUE])
@pytest.mark.parametrize("state", ["pending", "active", "completed", "archived"])
async def test_id_is_taken_in_every_state(
    broker: Broker, redis_sync: Redis, operation: str, state: str
) -> None:
    """6.3, trap 21: any hash of that ID is a conflict, a ghost with nothing but a state included."""
    redis_sync.hset(keys.task(Q, "1"), "state", state)
    with pytest.raises(TaskIdConflictError, match="task ID conflicts with another task"):
        await (CREATE | CREATE_UNIQUE)[operation](broker, grouped())
    assert hash_of(redis_sync) == {"state": state.encode()}
    assert redis_sync.exists(keys.pending(Q), keys.scheduled(Q), keys.group(Q, "g"), keys.groups(Q)) == 0


@pytest.mark.parametrize("operation", CREATE_UNIQUE)
async def test_id_conflict_leaves_the_lock_behind(broker: Broker, redis_sync: Redis, operation: str) -> None:
    """3.2, trap 20: the lock is taken before the conflict is seen, and stays until its time is over."""
    redis_sync.hset(keys.task(Q, "1"), "state", "completed")
    with pytest.raises(TaskIdConflictError):
        await CREATE_UNIQUE[operation](broker, grouped())
    assert redis_sync.get(LOCK) == b"1"
    assert redis_sync.ttl(LOCK) == 60
    with pytest.raises(DuplicateTaskError):
        await CREATE_UNIQUE[operation](broker, grouped("2"))


async def test_same_id_lives_in_two_queues(broker: Broker, redis_sync: Redis) -> None:
    """Trap 24: IDs are one of their kind in a queue only."""
    await broker.enqueue(a_task())
    await broker.enqueue(a_task(queue="low"))
    assert redis_sync.smembers(keys.QUEUES) == {b"default", b"low"}


@pytest.mark.parametrize("operation", [*CREATE, *CREATE_UNIQUE])
async def test_every_creation_registers_the_queue(broker: Broker, redis_sync: Redis, operation: str) -> None:
    """3.0: and again after somebody deleted the queue, unlike asynq since 0.25 (trap 6)."""
    await (CREATE | CREATE_UNIQUE)[operation](broker, grouped())
    assert redis_sync.smembers(keys.QUEUES) == {b"default"}
    redis_sync.flushdb()
    await (CREATE | CREATE_UNIQUE)[operation](broker, grouped())
    assert redis_sync.smembers(keys.QUEUES) == {b"default"}


async def test_lock_needs_a_name_and_a_second(broker: Broker, redis_sync: Redis) -> None:
    """A unique task without a lock, or one that lives no time, never reaches Redis."""
    with pytest.raises(InvalidArgumentError):
        await broker.enqueue_unique(a_task(), ttl_seconds=60)
    with pytest.raises(InvalidArgumentError):
        await broker.enqueue_unique(grouped(), ttl_seconds=0)
    with pytest.raises(InvalidArgumentError):
        await broker.add_to_group(a_task())
    assert everything(redis_sync) == {}


async def test_batch_writes_ready_and_later_tasks(broker: Broker, redis_sync: Redis) -> None:
    """3.7: in order, several queues at once, over the size of one round trip; a taken ID is left out."""
    redis_sync.hset(keys.task(Q, "3"), "state", "completed")
    tasks = [NewTask(message=a_task(str(i))) for i in range(1500)]
    tasks.append(NewTask(message=a_task("later", queue="low"), process_at=T + 5))
    written = await broker.enqueue_many(tasks)
    assert written == [i != 3 for i in range(1501)]
    assert list_of(redis_sync, keys.pending(Q)) == [str(i) for i in reversed(range(1500)) if i != 3]
    assert scores_of(redis_sync, keys.scheduled("low")) == {"later": T + 5}
    assert redis_sync.smembers(keys.QUEUES) == {b"default", b"low"}
    assert await broker.enqueue_many([]) == []


async def test_result_overwrites_and_makes_ghosts(broker: Broker, redis_sync: Redis) -> None:
    """3.27, trap 12: a result is written whether or not the task is there."""
    assert await broker.write_result(Q, "gone", b"one") == 3
    assert await broker.write_result(Q, "gone", b"\x00\xff") == 2
    assert hash_of(redis_sync, "gone") == {"result": b"\x00\xff"}


async def test_cancelation_reaches_subscribers(broker: Broker, redis_client: AsyncRedis) -> None:
    """3.26: servers hear the bare task ID."""
    async with redis_client.pubsub() as pubsub:
        await pubsub.subscribe("asynq:cancel")
        assert await pubsub.get_message(timeout=5) is not None
        await broker.publish_cancelation("task:1")
        heard = await pubsub.get_message(ignore_subscribe_messages=True, timeout=5)
    assert heard is not None
    assert heard["data"] == b"task:1"
