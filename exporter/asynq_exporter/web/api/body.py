"""Reads a body, of so many bytes and within so many seconds."""

import asyncio

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from asynq_exporter.web.api.errors import ApiError

MAX_BODY_BYTES = 256 * 1024

#: For the whole body: a drip of single bytes is over after this time too.
BODY_SECONDS = 10.0


async def read(request: web.Request) -> bytes:
    """The body of a request that has to be JSON; raises ApiError."""
    if request.content_type != "application/json":
        # What a form on another site can send is none.
        raise ApiError(415, "unsupported_media_type", "send the body as Content-Type: application/json")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise _too_long()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(request)
    except TimeoutError:
        message = f"the body was not complete within {BODY_SECONDS:g} s"
        raise ApiError(408, "body_timeout", message, headers={"Connection": "close"}) from None
    except (HttpProcessingError, ValueError) as exc:  # a broken chunk or compression
        raise ApiError(400, "broken_body", "the body cannot be decoded") from exc


async def _read(request: web.Request) -> bytes:
    parts: list[bytes] = []
    length = 0
    while part := await request.content.readany():
        length += len(part)
        if length > MAX_BODY_BYTES:
            raise _too_long()
        parts.append(part)
    return b"".join(parts)


def _too_long() -> ApiError:
    message = f"the body is longer than {MAX_BODY_BYTES // 1024} KiB"
    return ApiError(413, "body_too_long", message, headers={"Connection": "close"})
