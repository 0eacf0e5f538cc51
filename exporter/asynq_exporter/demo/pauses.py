"""A queue is paused for a while now and then, and others for the length of an incident."""

import asyncio
import contextlib

from redis.asyncio import Redis

from asynq_exporter.core.broker import Broker
from asynq_exporter.core.errors import FailedPreconditionError
from asynq_exporter.demo.routine import every
from asynq_exporter.demo.scenarios import Stage

#: Every so often somebody stops the reports, for so long: fewer tasks pile up than the normal range allows.
CYCLE_SECONDS = 240.0
PAUSE_SECONDS = 30.0
FIRST_SECONDS = 20.0
QUEUE = "low"


class Pauses:
    """Pauses and unpauses queues."""

    def __init__(self, redis: Redis, stage: Stage) -> None:
        self._broker = Broker(redis)
        self._stage = stage
        self._paused: set[str] = set()

    async def run(self) -> None:
        """Follows the conditions and the time of day, for ever."""
        started = asyncio.get_running_loop().time()

        async def look() -> None:
            elapsed = asyncio.get_running_loop().time() - started
            wanted = set(self._stage.now.paused)
            if FIRST_SECONDS <= elapsed % CYCLE_SECONDS < FIRST_SECONDS + PAUSE_SECONDS:
                wanted.add(QUEUE)
            await self._make(wanted)

        await every(1.0, look)

    async def _make(self, wanted: set[str]) -> None:
        # A visitor may have done it before us, and that is fine.
        for queue in wanted - self._paused:
            with contextlib.suppress(FailedPreconditionError):
                await self._broker.pause(queue)
            self._paused.add(queue)
        for queue in self._paused - wanted:
            with contextlib.suppress(FailedPreconditionError):
                await self._broker.unpause(queue)
            self._paused.discard(queue)
