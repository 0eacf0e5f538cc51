"""Tasks that cannot be saved: a few on a good day, a flood in an incident, and the cleaning-up after it."""

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any

from redis.asyncio import Redis

from asynq_exporter.core import keys
from asynq_exporter.core.client import Client
from asynq_exporter.demo import jobs
from asynq_exporter.demo.routine import attempt, every
from asynq_exporter.demo.scenarios import Stage

#: On a good day: seldom enough for the growth alert (10 an hour) and the levels of the catalogue.
PAUSE_SECONDS = 420.0
QUEUES = ("dead_letter", "default", "high", "scheduled")
ENOUGH = 12

FLOOD_PAUSE_SECONDS = 0.5
FLOOD_STEP = 25


class DeadLetters:
    """Makes dead letters, and takes those of a flood away."""

    def __init__(self, redis: Redis, stage: Stage, rng: Random) -> None:
        self._redis = redis
        self._client = Client(redis)
        self._stage = stage
        self._rng = rng
        self._sent: dict[str, int] = {}

    def routines(self) -> list[Coroutine[Any, Any, None]]:
        """What runs for ever, side by side."""
        return [self._now_and_then(), every(FLOOD_PAUSE_SECONDS, self._flood), self._clean_up_after_floods()]

    async def _now_and_then(self) -> None:
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            await attempt(self._one)

    async def _one(self) -> None:
        queue = self._rng.choice(QUEUES)
        if await self._redis.zcard(keys.archived(queue)) < ENOUGH:
            await self._send(queue, 1)

    async def _flood(self) -> None:
        for queue, level in self._stage.now.dead_letters:
            sent = self._sent.get(queue, 0)
            count = min(level - sent, FLOOD_STEP)
            await self._send(queue, count)
            self._sent[queue] = sent + count

    async def _send(self, queue: str, count: int) -> None:
        kind = jobs.kinds_of(queue)[0]
        await self._client.enqueue_many(
            jobs.doomed_request(kind, self._rng, max_retry=min(kind.max_retry, 1)) for _ in range(count)
        )

    async def _clean_up_after_floods(self) -> None:
        while True:
            await self._stage.until(lambda now: bool(now.dead_letters))
            await self._stage.until(lambda now: not now.dead_letters)
            await attempt(self._delete_all)

    async def _delete_all(self) -> None:
        """What an operator does in the end (guide 3.3)."""
        for queue, sent in self._sent.items():
            # By hand until the core can delete dead letters: the newest, which are those of the flood.
            key = keys.archived(queue)
            task_ids: list[bytes] = await self._redis.zrange(key, -sent, -1)  # type: ignore[assignment]
            for task_id in task_ids:
                await self._redis.zrem(key, task_id)
                await self._redis.delete(keys.task(queue, task_id.decode("utf-8", "surrogateescape")))
        self._sent.clear()
