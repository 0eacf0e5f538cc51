"""Active tasks that no worker holds: those whose lease is over, and those that lost it."""

import asyncio
from random import Random

from redis.asyncio import Redis

from asynq_exporter.core import keys
from asynq_exporter.core.broker import Broker, Delivery
from asynq_exporter.core.client import Client
from asynq_exporter.core.messages import TaskMessage
from asynq_exporter.demo import jobs
from asynq_exporter.demo.past import PastClock
from asynq_exporter.demo.routine import attempt
from asynq_exporter.demo.scenarios import Conditions, Stage

#: On a good day there is one now and then, and it is gone before anybody is called.
PAUSE_SECONDS = 240.0
MEND_SECONDS = 60.0

#: A lease taken so long ago has just ended.
DEAD_WORKER_SECONDS = 31.0

LOST_KIND = jobs.KINDS["webhook:deliver"]
LEASELESS_KIND = jobs.KINDS["image:resize"]


class Orphans:
    """Makes orphans and mends them."""

    def __init__(self, redis: Redis, stage: Stage, rng: Random) -> None:
        self._redis = redis
        self._client = Client(redis)
        self._broker = Broker(redis)
        self._dead_worker = Broker(redis, PastClock(seconds_ago=DEAD_WORKER_SECONDS))
        self._stage = stage
        self._rng = rng
        self._leaseless: list[TaskMessage] = []

    async def run(self) -> None:
        """As many as the conditions want, for as long as they last; else a pair now and then; for ever."""
        while True:
            for seconds, action in ((MEND_SECONDS, self.mend), (PAUSE_SECONDS, self.pair)):
                try:
                    async with asyncio.timeout(seconds):
                        await self._stage.until(_wanted)
                except TimeoutError:
                    await attempt(action)
                    continue
                await attempt(self._incident)
                await self._stage.until(lambda now: not _wanted(now))
                await attempt(self.mend)

    async def pair(self) -> None:
        """One of each."""
        await self.lose()
        await self.strip()

    async def lose(self) -> None:
        """One whose worker died: its lease is over. The recoverer finds it later."""
        await self._take(self._dead_worker, LOST_KIND)

    async def strip(self) -> None:
        """One that is active without a lease."""
        if delivery := await self._take(self._broker, LEASELESS_KIND):
            # By hand: no operation of asynq takes a lease and leaves the task active.
            await self._redis.zrem(keys.lease(delivery.message.queue), delivery.message.id)
            self._leaseless.append(delivery.message)

    async def mend(self) -> None:
        """Puts those without a lease back; asynq itself never finds them."""
        while self._leaseless:
            message = self._leaseless[-1]
            # By hand, the other way round; an operation refuses a task without a lease.
            await self._redis.zadd(keys.lease(message.queue), {message.id: 0})
            await self._broker.requeue(message)
            self._leaseless.pop()

    async def _incident(self) -> None:
        for _ in range(self._stage.now.lost):
            await self.lose()
        for _ in range(self._stage.now.leaseless):
            await self.strip()

    async def _take(self, broker: Broker, kind: jobs.Kind) -> Delivery | None:
        # The workers may be quicker; then another one.
        for _ in range(20):
            task, options = jobs.plain_request(kind, self._rng)
            await self._client.enqueue(task, **options)
            if delivery := await broker.dequeue([kind.queue]):
                return delivery
        return None


def _wanted(now: Conditions) -> bool:
    return bool(now.lost or now.leaseless)
