"""The broker of a worker: what is asked of Redis at the same time goes there in one round trip.

Commands of many tasks are under way at once in a worker. Sent one by one they cost a connection and a round
trip each, and most of a core; gathered while the round trip before is on its way they cost little more than
Redis needs for them, and nobody waits for company.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from asynq_exporter.core import keys, messages
from asynq_exporter.core.broker import Broker
from asynq_exporter.core.broker.base import asynq_errors
from asynq_exporter.core.clock import Clock
from asynq_exporter.core.messages import NANOSECONDS, TaskMessage
from asynq_exporter.core.scripts import Argument, Call, ScriptRunner

#: Calls in one round trip; more would let the first of them wait for the last.
BATCH_SIZE = 100


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
        super().__init__(redis, clock)
        self._scripts = GatheringRunner(redis, timeout_seconds=timeout_seconds)
        self._lease_ns = round(lease_seconds * NANOSECONDS)

    async def take(self, queues: Iterable[str]) -> TakenTask | None:
        """The next task of the first queue that has one and is not paused; None when all are empty.

        Raises:
            CorruptMessageError: the task taken is no message of asynq; it stays active.
        """
        for queue in queues:
            expires_ns = self._now_ns() + self._lease_ns
            found: list[bytes | None] | None = await self._run(
                "dequeue_timed",
                (keys.pending(queue), keys.paused(queue), keys.active(queue), keys.lease(queue)),
                expires_ns // NANOSECONDS,
                keys.task_prefix(queue),
            )
            if found is not None:
                data, since = found
                return TakenTask(
                    message=messages.decode_task(data or b""),
                    lease_expires_at=expires_ns / NANOSECONDS,
                    pending_since_ns=_nanoseconds(since),
                )
        return None

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
        with asynq_errors():
            names = cast("set[bytes]", await self._redis.smembers(keys.groups(queue)))
        return [name.decode() for name in names if messages.clean_text(name).encode() == name]

    async def ping(self) -> None:
        """Raises UnavailableError when Redis does not answer."""
        with asynq_errors():
            await self._redis.ping()

    async def close(self) -> None:
        """Lets what is under way end."""
        await self._scripts.close()


class GatheringRunner(ScriptRunner):
    """Runs scripts as they come: one round trip at a time, with all that was asked for meanwhile."""

    def __init__(self, redis: Redis, *, timeout_seconds: float) -> None:
        super().__init__(redis)
        # What sends a batch: where Redis has forgotten a script it asks once more, and not behind itself.
        self._direct = ScriptRunner(redis)
        self._timeout_seconds = timeout_seconds
        self._waiting: list[tuple[Call, asyncio.Future[Any]]] = []
        self._sender: asyncio.Task[None] | None = None

    async def run(self, name: str, keys: Sequence[str], *args: Argument) -> Any:
        """The reply of a script; a round trip that takes too long raises TimeoutError of redis-py."""
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((Call(script=name, keys=keys, args=args), reply))
        if self._sender is None:
            self._sender = asyncio.create_task(self._send())
        return await reply

    async def close(self) -> None:
        """Waits for the round trip under way."""
        if self._sender is not None:
            await asyncio.wait({self._sender})

    async def _send(self) -> None:
        try:
            # Whoever is about to ask in this turn of the loop comes along.
            await asyncio.sleep(0)
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH_SIZE], self._waiting[BATCH_SIZE:]
                await self._send_batch(batch)
        finally:
            self._sender = None

    async def _send_batch(self, batch: Sequence[tuple[Call, "asyncio.Future[Any]"]]) -> None:
        replies: Sequence[Any]
        try:
            async with asyncio.timeout(self._timeout_seconds):
                replies = await self._direct.run_many([call for call, _ in batch])
        except TimeoutError:
            replies = [RedisTimeoutError(f"no answer within {self._timeout_seconds:g} s")] * len(batch)
        except (OSError, RuntimeError) as exc:
            # asyncio's words for a connection that went away under redis-py's hands.
            replies = [RedisConnectionError(str(exc))] * len(batch)
        except Exception as exc:  # noqa: BLE001 - each caller gets it, whatever it is
            replies = [exc] * len(batch)
        for (_, waiting), reply in zip(batch, replies, strict=True):
            if waiting.done():
                continue  # whoever asked has given up
            if isinstance(reply, Exception):
                waiting.set_exception(reply)
            else:
                waiting.set_result(reply)


def _nanoseconds(text: bytes | None) -> int | None:
    # Anybody can write into the hash; the task is worth more than its waiting time.
    return int(text) if text is not None and text.isdigit() else None
