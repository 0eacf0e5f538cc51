"""One pass for all who ask at the same time: fifty scrapers cost Redis what one costs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: What a waiter grants a pass beyond its own deadline, so that a pass that ends on time is still taken.
GRACE_SECONDS = 0.05


async def end(task: "asyncio.Task[Any]") -> None:
    """Cancels a task and waits until it is over.

    Before Python 3.12 `asyncio.wait_for`, which redis-py uses, can swallow a cancellation: so ask again.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=GRACE_SECONDS)


class Shared(Generic[T]):
    """Hands the result of the pass under way, or of one not older than a moment, to everyone who asks."""

    def __init__(
        self,
        make: Callable[[float], Awaitable[T]],
        late: Callable[[float], T],
        *,
        max_age_seconds: float = 0.0,
    ) -> None:
        """`make` makes a pass within some seconds; `late` is the answer when it takes longer than that."""
        self._make = make
        self._late = late
        self._max_age_seconds = max_age_seconds
        self._task: asyncio.Task[T] | None = None
        self._done_at = float("-inf")
        #: When the pass under way runs out of time.
        self._ends_at = 0.0
        #: The result of the last pass; None before the first.
        self.latest: T | None = None

    def age_seconds(self) -> float:
        """How long ago the last pass ended; infinite before the first, and where it ran out of time."""
        return asyncio.get_running_loop().time() - self._done_at

    async def get(self, *, timeout_seconds: float) -> T:
        """A result within a time."""
        if self.latest is not None and self.age_seconds() < self._max_age_seconds:
            return self.latest
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_seconds
        while True:
            if self._task is None:
                self._ends_at = end
                self._task = asyncio.create_task(self._run(round(end - loop.time(), 3)))
            ends_at = self._ends_at
            # A scraper that gives up or is in a greater hurry must not end the pass of the others.
            done, _ = await asyncio.wait({self._task}, timeout=end - loop.time() + GRACE_SECONDS)
            if not done:
                return self._late(timeout_seconds)
            # Nor is its time theirs: where the pass ran out of it, who has more asks again.
            if not ends_at <= loop.time() < end - GRACE_SECONDS:
                return done.pop().result()

    async def close(self) -> None:
        """Ends a pass under way."""
        if self._task is not None:
            await end(self._task)

    async def _run(self, timeout_seconds: float) -> T:
        try:
            self.latest = await self._make(timeout_seconds)
            now = asyncio.get_running_loop().time()
            # What ran out of one asker's time is not handed to the next.
            self._done_at = now if now < self._ends_at else float("-inf")
            return self.latest
        finally:
            self._task = None
