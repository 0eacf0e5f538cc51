"""Work that a server repeats until it is shut down, whatever goes wrong in a pass."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from asynq_exporter.core.errors import AsynqError
from asynq_exporter.core.worker.outage import Outage

logger = logging.getLogger(__name__)

#: How often a task that did not hear its cancellation is told again.
INSIST_SECONDS = 0.05


async def end(task: "asyncio.Task[Any]") -> None:
    """Cancels a task and waits until it is over.

    Before Python 3.12 `asyncio.wait_for`, which redis-py uses, can swallow a cancellation: so ask again.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=INSIST_SECONDS)


async def happens(event: asyncio.Event, *, within_seconds: float) -> bool:
    """Whether an event happens within a time; waits for it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_seconds):
            await event.wait()
    return event.is_set()


class Routine:
    """An action that is repeated, with a pause after each pass."""

    def __init__(
        self,
        name: str,
        action: Callable[[], Awaitable[object]],
        *,
        interval_seconds: float,
        outage: Outage,
        at_once: bool = False,
    ) -> None:
        """`at_once` makes the first pass at the start rather than after the first interval."""
        self._name = name
        self._action = action
        self._interval_seconds = interval_seconds
        self._outage = outage
        self._at_once = at_once
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self, *, within_seconds: float) -> None:
        """Ends after the pass under way, which has some time for that."""
        self._ending.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=within_seconds)
            await end(self._task)

    async def _run(self) -> None:
        if self._at_once:
            await self._pass()
        while not await happens(self._ending, within_seconds=self._interval_seconds):
            await self._pass()

    async def _pass(self) -> None:
        try:
            await self._action()
        except AsynqError as exc:
            self._outage.failed(self._name, exc)
        except Exception:
            # A pass may run code of the user's; the next one must come all the same.
            logger.exception("[Asynq] A pass failed", extra={"part": self._name})
        else:
            self._outage.answered()
