"""Things done again and again, side by side, whatever Redis does meanwhile."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from redis.exceptions import RedisError

from asynq_exporter.core.errors import AsynqError
from asynq_exporter.scan.shared import end

logger = logging.getLogger(__name__)

T = TypeVar("T")

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
        # Whoever cancels asks again and again; even so nobody is left behind.
        await to_the_end(_end_all(tasks))


async def to_the_end(action: Coroutine[Any, Any, T]) -> T:
    """Acts to the end, also when this is cancelled meanwhile, however often; the cancellation comes after."""
    task = asyncio.create_task(action)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as exc:
            cancelled = exc
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result


async def _end_all(tasks: Iterable["asyncio.Task[None]"]) -> None:
    await asyncio.gather(*(end(task) for task in tasks))
