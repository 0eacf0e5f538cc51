"""Connections within bounds: whoever holds many of them, or reads and writes slowly, keeps nobody out.

aiohttp limits the size of a request and how long a connection may idle or take for the head of a request.
What it does not limit is here: the number of connections, the time to fetch an answer, the TLS handshake.
"""

import asyncio
import logging
import resource
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from asynq_exporter.web import headers

logger = logging.getLogger(__name__)

#: For what aiohttp has to say.
http_logger = logging.getLogger(f"{__name__}.http")

#: Scrapes under way may end before the server does.
SHUTDOWN_SECONDS = 5.0

#: For Redis, files and the rest.
OWN_DESCRIPTORS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much strangers may take."""

    #: Many more than there are scrapers; each may hold a whole page in memory.
    connections: int = 128
    #: Without a complete request; above the usual scrape interval, for a new TLS connection is expensive.
    idle_seconds: float = 75.0
    #: In which an answer is fetched.
    drain_seconds: float = 30.0
    handshake_seconds: float = 10.0
    #: Taken in at once; each takes a descriptor before it can be turned away.
    backlog: int = 100
    #: For the rest of a body that nobody wanted, before the connection is closed on who still sends it.
    linger_seconds: float = 2.0
    #: Of the request line: IDs and filters of 1,024 characters of the management API, percent-encoded.
    line_bytes: int = 64 * 1024


def limits_here() -> Limits:
    """The limits that the descriptors of this process allow."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = max(descriptors - OWN_DESCRIPTORS, 8)
    usual = Limits()
    return replace(
        usual, connections=min(usual.connections, room // 2), backlog=min(usual.backlog, room // 4)
    )


class Runner(web.AppRunner):
    """Serves an application on sockets."""

    def __init__(self, app: web.Application, *, limits: Limits | None = None) -> None:
        self._limits = limits or limits_here()
        app.middlewares.insert(0, _mark)
        super().__init__(app, shutdown_timeout=SHUTDOWN_SECONDS)
        self._listeners: list[asyncio.Server] = []
        self._connections = _Connections(self._limits)

    @property
    def addresses(self) -> list[Any]:
        """What is listened on, as the sockets name it."""
        return [sock.getsockname() for listener in self._listeners for sock in listener.sockets]

    async def listen(self, sock: socket.socket, *, tls: ssl.SSLContext | None = None) -> None:
        """Accepts connections on a socket, which is closed with the runner."""
        self._listeners.append(
            await asyncio.get_running_loop().create_server(
                self._make_connection,
                sock=sock,
                backlog=self._limits.backlog,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else self._limits.handshake_seconds,
            )
        )

    async def cleanup(self) -> None:
        """Stops listening, lets requests under way end, ends the application."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        await super().cleanup()

    def _make_connection(self) -> asyncio.Protocol:
        assert self.server is not None  # noqa: S101 -- there are sockets after `setup` only
        inner = _Http(
            self.server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # which means none
            logger=http_logger,
            keepalive_timeout=self._limits.idle_seconds,
            lingering_time=self._limits.linger_seconds,
            max_line_size=self._limits.line_bytes,
        )
        return _Connection(self._connections, inner)


@web.middleware
async def _mark(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Comes first: a connection whose request is being answered is not given up for another."""
    protocol = request.transport.get_protocol() if request.transport else None
    if not isinstance(protocol, _Connection):
        return await handler(request)
    with protocol.at_work():
        return await handler(request)


class _Connections:
    """All that are open; where there are too many, one that waits makes room."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        #: Waiting for a request or for their answer to be fetched, the longest-waiting first.
        self.waiting: dict[_Connection, None] = {}
        self.at_work: set[_Connection] = set()
        self._warned = False

    def make_room(self) -> bool:
        """Whether there is room for one more; gives up one that waits if that helps."""
        count = len(self.waiting) + len(self.at_work)
        if count < self.limits.connections:
            self._warned = self._warned and count > self.limits.connections // 2
            return True
        if not self._warned:
            logger.warning(
                "Too many connections; those that wait longest are closed", extra={"connections": count}
            )
            self._warned = True
        if not self.waiting:
            return False
        next(iter(self.waiting)).give_up()
        return True


class _Connection(asyncio.Protocol):
    """Stands between a transport and aiohttp's protocol, and passes everything on."""

    def __init__(self, connections: _Connections, inner: asyncio.Protocol) -> None:
        self._connections = connections
        self._inner = inner
        self._transport: asyncio.Transport | None = None
        self._drain: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- it is a stream
        if not self._connections.make_room():
            transport.abort()
            return
        self._transport = transport
        self._connections.waiting[self] = None
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._forget()
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._transport is not None else None

    def pause_writing(self) -> None:
        loop = asyncio.get_running_loop()
        self._drain = loop.call_later(self._connections.limits.drain_seconds, self.give_up)
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._stop_clock()
        self._inner.resume_writing()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """While a request is being answered."""
        connections = self._connections
        connections.waiting.pop(self, None)
        connections.at_work.add(self)
        try:
            yield
        finally:
            if self in connections.at_work:
                connections.at_work.discard(self)
                connections.waiting[self] = None

    def give_up(self) -> None:
        """Closes at once, whatever was not sent."""
        if self._transport is not None:
            self._forget()
            self._transport.abort()

    def _forget(self) -> None:
        self._stop_clock()
        self._connections.waiting.pop(self, None)
        self._connections.at_work.discard(self)

    def _stop_clock(self) -> None:
        if self._drain is not None:
            self._drain.cancel()
            self._drain = None


class _Http(web.RequestHandler):
    """aiohttp's protocol, which says less to whoever sends what is no HTTP, and nothing to the log."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer when there is none; strangers' nonsense is not repeated to them, nor logged."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return super().handle_error(request, status, exc, message)
        response = web.Response(
            status=status,
            text="This is no request that can be understood.\n",
            headers=headers.SERVER | headers.DEFAULTS,
        )
        response.force_close()
        return response
