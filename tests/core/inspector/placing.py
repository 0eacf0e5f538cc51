"""Puts tasks into states, through the broker or, where many are wanted, straight into Redis."""

from collections.abc import Iterable, Mapping
from typing import Any

from redis import Redis

from asynq_exporter.core import Broker, TaskState, keys, messages
from tests.core.queue_state import Q, T, a_task

GROUP = "g:1"

#: Where each state keeps its tasks.
PLACE: Mapping[TaskState, str] = {
    TaskState.PENDING: keys.pending(Q),
    TaskState.ACTIVE: keys.active(Q),
    TaskState.SCHEDULED: keys.scheduled(Q),
    TaskState.RETRY: keys.retry(Q),
    TaskState.ARCHIVED: keys.archived(Q),
    TaskState.COMPLETED: keys.completed(Q),
    TaskState.AGGREGATING: keys.group(Q, GROUP),
}

LISTS = {TaskState.PENDING, TaskState.ACTIVE}

#: The group that the methods of the Inspector want with a state.
GROUP_OF = {state: GROUP if state is TaskState.AGGREGATING else "" for state in TaskState}


async def place(broker: Broker, state: TaskState, task_id: str = "1", **fields: Any) -> None:
    """One task in a state, as asynq's own operations leave it; nothing else may be pending."""
    if state is TaskState.SCHEDULED:
        await broker.schedule(a_task(task_id, **fields), process_at=T + 60)
        return
    if state is TaskState.AGGREGATING:
        await broker.add_to_group(a_task(task_id, group=GROUP, **fields))
        return
    if state is TaskState.COMPLETED:
        fields = {"retention_seconds": 60, **fields}
    message = a_task(task_id, **fields)
    await broker.enqueue(message)
    if state is TaskState.PENDING:
        return
    assert await broker.dequeue([message.queue]) is not None
    if state is TaskState.RETRY:
        await broker.retry(message, retry_at=T + 60, error="boom")
    elif state is TaskState.ARCHIVED:
        await broker.archive(message, error="boom")
    elif state is TaskState.COMPLETED:
        await broker.mark_complete(message)


def fill(
    redis: Redis, state: TaskState, ids: Iterable[str], *, score: int = T, lock: bool = False, **fields: Any
) -> list[str]:
    """Many tasks in a state; in a sorted set the score rises by one a task. Their IDs, in reading order."""
    ids = list(ids)
    pipe = redis.pipeline(transaction=False)
    pipe.sadd(keys.QUEUES, Q)
    for number, task_id in enumerate(ids):
        hash_: dict[Any, Any] = {"msg": messages.encode(a_task(task_id, **fields)), "state": str(state)}
        if state is TaskState.PENDING:
            hash_["pending_since"] = (score + number) * 10**9
        if state is TaskState.AGGREGATING:
            hash_["group"] = GROUP
        if lock:
            hash_["unique_key"] = f"lock:{task_id}"
            pipe.set(f"lock:{task_id}", task_id)
        pipe.hset(keys.task(Q, task_id), mapping=hash_)
        if state in LISTS:
            pipe.lpush(PLACE[state], task_id)
        else:
            pipe.zadd(PLACE[state], {task_id: score + number})
    if state is TaskState.AGGREGATING:
        pipe.sadd(keys.groups(Q), GROUP)
    pipe.execute()
    return ids
