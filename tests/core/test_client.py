"""Options, choice of operation, errors and locks of the client (wire section 6)."""

import uuid
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from asynq_exporter.core import (
    Client,
    DuplicateTaskError,
    FixedClock,
    InvalidArgumentError,
    Options,
    Task,
    TaskIdConflictError,
    TaskState,
    keys,
)
from tests.core.queue_state import Q, T, everything, hash_of, list_of, message_of, scores_of

TASK = Task("email:send", b"{}")


@pytest.fixture
def client(redis_client: AsyncRedis, clock: FixedClock) -> Client:
    """A client at a fixed moment."""
    return Client(redis_client, clock)


async def test_defaults_are_asynqs(client: Client, redis_sync: Redis) -> None:
    """6.1: queue default, 25 retries, 1800 s, a random UUID, no retention, pending now."""
    info = await client.enqueue(TASK)
    assert uuid.UUID(info.id).version == 4
    message = message_of(redis_sync, info.id)
    assert (message.type, message.payload, message.queue) == ("email:send", b"{}", "default")
    assert (message.retry, message.timeout, message.deadline, message.retention) == (25, 1800, 0, 0)
    assert (message.unique_key, message.group_key, dict(message.headers)) == ("", "", {})
    assert (info.state, info.next_process_at) == (TaskState.PENDING, T)
    assert list_of(redis_sync, keys.pending(Q)) == [info.id]


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"max_retry": 3}, {"retry": 3}),
        ({"max_retry": 0}, {"retry": 0}),
        ({"max_retry": -1}, {"retry": 0}),
        ({"timeout_seconds": 60.9}, {"timeout": 60, "deadline": 0}),
        ({"timeout_seconds": 0}, {"timeout": 1800}),
        ({"timeout_seconds": 0.5}, {"timeout": 0, "deadline": 0}),
        ({"deadline": T + 9.9}, {"timeout": 0, "deadline": T + 9}),
        ({"deadline": 0}, {"timeout": 1800, "deadline": 0}),
        ({"timeout_seconds": 5, "deadline": T}, {"timeout": 5, "deadline": T}),
        ({"retention_seconds": 3600.9}, {"retention": 3600}),
        ({"retention_seconds": 0.5}, {"retention": 0}),
        ({"group": "g"}, {"group_key": "g"}),
        ({"task_id": "my id:1"}, {"id": "my id:1"}),
        ({"headers": {"a": "1"}}, {"headers": {"a": "1"}}),
    ],
)
async def test_option_reaches_the_message(
    client: Client, redis_sync: Redis, options: Options, fields: dict[str, Any]
) -> None:
    """6.1: each option with its rounding and its limits."""
    info = await client.enqueue(TASK, **options)
    message = message_of(redis_sync, info.id)
    assert {name: getattr(message, name) for name in fields} == fields


@pytest.mark.parametrize("queue", ["Critical", " padded ", "队列", "a:b", "}x{"])
async def test_queue_name_is_kept_as_it_is(client: Client, redis_sync: Redis, queue: str) -> None:
    """6.1: no lower-casing, no trimming."""
    info = await client.enqueue(TASK, queue=queue)
    assert redis_sync.smembers(keys.QUEUES) == {queue.encode()}
    assert message_of(redis_sync, info.id, queue).queue == info.queue == queue


async def test_headers_are_merged_over_those_of_the_task(client: Client) -> None:
    """6.1: for each key the later one wins."""
    info = await client.enqueue(Task("t", headers={"a": "1", "b": "1"}), headers={"b": "2", "c": "2"})
    assert info.headers == {"a": "1", "b": "2", "c": "2"}


@pytest.mark.parametrize(
    ("task", "options"),
    [
        (Task(""), {}),
        (Task(" \t"), {}),
        (Task("\ud800"), {}),
        (TASK, {"queue": ""}),
        (TASK, {"queue": "  "}),
        (TASK, {"task_id": " "}),
        (TASK, {"group": ""}),
        (TASK, {"unique_seconds": 0.99}),
        (TASK, {"unique_seconds": -5}),
        (TASK, {"timeout_seconds": -1}),
        (TASK, {"timeout_seconds": float("nan")}),
        (TASK, {"retention_seconds": float("inf")}),
        (TASK, {"deadline": -1}),
        (TASK, {"process_at": float("nan")}),
        (TASK, {"process_in_seconds": float("inf")}),
        (TASK, {"process_at": T + 1, "process_in_seconds": 1}),
        (TASK, {"max_retry": 2**31}),
        (TASK, {"headers": {"k": "\ud800"}}),
    ],
)
async def test_mistake_never_reaches_redis(
    client: Client, redis_sync: Redis, task: Task, options: Options
) -> None:
    """6.1: checks come before any access."""
    with pytest.raises(InvalidArgumentError):
        await client.enqueue(task, **options)
    with pytest.raises(InvalidArgumentError):
        await client.enqueue_many([(TASK, {}), (task, options)])
    assert everything(redis_sync) == {}


@pytest.mark.parametrize(
    ("options", "state", "next_process_at", "field"),
    [
        ({}, TaskState.PENDING, T, None),
        ({"process_at": T}, TaskState.PENDING, T, None),
        ({"process_at": T - 99}, TaskState.PENDING, T, None),
        ({"process_in_seconds": -1}, TaskState.PENDING, T, None),
        ({"process_at": T + 60.5}, TaskState.SCHEDULED, T + 60.5, None),
        ({"process_in_seconds": 0.5}, TaskState.SCHEDULED, T + 0.5, None),
        ({"group": "g"}, TaskState.AGGREGATING, None, b"g"),
        ({"group": "g", "process_in_seconds": 0}, TaskState.AGGREGATING, None, b"g"),
        ({"group": "g", "process_in_seconds": 60}, TaskState.SCHEDULED, T + 60, None),
    ],
)
@pytest.mark.parametrize("unique", [False, True])
async def test_operation_follows_from_time_and_group(
    client: Client,
    redis_sync: Redis,
    options: Options,
    state: TaskState,
    next_process_at: float | None,
    field: bytes | None,
    unique: bool,
) -> None:
    """6.2: later beats group, group beats now; a later task keeps its group in the message alone."""
    chosen = options.copy()
    if unique:
        chosen["unique_seconds"] = 60
    info = await client.enqueue(TASK, **chosen)
    assert (info.state, info.next_process_at) == (state, next_process_at)
    assert hash_of(redis_sync, info.id)["state"].decode() == state
    assert hash_of(redis_sync, info.id).get("group") == field
    if state is TaskState.SCHEDULED and next_process_at is not None:
        assert scores_of(redis_sync, keys.scheduled(Q)) == {info.id: int(next_process_at)}


@pytest.mark.parametrize(
    ("options", "ttl"),
    [
        ({"unique_seconds": 1}, 1),
        ({"unique_seconds": 90.9}, 90),
        ({"unique_seconds": 90, "group": "g"}, 90),
        ({"unique_seconds": 90.5, "process_in_seconds": 9.5}, 100),
        ({"unique_seconds": 90.5, "process_at": T + 9.75}, 100),
    ],
)
async def test_lock_lives_from_the_moment_the_task_runs(
    client: Client, redis_sync: Redis, options: Options, ttl: int
) -> None:
    """6.4: whole seconds; the wait of a later task is added before the fraction goes."""
    info = await client.enqueue(TASK, **options)
    lock = keys.unique(Q, TASK.type, TASK.payload)
    assert redis_sync.get(lock) == info.id.encode()
    assert message_of(redis_sync, info.id).unique_key == lock
    assert redis_sync.ttl(lock) == ttl


async def test_lock_knows_type_queue_and_payload_alone(client: Client, redis_sync: Redis) -> None:
    """6.4: None and b"" are different payloads; headers and options are nothing to it."""
    for payload in (None, b"", b"x"):
        await client.enqueue(Task("t", payload), unique_seconds=60)
    await client.enqueue(Task("t"), queue="low", unique_seconds=60)
    await client.enqueue(Task("u"), unique_seconds=60)
    assert redis_sync.exists("asynq:{default}:unique:t:") == 1
    with pytest.raises(DuplicateTaskError):
        await client.enqueue(Task("t", headers={"k": "v"}), max_retry=1, task_id="x", unique_seconds=60)


async def test_lock_is_tested_before_the_id(client: Client) -> None:
    """6.3: a duplicate with a taken ID is a duplicate; a taken ID alone is a conflict."""
    await client.enqueue(TASK, task_id="1", unique_seconds=60)
    with pytest.raises(DuplicateTaskError):
        await client.enqueue(TASK, task_id="1", unique_seconds=60)
    with pytest.raises(TaskIdConflictError):
        await client.enqueue(TASK, task_id="1")


async def test_batch_says_what_was_written(client: Client, redis_sync: Redis) -> None:
    """6.5: plain and later tasks of several queues; None for an ID that was taken."""
    await client.enqueue(TASK, task_id="taken")
    requests: list[tuple[Task, Options]] = [
        (TASK, {"task_id": "a"}),
        (TASK, {"task_id": "taken"}),
        (Task("later", headers={"k": "v"}), {"task_id": "b", "queue": "low", "process_in_seconds": 5}),
    ]
    infos = await client.enqueue_many(iter(requests))
    assert [info and (info.id, info.state) for info in infos] == [
        ("a", TaskState.PENDING),
        None,
        ("b", TaskState.SCHEDULED),
    ]
    assert scores_of(redis_sync, keys.scheduled("low")) == {"b": T + 5}
    assert message_of(redis_sync, "b", "low").headers == {"k": "v"}


@pytest.mark.parametrize("options", [{"unique_seconds": 60}, {"group": "g"}])
async def test_batch_takes_neither_locks_nor_groups(
    client: Client, redis_sync: Redis, options: Options
) -> None:
    """6.5: refused before anything is written."""
    with pytest.raises(InvalidArgumentError):
        await client.enqueue_many([(TASK, {}), (TASK, options)])
    assert everything(redis_sync) == {}
