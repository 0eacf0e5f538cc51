"""What is answered where the process may use no more memory, by RLIMIT_AS or the like."""

import asyncio
import logging
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

logger = logging.getLogger(__name__)

SENTENCE = (
    "this process may use no more memory; raise its limit, or read less: --queues.include, --queues.max,"
    " and look for very long names in asynq:queues"
)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers 503 with what to do; what was read is let go, and the next request begins anew."""
    try:
        return await handler(request)
    except MemoryError:
        logger.error("Page cannot be made", extra={"path": request.path, "error": SENTENCE})  # noqa: TRY400
        return web.Response(status=503, text=f"Out of memory: {SENTENCE}.\n")


def tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What the event loop does with an error that nobody waits for: a line where it is about memory.

    Then asyncio has dropped the connection, and whoever reads from it hears of it.
    """
    if isinstance(context.get("exception"), MemoryError):
        logger.error("Connection dropped", extra={"error": SENTENCE})
    else:
        loop.default_exception_handler(context)
