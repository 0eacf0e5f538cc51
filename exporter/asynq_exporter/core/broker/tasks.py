"""Operations on tasks as their makers see them: create, cancel, add a result (wire 3.1-3.7, 3.26, 3.27)."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from asynq_exporter.core import keys, messages
from asynq_exporter.core.broker.base import Operations, as_asynq_error, asynq_errors
from asynq_exporter.core.errors import DuplicateTaskError, InvalidArgumentError, TaskIdConflictError
from asynq_exporter.core.messages import TaskMessage
from asynq_exporter.core.scripts import Call

#: Tasks that are written in one round trip; bounds what lies in the buffers of both sides.
BATCH_SIZE = 1000

_WRITTEN = 1
_ID_TAKEN = 0
_LOCK_HELD = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task to be written in a batch."""

    message: TaskMessage
    #: Unix seconds at which it is to run; None is at once.
    process_at: int | None = None


class Tasks(Operations):
    """Creates tasks, cancels running ones, writes results.

    Creating registers the queue each time, in the same round trip. asynq does it once per process, and
    then keeps writing into a queue that somebody deleted in between (trap 6).
    """

    async def enqueue(self, message: TaskMessage) -> None:
        """Makes a task ready to run; raises TaskIdConflictError."""
        await self._create(message, self._enqueue(message))

    async def enqueue_unique(self, message: TaskMessage, *, ttl_seconds: int) -> None:
        """Makes a task ready to run that holds its lock for a while.

        Raises DuplicateTaskError and TaskIdConflictError. The lock is tested first; on an ID conflict it is
        left behind until its time is over.
        """
        queue, id_ = message.queue, message.id
        lock = _lock(message, ttl_seconds)
        call = Call(
            script="enqueue_unique",
            keys=(keys.task(queue, id_), keys.pending(queue), lock),
            args=(messages.encode(message), id_, self._now_ns(), ttl_seconds),
        )
        await self._create(message, call)

    async def schedule(self, message: TaskMessage, *, process_at: int) -> None:
        """Makes a task that runs at a Unix second; raises TaskIdConflictError."""
        await self._create(message, self._schedule(message, process_at))

    async def schedule_unique(self, message: TaskMessage, *, process_at: int, ttl_seconds: int) -> None:
        """Makes a task that runs later and holds its lock for a while; raises as `enqueue_unique`."""
        queue, id_ = message.queue, message.id
        lock = _lock(message, ttl_seconds)
        call = Call(
            script="schedule_unique",
            keys=(keys.task(queue, id_), keys.scheduled(queue), lock),
            args=(messages.encode(message), id_, process_at, ttl_seconds),
        )
        await self._create(message, call)

    async def add_to_group(self, message: TaskMessage) -> None:
        """Makes a task that waits in the group its message names; raises TaskIdConflictError."""
        queue, id_, group = message.queue, message.id, _group(message)
        call = Call(
            script="add_to_group",
            keys=(keys.task(queue, id_), keys.group(queue, group), keys.groups(queue)),
            args=(messages.encode(message), id_, self._now_seconds(), group),
        )
        await self._create(message, call)

    async def add_to_group_unique(self, message: TaskMessage, *, ttl_seconds: int) -> None:
        """Makes a task that waits in its group and holds its lock for a while; raises as `enqueue_unique`.

        The hash does not name the lock, so deleting the task by hand does not free it.
        """
        queue, id_, group = message.queue, message.id, _group(message)
        lock = _lock(message, ttl_seconds)
        call = Call(
            script="add_to_group_unique",
            keys=(keys.task(queue, id_), keys.group(queue, group), keys.groups(queue), lock),
            args=(messages.encode(message), id_, self._now_seconds(), group, ttl_seconds),
        )
        await self._create(message, call)

    async def enqueue_many(self, tasks: Iterable[NewTask]) -> list[bool]:
        """Whether each task was written, in order; False where its ID was taken.

        Thousands in a second: pipelined, not a transaction. The first real error is raised, with the tasks
        around it written.
        """
        written: list[bool] = []
        remaining = iter(tasks)
        while batch := list(itertools.islice(remaining, BATCH_SIZE)):
            calls = [
                self._enqueue(task.message)
                if task.process_at is None
                else self._schedule(task.message, task.process_at)
                for task in batch
            ]
            queues = dict.fromkeys(task.message.queue for task in batch)
            replies = await self._create_all(queues, calls)
            for reply in replies:
                if isinstance(reply, RedisError):
                    raise as_asynq_error(reply) from reply
                written.append(reply == _WRITTEN)
        return written

    async def publish_cancelation(self, task_id: str) -> None:
        """Asks every server to cancel a task, in whatever queue; nobody tells whether one did."""
        with asynq_errors():
            await self._redis.publish(keys.CANCEL_CHANNEL, task_id)

    async def write_result(self, queue: str, task_id: str, result: bytes) -> int:
        """Writes what a handler has to say about its task; returns the number of bytes.

        Nothing checks that the task is still there: the result of a deleted one makes a ghost hash (trap 12).
        """
        with asynq_errors():
            await self._redis.hset(keys.task(queue, task_id), "result", result)
        return len(result)

    def _enqueue(self, message: TaskMessage) -> Call:
        queue, id_ = message.queue, message.id
        return Call(
            script="enqueue",
            keys=(keys.task(queue, id_), keys.pending(queue)),
            args=(messages.encode(message), id_, self._now_ns()),
        )

    def _schedule(self, message: TaskMessage, process_at: int) -> Call:
        queue, id_ = message.queue, message.id
        return Call(
            script="schedule",
            keys=(keys.task(queue, id_), keys.scheduled(queue)),
            args=(messages.encode(message), id_, process_at),
        )

    async def _create(self, message: TaskMessage, call: Call) -> None:
        [reply] = await self._create_all([message.queue], [call])
        if isinstance(reply, RedisError):
            raise as_asynq_error(reply) from reply
        if reply == _LOCK_HELD:
            raise DuplicateTaskError
        if reply == _ID_TAKEN:
            raise TaskIdConflictError

    async def _create_all(self, queues: Iterable[str], calls: list[Call]) -> list[Any]:
        with asynq_errors():
            return await self._scripts.run_many(calls, before=[("SADD", keys.QUEUES, *queues)])


def _lock(message: TaskMessage, ttl_seconds: int) -> str:
    if not message.unique_key:
        raise InvalidArgumentError("the task names no uniqueness lock")
    if ttl_seconds < 1:
        raise InvalidArgumentError(f"a uniqueness lock lives 1 second or more, not {ttl_seconds}")
    return message.unique_key


def _group(message: TaskMessage) -> str:
    if not message.group_key:
        raise InvalidArgumentError("the task names no group")
    return message.group_key
