"""Operations on attempts: a worker takes a task, keeps its lease and ends it (wire 3.8-3.13, 3.16, 3.17)."""

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass

from asynq_exporter.core import keys, messages
from asynq_exporter.core.broker.base import STATS_TTL_SECONDS, Operations, asynq_errors
from asynq_exporter.core.clock import utc_day
from asynq_exporter.core.errors import CorruptMessageError
from asynq_exporter.core.messages import NANOSECONDS, TaskMessage

#: How long a worker holds a task without extending its lease.
LEASE_SECONDS = 30

#: The archive is trimmed to one less than this size, and to this age.
ARCHIVE_SIZE = 10_000
ARCHIVE_AGE_SECONDS = 90 * 24 * 3600

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A task in the hands of a worker."""

    message: TaskMessage
    #: Unix seconds until which nobody else takes the task.
    lease_expires_at: float


class Attempts(Operations):
    """What a worker does with a task.

    Those that end an attempt raise NotFoundError when the worker no longer holds the task. Redis does not
    roll back: a task found without a lease is out of the active list by then.
    """

    async def dequeue(self, queues: Iterable[str]) -> Delivery | None:
        """The next task of the first queue that has one and is not paused; None when all are empty.

        Raises:
            CorruptMessageError: the task taken is no message of asynq; it stays active.
        """
        for queue in queues:
            expires_ns = self._now_ns() + LEASE_SECONDS * NANOSECONDS
            data: bytes | None = await self._run(
                "dequeue",
                (keys.pending(queue), keys.paused(queue), keys.active(queue), keys.lease(queue)),
                expires_ns // NANOSECONDS,
                keys.task_prefix(queue),
            )
            # None also means an ID without a hash. As in asynq it stays in the active list (trap 12).
            if data is not None:
                return Delivery(message=messages.decode_task(data), lease_expires_at=expires_ns / NANOSECONDS)
        return None

    async def done(self, message: TaskMessage) -> None:
        """Ends a task that succeeded or was revoked: deletes it, counts it, frees its lock."""
        queue, id_ = message.queue, message.id
        names = [
            *(keys.active(queue), keys.lease(queue), keys.task(queue, id_)),
            *(keys.processed_on(queue, self._today()), keys.processed(queue)),
        ]
        await self._run(*_with_lock("done", names, message), id_, self._stats_expire_at())

    async def mark_complete(self, message: TaskMessage) -> None:
        """Ends a task that succeeded and is kept for its retention: counts it, frees its lock.

        Raises:
            InternalError: the task is completed already.
        """
        queue, id_, now = message.queue, message.id, self._now_seconds()
        names = [
            *(keys.active(queue), keys.lease(queue), keys.completed(queue), keys.task(queue, id_)),
            *(keys.processed_on(queue, self._today()), keys.processed(queue)),
        ]
        await self._run(
            *_with_lock("mark_complete", names, message),
            id_,
            self._stats_expire_at(),
            now + message.retention,
            messages.encode(messages.completed(message, at_seconds=now)),
        )

    async def requeue(self, message: TaskMessage) -> None:
        """Puts a task back as the next to run; nothing is counted."""
        queue, id_ = message.queue, message.id
        await self._run(
            "requeue",
            (keys.active(queue), keys.lease(queue), keys.pending(queue), keys.task(queue, id_)),
            id_,
        )

    async def retry(
        self, message: TaskMessage, *, retry_at: float, error: str, is_failure: bool = True
    ) -> None:
        """Lets a task wait until a Unix second for its next attempt.

        An attempt that is no failure uses up no retry and is counted nowhere; its error is noted even so.
        """
        queue, id_ = message.queue, message.id
        edited = messages.failed(message, error, at_seconds=self._now_seconds(), counted=is_failure)
        await self._run(
            "retry",
            self._failure_keys(queue, id_, keys.retry(queue)),
            id_,
            messages.encode(edited),
            math.floor(retry_at),
            self._stats_expire_at(),
            int(is_failure),
        )

    async def archive(self, message: TaskMessage, *, error: str) -> None:
        """Gives a task up and trims the archive; always counted as a failure, the lock stays."""
        queue, id_, now = message.queue, message.id, self._now_seconds()
        edited = messages.failed(message, error, at_seconds=now, counted=False)
        await self._run(
            "archive",
            self._failure_keys(queue, id_, keys.archived(queue)),
            id_,
            messages.encode(edited),
            now,
            now - ARCHIVE_AGE_SECONDS,
            ARCHIVE_SIZE,
            self._stats_expire_at(),
            keys.task_prefix(queue),
        )

    async def list_lease_expired(self, queues: Iterable[str], *, cutoff: float) -> list[TaskMessage]:
        """Tasks whose lease ended until a Unix second; a recoverer looks 30 s back, an inspector at now.

        What has no message, or none that can be read, is left out: it must not block the others' recovery.
        """
        found = []
        for queue in queues:
            replies: list[bytes] = await self._run(
                "list_lease_expired", (keys.lease(queue),), math.floor(cutoff), keys.task_prefix(queue)
            )
            for data in replies:
                try:
                    found.append(messages.decode_task(data))
                except CorruptMessageError:
                    log.warning("queue %r holds an active task whose message cannot be read", queue)
        return found

    async def extend_lease(self, queue: str, task_ids: Iterable[str]) -> float:
        """Renews the leases that still exist; returns their new end in Unix seconds."""
        expires_ns = self._now_ns() + LEASE_SECONDS * NANOSECONDS
        scores = dict.fromkeys(task_ids, expires_ns // NANOSECONDS)
        if scores:
            with asynq_errors():
                # XX: a lease that was taken away must not come back.
                await self._redis.zadd(keys.lease(queue), scores, xx=True)
        return expires_ns / NANOSECONDS

    def _failure_keys(self, queue: str, task_id: str, destination: str) -> tuple[str, ...]:
        day = self._today()
        return (
            *(keys.task(queue, task_id), keys.active(queue), keys.lease(queue), destination),
            *(keys.processed_on(queue, day), keys.failed_on(queue, day)),
            *(keys.processed(queue), keys.failed(queue)),
        )

    def _today(self) -> str:
        return utc_day(self._now_ns())

    def _stats_expire_at(self) -> int:
        return self._now_seconds() + STATS_TTL_SECONDS


def _with_lock(script: str, names: list[str], message: TaskMessage) -> tuple[str, list[str]]:
    if not message.unique_key:
        return script, names
    return f"{script}_unique", [*names, message.unique_key]
