"""A process of the company: a server or scheduler of the core that can end in order, or die."""

import asyncio

from asynq_exporter.core.worker import Scheduler, Server
from asynq_exporter.demo.redis_server import EmbeddedRedis
from asynq_exporter.demo.routine import to_the_end

#: What a shutdown in order may take; a Redis that hangs would keep it for long.
GRACE_SECONDS = 5.0

#: How often connections are cut until the end.
CUT_SECONDS = 0.05


class Process:
    """A server or scheduler with a client of its own.

    It runs inside of the demo, which so starts fast and stays small. For everybody else its death is that of
    a process: from one moment to the next Redis hears nothing of it any more.
    """

    def __init__(self, redis: EmbeddedRedis, name: str) -> None:
        self._line = redis.new_line()
        self.redis = redis.client(name, line=self._line)
        self._program: Server | Scheduler | None = None

    async def start(self, program: Server | Scheduler) -> None:
        """Starts what was made with the client of this process."""
        self._program = program
        await program.start()

    async def stop(self) -> None:
        """Ends it in order: tasks go back to their queues, records go away."""
        await to_the_end(self._end(grace_seconds=GRACE_SECONDS))

    async def kill(self) -> None:
        """Ends it as SIGKILL does: tasks stay active under leases that nobody extends, records run out."""
        await to_the_end(self._end(grace_seconds=0.0))

    async def _end(self, *, grace_seconds: float) -> None:
        if self._program is None:
            return
        shutdown = asyncio.create_task(self._program.shutdown())
        if grace_seconds:
            await asyncio.wait({shutdown}, timeout=grace_seconds)
        self._line.unlink(missing_ok=True)
        # Again and again: one that was just being made is not cut, and a Redis that hangs never answers it.
        while not shutdown.done():
            await self.redis.connection_pool.disconnect()
            await asyncio.wait({shutdown}, timeout=CUT_SECONDS)
        await shutdown
        await self.redis.aclose()
