"""The task records in numbers: read from their database in the background, and kept for the scrapes."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.core.errors import AsynqError
from asynq_exporter.scan.background.pause import Sleep, pause_seconds
from asynq_exporter.scan.snapshot import Part, Records

if TYPE_CHECKING:
    from asynq_exporter.core.records import Summary

logger = logging.getLogger(__name__)

#: A database that takes longer is left alone until the next round.
TIMEOUT_SECONDS = 10.0


class Summarized(Protocol):
    """What can be asked for the numbers, as `SqlRecords` can."""

    async def summary(self) -> "Summary":
        """The numbers; raises AsynqError."""
        ...

    async def close(self) -> None:
        """Ends the connections."""
        ...


class RecordsCollector:
    """Reads the numbers in its own time."""

    def __init__(
        self,
        connect: Callable[[], Summarized],
        *,
        polling_queues: tuple[str, ...] = (),
        interval_seconds: float = 60.0,
        timeout_seconds: float = TIMEOUT_SECONDS,
        clock: Clock | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Connects to nothing yet.

        Args:
            connect: makes the connections, in each round until it does not raise ValueError or AsynqError.
            polling_queues: queues of the jobs that poll.
            interval_seconds: between two rounds.
            timeout_seconds: of one.
            clock: of the process.
            sleep: what waits between rounds.
        """
        self._connect = connect
        self._polling_queues = polling_queues
        self._interval_seconds = interval_seconds
        self._timeout_seconds = timeout_seconds
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._source: Summarized | None = None
        self._round: asyncio.Task[Records] | None = None
        #: What was last read; None before the first time.
        self.latest: Records | None = None

    async def run(self) -> None:
        """Reads for ever, a round each interval and sooner after a failure, until cancelled."""
        failures = 0
        while True:
            self._round = asyncio.create_task(self.collect())
            # Not cut off in the middle: a connection that is just being made would never be closed.
            failures = 0 if (await asyncio.shield(self._round)).part.success else failures + 1
            await self._sleep(pause_seconds(self._interval_seconds, failures))

    async def collect(self) -> Records:
        """One round."""
        started = time.perf_counter()
        summary, error = None, ""
        try:
            source = self._source
            if source is None:
                # It loads a library that takes long.
                source = self._source = await asyncio.to_thread(self._connect)
            async with asyncio.timeout(self._timeout_seconds):
                summary = await source.summary()
        except TimeoutError:
            error = f"the database did not answer within {self._timeout_seconds:g} s"
        except (AsynqError, ValueError) as exc:
            error = str(exc)
        return self._keep(summary, error, time.perf_counter() - started)

    async def close(self) -> None:
        """Ends the connections, after the round under way."""
        if self._round is not None:
            await asyncio.wait({self._round})
        if self._source is not None:
            await self._source.close()

    def _keep(self, summary: "Summary | None", error: str, duration_seconds: float) -> Records:
        before = self.latest.part if self.latest else None
        if error and (before is None or before.success):
            logger.warning("Task records cannot be read", extra={"error": error})
        elif not error and before is not None and not before.success:
            logger.info("Task records can be read again")
        sampled_at = before.sampled_at_seconds if before else None
        part = Part(
            success=not error,
            duration_seconds=duration_seconds,
            error=error,
            sampled_at_seconds=sampled_at if error else self._clock.now_ns() / 1e9,
        )
        self.latest = Records(summary=summary, polling_queues=self._polling_queues, part=part)
        return self.latest
