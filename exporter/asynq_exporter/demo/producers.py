"""The makers of tasks: steady arrivals, bursts, and the heaps of an incident."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any

from redis.asyncio import Redis

from asynq_exporter.core import keys
from asynq_exporter.core.catalog import documented
from asynq_exporter.core.client import Client
from asynq_exporter.core.errors import DuplicateTaskError
from asynq_exporter.demo import jobs
from asynq_exporter.demo.jobs import KINDS, Kind
from asynq_exporter.demo.past import PastClock
from asynq_exporter.demo.routine import attempt, every
from asynq_exporter.demo.scenarios import Conditions, Stage

TICK_SECONDS = 0.1

#: An outage is not made good for: what should have arrived longer ago never did.
MEMORY_SECONDS = 1.0

#: Bursts: type -> how many at once. They stay within the normal range of their queue.
BURSTS = {"email:send": 60, "image:resize": 25, "payment:callback": 6}
BURST_PAUSE_SECONDS = (15.0, 40.0)

#: A queue takes nothing more when it is filled to this share of its capacity, or with so many tasks: the
#: company refuses new work as the guide wants it (4.2), and the embedded Redis stays small.
FULL_RATIO = 0.92
FULL_SIZE = 9500
STATES_COUNTED = 3

#: How quickly heaps grow.
HEAP_PAUSE_SECONDS = 0.2
HEAP_STEP = 250

OVERDUE_SECONDS = 120


class Producers:
    """Everybody who enqueues tasks, but for the scheduler."""

    def __init__(self, redis: Redis, stage: Stage, rng: Random) -> None:
        self._redis = redis
        self._client = Client(redis)
        self._stage = stage
        self._rng = rng
        self._next: dict[str, float] = {}
        self._full: set[str] = set()
        self._limits = {
            queue: min(FULL_RATIO * profile.capacity, FULL_SIZE)
            for queue, profile in documented().queues.items()
        }

    def routines(self) -> list[Coroutine[Any, Any, None]]:
        """What runs for ever, side by side."""
        return [
            every(TICK_SECONDS, self._arrivals),
            self._bursts(),
            every(1.0, self._look_for_room),
            every(HEAP_PAUSE_SECONDS, self._heap),
            self._once(lambda now: now.overdue > 0, self._forget_due),
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
        if kind.queue in self._full:
            return
        task, options = jobs.request(kind, self._rng)
        try:
            await self._client.enqueue(task, **options)
        except DuplicateTaskError:
            return  # normal: the page is being warmed already

    async def _bursts(self) -> None:
        while True:
            await asyncio.sleep(self._rng.uniform(*BURST_PAUSE_SECONDS))
            await attempt(self._burst)

    async def _burst(self) -> None:
        name = self._rng.choice(tuple(BURSTS))
        kind = KINDS[name]
        if kind.queue not in self._full:
            await self._client.enqueue_many(jobs.plain_request(kind, self._rng) for _ in range(BURSTS[name]))

    async def _look_for_room(self) -> None:
        queues = documented().queues
        pipe = self._redis.pipeline(transaction=False)
        for queue in queues:
            pipe.llen(keys.pending(queue))
            pipe.zcard(keys.scheduled(queue))
            pipe.zcard(keys.retry(queue))
        counts = await pipe.execute()
        sizes = (
            sum(counts[start : start + STATES_COUNTED]) for start in range(0, len(counts), STATES_COUNTED)
        )
        self._full = {queue for queue, size in zip(queues, sizes, strict=True) if size >= self._limits[queue]}

    async def _heap(self) -> None:
        for queue, level in self._stage.now.backlog:
            missing = level - await self._redis.llen(keys.pending(queue))
            kinds = jobs.kinds_of(queue)
            await self._client.enqueue_many(
                jobs.plain_request(self._rng.choice(kinds), self._rng) for _ in range(min(missing, HEAP_STEP))
            )

    async def _once(
        self, wanted: Callable[[Conditions], bool], action: Callable[[], Awaitable[object]]
    ) -> None:
        """Acts at the beginning of every spell of some conditions."""
        while True:
            await self._stage.until(wanted)
            await attempt(action)
            await self._stage.until(lambda now: not wanted(now))

    async def _forget_due(self) -> None:
        late = Client(self._redis, PastClock(seconds_ago=OVERDUE_SECONDS))
        requests = (
            jobs.plain_request(KINDS["task:process"], self._rng) for _ in range(self._stage.now.overdue)
        )
        await late.enqueue_many(
            [(task, {**options, "process_in_seconds": 1.0}) for task, options in requests]
        )
