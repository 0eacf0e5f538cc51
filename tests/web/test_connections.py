"""Hostile connections: many, slow, oversized, nonsense. The next scraper is answered all the same."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme
from aiohttp import web

from asynq_exporter.settings import resolve
from asynq_exporter.web import server
from asynq_exporter.web.connections import Limits
from tests.conftest import RedisServer, free_port
from tests.web.conftest import Serve

#: Far above anything that the sockets of both sides buffer.
LARGE = b"x" * (64 << 20)

HEAD = b"GET / HTTP/1.1\r\nHost: h\r\n"

#: Long before what the tests wait for; whatever they close is closed by what they test.
NEVER = 3600.0

WAIT_SECONDS = 30.0


class Pages:
    """Pages for these tests: a quick one, a large one, and one that waits until it is let go."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.entered = asyncio.Event()
        #: Of the last that asked for the large one.
        self.transport: asyncio.Transport | None = None

    def app(self) -> web.Application:
        """An application of them."""
        app = web.Application()
        app.router.add_get("/", self.quick)
        app.router.add_get("/large", self.large)
        app.router.add_get("/waits", self.waits)
        return app

    async def quick(self, _request: web.Request) -> web.Response:
        """Answers at once."""
        return web.Response(text="here")

    async def large(self, request: web.Request) -> web.Response:
        """More than sockets buffer."""
        self.transport = request.transport
        return web.Response(body=LARGE)

    async def waits(self, _request: web.Request) -> web.Response:
        """Answers when it is let go."""
        self.entered.set()
        await self.go_on.wait()
        return web.Response(text="at last")


@asynccontextmanager
async def serving(pages: Pages, *, tls: ssl.SSLContext | None = None, limits: Limits) -> AsyncIterator[int]:
    """Serves the pages; the port."""
    port = free_port()
    settings = resolve(flags={"web.listen-address": [f"127.0.0.1:{port}"]}).settings
    runner = await server.start(pages.app(), settings, tls=tls, limits=limits)
    try:
        yield port
    finally:
        await runner.cleanup()


async def exchange(port: int, request: bytes) -> bytes:
    """All that is answered to some bytes until the other side closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            writer.write(request)
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def asked(path: str, *, more: bytes = b"Connection: close\r\n") -> bytes:
    """A whole request."""
    return HEAD.replace(b"/ ", f"{path} ".encode(), 1) + more + b"\r\n"


@pytest.mark.parametrize(
    "sent", [b"", b"GET", HEAD, HEAD + b"X: "], ids=["nothing", "word", "head", "header"]
)
async def test_slow_head_is_not_waited_for(sent: bytes) -> None:
    """A connection that does not finish its request is closed without an answer."""
    async with serving(Pages(), limits=Limits(idle_seconds=0.5)) as port:
        assert b"" == await exchange(port, sent)


async def test_many_connections_keep_nobody_out() -> None:
    """Beyond the ceiling those that wait longest are closed; the newcomer is served."""
    limits = Limits(connections=5, idle_seconds=NEVER)
    async with serving(Pages(), limits=limits) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
        for _, writer in held:
            writer.write(HEAD)

        assert b"here" in await exchange(port, asked("/"))

        ends = [asyncio.create_task(reader.read()) for reader, _ in held]
        closed, waiting = await asyncio.wait(ends, timeout=2)
        for task in waiting:
            task.cancel()
        for _, writer in held:
            writer.close()
        results = await asyncio.gather(*closed, *waiting, return_exceptions=True)
    assert len(waiting) < limits.connections
    assert all(isinstance(end, (bytes, ConnectionError, asyncio.CancelledError)) for end in results)


async def test_request_under_way_is_not_given_up() -> None:
    """However many come after it; and with nothing but such, the newcomer has to come again."""
    pages = Pages()
    async with serving(pages, limits=Limits(connections=1, idle_seconds=NEVER)) as port:
        first = asyncio.create_task(exchange(port, asked("/waits")))
        await asyncio.wait_for(pages.entered.wait(), WAIT_SECONDS)

        assert b"" == await exchange(port, asked("/"))

        pages.go_on.set()
        assert b"at last" in await first
        assert b"here" in await exchange(port, asked("/"))


async def test_flood_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """One line, not one for each connection."""
    async with serving(Pages(), limits=Limits(connections=2, idle_seconds=NEVER)) as port:
        for _ in range(20):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        assert b"here" in await exchange(port, asked("/"))
        for _, writer in held:
            writer.close()

    assert 1 == sum("Too many connections" in record.message for record in caplog.records)


async def test_client_that_does_not_read_is_closed() -> None:
    """A page that nobody fetches is not kept in memory for ever."""
    pages = Pages()
    async with serving(pages, limits=Limits(drain_seconds=0.5)) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(asked("/large"))
            async with asyncio.timeout(WAIT_SECONDS):
                while pages.transport is None or not pages.transport.is_closing():
                    await asyncio.sleep(0.02)


async def test_client_that_reads_gets_everything() -> None:
    """What is fetched in time arrives whole."""
    async with serving(Pages(), limits=Limits()) as port:
        answer = await exchange(port, asked("/large"))

    assert answer.endswith(LARGE)


async def test_silent_handshake_is_ended() -> None:
    """A TLS connection that never says hello is closed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with serving(
        Pages(), tls=context, limits=Limits(idle_seconds=NEVER, handshake_seconds=0.5)
    ) as port:
        assert b"" == await exchange(port, b"")


NONSENSE = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "line": b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
    "header": HEAD + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
    "headers": HEAD + b"".join(b"X-%d: x\r\n" % number for number in range(1000)) + b"\r\n",
    "split": HEAD + b"X: a\rSet-Cookie: b\r\n\r\n",
    "length": HEAD + b"Content-Length: -1\r\n\r\n",
    "lengths": HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "zero": HEAD + b"X: \0\r\n\r\n",
}


@pytest.mark.parametrize("request_", NONSENSE.values(), ids=NONSENSE.keys())
async def test_nonsense_is_refused_without_a_word_in_the_log(
    redis_server: RedisServer,
    serve: Serve,
    caplog: pytest.LogCaptureFixture,
    request_: bytes,
) -> None:
    """Answered 400 and closed; the answer names no library, and a stranger cannot fill the log."""
    async with serve(redis_server) as site:
        answer = await exchange(int(site.base.rsplit(":", 1)[1]), request_)
        page = await site.get("/-/healthy")

    assert 200 == page.status
    assert answer.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
    assert b"nosniff" in answer
    assert b"xxx" not in answer
    assert b"aiohttp" not in answer
    assert b"Python" not in answer
    assert [] == [r.message for r in caplog.records if r.levelno > logging.DEBUG and "Redis" not in r.message]


async def test_large_body_is_not_read(redis_server: RedisServer, serve: Serve) -> None:
    """No page takes a body: what was announced is not waited for."""
    async with serve(redis_server) as site:
        port = int(site.base.rsplit(":", 1)[1])
        head = b"POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000000\r\n\r\n"

        assert b" 405 " in (await exchange(port, head + b"x" * 1_000_000)).splitlines()[0]
