"""Tasks that cannot be saved: a few on a good day, a flood in an incident, and the cleaning-up after it."""

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any

from redis.asyncio import Redis

from asynq_exporter.core import keys
from asynq_exporter.core.client import Client
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.core.states import TaskState
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

    def __init__(self, redis: Redis, client: Client, stage: Stage, rng: Random) -> None:
        self._redis = redis
        self._client = client
        self._inspector = Inspector(redis)
        self._stage = stage
        self._rng = rng
        #: Queue -> what a flood sent there and nobody took away yet.
        self._sent: dict[str, int] = {}

    def routines(self) -> list[Coroutine[Any, Any, None]]:
        """What runs for ever, side by side."""
        return [self._now_and_then(), every(FLOOD_PAUSE_SECONDS, self._flood_or_clean_up)]

    async def _now_and_then(self) -> None:
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            await attempt(self._one)

    async def _one(self) -> None:
        queue = self._rng.choice(QUEUES)
        if await self._redis.zcard(keys.archived(queue)) < ENOUGH:
            await self._send(queue, 1)

    async def _flood_or_clean_up(self) -> None:
        for queue, level in self._stage.now.dead_letters:
            sent = self._sent.get(queue, 0)
            count = min(level - sent, FLOOD_STEP)
            await self._send(queue, count)
            self._sent[queue] = sent + count
        if not self._stage.now.dead_letters:
            await self._clean_up()

    async def _clean_up(self) -> None:
        """What an operator does in the end (guide 3.3), until nothing more comes of the flood."""
        for queue in tuple(self._sent):
            result = await self._inspector.delete_all(queue, TaskState.ARCHIVED)
            self._sent[queue] -= result.done
            if self._sent[queue] <= 0:
                del self._sent[queue]

    async def _send(self, queue: str, count: int) -> None:
        kind = jobs.kinds_of(queue)[0]
        await self._client.enqueue_many(jobs.doomed_request(kind, self._rng) for _ in range(count))
