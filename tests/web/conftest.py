"""The web application on real sockets."""

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import pytest
from aiohttp import ClientSession, web

from asynq_exporter import connect
from asynq_exporter.core import catalog
from asynq_exporter.settings import resolve
from asynq_exporter.web import server
from asynq_exporter.web.app import create_app
from tests.conftest import RedisServer, free_port


class Site:
    """A served application and a client for it."""

    def __init__(self, base: str, session: ClientSession) -> None:
        self.base = base
        self._session = session

    async def get(self, path: str, **headers: str) -> "Answer":
        """Fetches a page; header names are written with underscores."""
        named = {"Accept-Encoding": "identity"} | {k.replace("_", "-"): v for k, v in headers.items()}
        async with self._session.get(self.base + path, headers=named) as response:
            return Answer(response.status, dict(response.headers), await response.read())


class Answer:
    """A response, read."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def sample(self, name: str) -> float:
        """The value of a sample, written as in the text format."""
        (line,) = [line for line in self.text.splitlines() if line.startswith(name + " ")]
        return float(line.rsplit(" ", 1)[1])


class Serve(Protocol):
    """Serves a Redis."""

    def __call__(self, redis: RedisServer, **flags: str) -> AbstractAsyncContextManager[Site]:
        """A running application; flags are written with underscores for dots."""
        ...


@pytest.fixture
def serve() -> Callable[..., AbstractAsyncContextManager[Site]]:
    """Serves with the default settings, changed by flags such as `scan_timeout="1s"`."""
    return serving


@asynccontextmanager
async def serving(redis: RedisServer, **flags: str) -> AsyncIterator[Site]:
    """A running application on a port of its own."""
    port = free_port()
    given = {"web.listen-address": [f"127.0.0.1:{port}"], "redis.url": [redis.url]}
    given |= {name.replace("__", "-").replace("_", "."): [text] for name, text in flags.items()}
    settings = resolve(flags=given).settings
    app = create_app(
        settings, catalog.documented(), connect.make_redis(settings), where=connect.safe_url(settings)
    )
    runner: web.AppRunner = await server.start(app, settings)
    # Chromium's promises are not needed: a session without its default Accept-Encoding.
    async with ClientSession(auto_decompress=False) as session:
        try:
            yield Site(f"http://127.0.0.1:{port}", session)
        finally:
            await runner.cleanup()


@pytest.fixture
async def site(redis_server: RedisServer, redis_sync: Any) -> AsyncIterator[Site]:
    """The application on the session's Redis, emptied."""
    async with serving(redis_server) as made:
        yield made


Wait = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
