"""The makers of tasks: steady arrivals, bursts, and the heaps of an incident.

All of them come through one admission: a queue that is full refuses what they bring (guide 4.2).
"""

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any

from redis.asyncio import Redis

from asynq_exporter.core.admission import Admission
from asynq_exporter.core.client import Client
from asynq_exporter.core.errors import BackpressureError, DuplicateTaskError
from asynq_exporter.demo import jobs
from asynq_exporter.demo.jobs import KINDS, Kind
from asynq_exporter.demo.past import PastClock
from asynq_exporter.demo.routine import attempt, every
from asynq_exporter.demo.scenarios import Stage

TICK_SECONDS = 0.2

#: An outage is not made good for: what should have arrived longer ago never did.
MEMORY_SECONDS = 1.0

#: Bursts: type -> how many at once. They stay within the normal range of their queue.
BURSTS = {"email:send": 60, "image:resize": 25, "payment:callback": 6}
BURST_PAUSE_SECONDS = (15.0, 40.0)

#: How quickly heaps grow.
HEAP_PAUSE_SECONDS = 0.25
HEAP_STEP = 250

OVERDUE_SECONDS = 120


class Producers:
    """Everybody who enqueues tasks, but for the scheduler and the workers."""

    def __init__(self, redis: Redis, admission: Admission, client: Client, stage: Stage, rng: Random) -> None:
        self._redis = redis
        self._admission = admission
        self._client = client
        self._stage = stage
        self._rng = rng
        self._next: dict[str, float] = {}

    def routines(self) -> list[Coroutine[Any, Any, None]]:
        """What runs for ever, side by side."""
        return [
            every(TICK_SECONDS, self._arrivals),
            self._bursts(),
            every(HEAP_PAUSE_SECONDS, self._heap),
            self._forget_due(),
        ]

    async def _arrivals(self) -> None:
        now = asyncio.get_running_loop().time()
        for kind in KINDS.values():
            if not kind.per_second:
                continue
            at = max(self._next.get(kind.type, now), now - MEMORY_SECONDS)
            while at <= now:
                at += self._rng.expovariate(kind.per_second * self._stage.now.arrivals)
                self._next[kind.type] = at
                await self._enqueue(kind)

    async def _enqueue(self, kind: Kind) -> None:
        task, options = jobs.request(kind, self._rng)
        try:
            await self._client.enqueue(task, **options)
        except (DuplicateTaskError, BackpressureError):
            return  # the page is being warmed already; or the customer is asked to come back later

    async def _bursts(self) -> None:
        while True:
            await asyncio.sleep(self._rng.uniform(*BURST_PAUSE_SECONDS))
            await attempt(self._burst)

    async def _burst(self) -> None:
        name = self._rng.choice(tuple(BURSTS))
        await self._client.enqueue_many(
            jobs.plain_request(KINDS[name], self._rng) for _ in range(BURSTS[name])
        )

    async def _heap(self) -> None:
        levels = dict(self._stage.now.backlog)
        for load in await self._admission.loads(tuple(levels)) if levels else ():
            kinds = jobs.kinds_of(load.queue)
            await self._client.enqueue_many(
                jobs.plain_request(self._rng.choice(kinds), self._rng)
                for _ in range(min(levels[load.queue] - load.size, HEAP_STEP))
            )

    async def _forget_due(self) -> None:
        """At the beginning of every spell of it."""
        while True:
            await self._stage.until(lambda now: now.overdue > 0)
            await attempt(self._enqueue_overdue)
            await self._stage.until(lambda now: now.overdue == 0)

    async def _enqueue_overdue(self) -> None:
        late = Client(self._redis, PastClock(seconds_ago=OVERDUE_SECONDS))
        requests = (
            jobs.plain_request(KINDS["task:process"], self._rng) for _ in range(self._stage.now.overdue)
        )
        await late.enqueue_many(
            [(task, {**options, "process_in_seconds": 1.0}) for task, options in requests]
        )
