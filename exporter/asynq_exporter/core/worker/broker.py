"""The broker of a worker: what is asked of Redis at the same time goes there in one round trip."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from redis.asyncio import Redis

from asynq_exporter.core import keys, messages
from asynq_exporter.core.broker import Broker
from asynq_exporter.core.broker.base import asynq_errors
from asynq_exporter.core.clock import Clock
from asynq_exporter.core.cluster import ClusterClient
from asynq_exporter.core.errors import UnavailableError
from asynq_exporter.core.messages import NANOSECONDS, TaskMessage
from asynq_exporter.core.scripts.gathering import GatheringRunner
from asynq_exporter.core.scripts.lanes import gathering


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenTask:
    """A task that was taken to be worked on."""

    message: TaskMessage
    #: Unix seconds until which nobody else takes the task.
    lease_expires_at: float
    #: Unix nanoseconds; None where the task does not say.
    pending_since_ns: int | None


class WorkerBroker(Broker):
    """A broker with leases of a chosen length, for many callers at once."""

    _scripts: "GatheringRunner"

    def __init__(self, redis: Redis, clock: Clock, *, lease_seconds: float, timeout_seconds: float) -> None:
        super().__init__(redis, clock, scripts=gathering(redis, timeout_seconds=timeout_seconds))
        self._lease_ns = round(lease_seconds * NANOSECONDS)
        self._timeout_seconds = timeout_seconds
        #: Queues lie on several nodes, and one that is lost is no reason to leave out the others.
        self._is_spread = isinstance(redis, ClusterClient)

    async def take(self, queues: Iterable[str]) -> TakenTask | None:
        """The next task of the first queue that has one and is not paused; None when all are empty.

        Raises:
            CorruptMessageError: the task taken is no message of asynq; it stays active.
            UnavailableError: Redis does not answer; in a cluster, that of a queue, and no other had a task.
        """
        lost: UnavailableError | None = None
        for queue in queues:
            try:
                if (task := await self._take(queue)) is not None:
                    return task
            except UnavailableError as exc:
                lost = exc
                if not self._is_spread:
                    break
        if lost is not None:
            raise lost
        return None

    async def _take(self, queue: str) -> TakenTask | None:
        expires_ns = self._now_ns() + self._lease_ns
        found: list[bytes | None] | None = await self._run(
            "dequeue_timed",
            (keys.pending(queue), keys.paused(queue), keys.active(queue), keys.lease(queue)),
            expires_ns // NANOSECONDS,
            keys.task_prefix(queue),
        )
        if found is None:
            return None
        data, since = found
        return TakenTask(
            message=messages.decode_task(data or b""),
            lease_expires_at=expires_ns / NANOSECONDS,
            pending_since_ns=_nanoseconds(since),
        )

    async def extend_lease(self, queue: str, task_ids: Iterable[str]) -> float:
        """Renews the leases that still exist; returns their new end in Unix seconds."""
        expires_ns = self._now_ns() + self._lease_ns
        scores = dict.fromkeys(task_ids, expires_ns // NANOSECONDS)
        if scores:
            with asynq_errors():
                # XX: a lease that was taken away must not come back.
                await self._redis.zadd(keys.lease(queue), scores, xx=True)
        return expires_ns / NANOSECONDS

    async def groups(self, queue: str) -> list[str]:
        """The groups with waiting tasks; a name that is no text is left out: we could not ask for it."""
        async with self._in_time():
            names = cast("set[bytes]", await self._redis.smembers(keys.groups(queue)))
        return [name.decode() for name in names if messages.clean_text(name).encode() == name]

    async def ping(self) -> None:
        """Raises UnavailableError when Redis does not answer."""
        async with self._in_time():
            await self._redis.ping()

    async def close(self) -> None:
        """Lets what is under way end."""
        await self._scripts.close()

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        # A Redis that hangs keeps its connections open.
        try:
            async with asyncio.timeout(self._timeout_seconds):
                with asynq_errors():
                    yield
        except TimeoutError as exc:
            raise UnavailableError(f"no answer within {self._timeout_seconds:g} s") from exc


def _nanoseconds(text: bytes | None) -> int | None:
    # Anybody can write into the hash; the task is worth more than its waiting time.
    return int(text) if text is not None and text.isdigit() else None
