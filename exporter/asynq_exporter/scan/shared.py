"""One pass for all who ask at the same time: fifty scrapers cost Redis what one costs."""

import asyncio
from collections.abc import Awaitable, Callable

from asynq_exporter.scan.snapshot import Snapshot


class SharedScan:
    """Hands the snapshot of the pass under way, or of one not older than a moment, to everyone who asks."""

    def __init__(
        self,
        scan: Callable[[float], Awaitable[Snapshot]],
        unanswered: Callable[[float], Snapshot],
        *,
        max_age_seconds: float = 0.0,
    ) -> None:
        """`scan` makes a pass within some seconds; `unanswered` is the snapshot of one that took too long."""
        self._scan = scan
        self._unanswered = unanswered
        self._max_age_seconds = max_age_seconds
        self._task: asyncio.Task[Snapshot] | None = None
        self._done_at = float("-inf")
        #: The latest snapshot; None before the first.
        self.latest: Snapshot | None = None

    async def get(self, *, timeout_seconds: float) -> Snapshot:
        """A snapshot within a time; one that says so when Redis does not make it."""
        loop = asyncio.get_running_loop()
        if self.latest is not None and loop.time() - self._done_at < self._max_age_seconds:
            return self.latest
        if self._task is None:
            self._task = asyncio.create_task(self._run(timeout_seconds))
        # A scraper that gives up or is in a greater hurry must not end the pass of the others.
        done, _ = await asyncio.wait({self._task}, timeout=timeout_seconds + 0.05)
        if not done:
            return self._unanswered(timeout_seconds)
        return done.pop().result()

    async def close(self) -> None:
        """Ends a pass under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, timeout_seconds: float) -> Snapshot:
        try:
            snapshot = await self._scan(timeout_seconds)
            self.latest = snapshot
            self._done_at = asyncio.get_running_loop().time()
            return snapshot
        finally:
            self._task = None
