"""Something that is done again and again until it is told to stop."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from asynq_exporter.core.errors import AsynqError

logger = logging.getLogger(__name__)


async def repeat(
    action: Callable[[], Awaitable[object]], *, every_seconds: float, stop: asyncio.Event, what: str
) -> None:
    """Does it at once and then every so often; what fails is logged and tried again the next time.

    What takes longer than the interval begins again at once.
    """
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        began = loop.time()
        try:
            await action()
        except AsynqError as exc:
            logger.warning("%s Failed, and is tried again", what, extra={"error": str(exc)})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), max(began + every_seconds - loop.time(), 0))
