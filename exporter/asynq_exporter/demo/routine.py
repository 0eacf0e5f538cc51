"""Things done again and again, side by side, whatever Redis does meanwhile."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from redis.exceptions import RedisError

from asynq_exporter.core.errors import AsynqError
from asynq_exporter.scan.shared import end

logger = logging.getLogger(__name__)

#: What goes wrong while Redis is away, or when a visitor of the demo changes its tasks under its hands.
SURVIVABLE = (AsynqError, RedisError, OSError)


async def every(seconds: float, action: Callable[[], Awaitable[object]]) -> None:
    """Acts for ever, with a pause between; errors of Redis and of the queue do not end it."""
    while True:
        await attempt(action)
        await asyncio.sleep(seconds)


async def attempt(action: Callable[[], Awaitable[object]]) -> None:
    """Acts once; errors of Redis and of the queue count for nothing."""
    try:
        await action()
    except SURVIVABLE as exc:
        # The exporter is there to tell; a line a second from here would drown it.
        logger.debug("The demo's workload was interrupted", extra={"error": str(exc)})


async def side_by_side(parts: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Runs all of them; when one fails or this is cancelled, none of them is left running.

    Not a TaskGroup: that asks its tasks to end once, and redis-py may not hear it (see `scan.shared.end`).
    """
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        await asyncio.gather(*(end(task) for task in tasks))
