"""Active tasks that no worker holds: those whose lease is over, and those that lost it."""

import asyncio
from random import Random

from redis.asyncio import Redis

from asynq_exporter.core import keys
from asynq_exporter.core.client import Client
from asynq_exporter.core.worker import Attempt, Server, ServerConfig
from asynq_exporter.core.worker.routine import happens
from asynq_exporter.demo import jobs
from asynq_exporter.demo.past import PastClock
from asynq_exporter.demo.process import Process
from asynq_exporter.demo.redis_server import EmbeddedRedis
from asynq_exporter.demo.routine import attempt
from asynq_exporter.demo.scenarios import Conditions, Stage

#: On a good day there is one now and then, and it is gone before anybody is called.
PAUSE_SECONDS = 240.0
MEND_SECONDS = 60.0

#: A lease taken so long ago has just ended.
DEAD_WORKER_SECONDS = 31.0

#: How often the worker that is to die looks for tasks, and how often it is given more, for others take some.
TASK_CHECK_SECONDS = 0.05
TRIES = 40
TRY_SECONDS = 0.5

LOST_KIND = jobs.KINDS["webhook:deliver"]
LEASELESS_KIND = jobs.KINDS["image:resize"]


class Orphans:
    """Makes orphans and mends them."""

    def __init__(self, redis: EmbeddedRedis, client: Redis, stage: Stage, rng: Random) -> None:
        self._redis = redis
        self._client = client
        self._stage = stage
        self._rng = rng
        self._leaseless: list[str] = []

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
                now = self._stage.now
                await attempt(lambda: self.lose(now.lost))  # noqa: B023
                await attempt(lambda: self.strip(now.leaseless))  # noqa: B023
                await self._stage.until(lambda now: not _wanted(now))
                await attempt(self.mend)

    async def pair(self) -> None:
        """One of each."""
        await self.lose(1)
        await self.strip(1)

    async def lose(self, number: int) -> None:
        """Some whose worker died: their leases are over. The recoverer finds them later."""
        await self._die_with(LOST_KIND, number)

    async def strip(self, number: int) -> None:
        """Some that are active without a lease."""
        task_ids = await self._die_with(LEASELESS_KIND, number)
        if task_ids:
            # By hand: no operation of asynq takes a lease away and leaves the task active.
            await self._client.zrem(keys.lease(LEASELESS_KIND.queue), *task_ids)
            self._leaseless += task_ids

    async def mend(self) -> None:
        """Gives those without a lease one that is long over, for the recoverer; asynq never finds them."""
        if self._leaseless:
            scores = dict.fromkeys(self._leaseless, 0)
            await self._client.zadd(keys.lease(LEASELESS_KIND.queue), scores)
            self._leaseless.clear()

    async def _die_with(self, kind: jobs.Kind, number: int) -> list[str]:
        """The IDs of tasks that a worker held when it was killed, half a minute ago by its clock."""
        held: list[str] = []
        enough = asyncio.Event()

        async def hold(task: Attempt) -> None:
            held.append(task.id)
            if len(held) == number:
                enough.set()
            await asyncio.Event().wait()

        config = ServerConfig(
            concurrency=number,
            queues={kind.queue: 1},
            shutdown_seconds=0.0,
            task_check_seconds=TASK_CHECK_SECONDS,
        )
        process = Process(self._redis, "doomed-worker")
        clock = PastClock(seconds_ago=DEAD_WORKER_SECONDS)
        try:
            await process.start(Server(process.redis, hold, config, clock=clock))
            for _ in range(TRIES):
                await Client(self._client).enqueue_many(
                    jobs.plain_request(kind, self._rng) for _ in range(number - len(held))
                )
                if await happens(enough, within_seconds=TRY_SECONDS):
                    break
        finally:
            await process.kill()
        return held


def _wanted(now: Conditions) -> bool:
    return bool(now.lost or now.leaseless)
