"""What is timed, each as a function that does it once."""

import asyncio
import http.client
import selectors
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import redis.asyncio

from asynq_exporter.core import catalog
from asynq_exporter.core.clock import SystemClock, utc_day
from asynq_exporter.scan.commands import fill
from asynq_exporter.scan.queues import FIRST_ROUND_COMMANDS, QueueRequests
from asynq_exporter.scan.scanner import Scanner
from asynq_exporter.scan.selection import QueueFilter

Once = Callable[[], None]

READ_BYTES = 1 << 18


def scrape(url: str) -> Once:
    """A scrape as Prometheus does it: a kept connection, gzip accepted."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)

    def once() -> None:
        connection.request("GET", parts.path, headers={"Accept-Encoding": "gzip"})
        response = connection.getresponse()
        response.read()
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{url} answered {response.status}")

    return once


def scan(port: int, loop: asyncio.AbstractEventLoop, queues: int) -> Once:
    """Our scan alone, in this process."""
    client = redis.asyncio.Redis(port=port, protocol=2)
    scanner = Scanner(client, catalog.documented(), queue_filter=QueueFilter(maximum=queues + 10))

    def once() -> None:
        snapshot = loop.run_until_complete(scanner.scan(timeout_seconds=60))
        if snapshot.error:
            raise RuntimeError(snapshot.error)

    return once


def raw(port: int, names: list[str]) -> Once:
    """The limit: the first round of the scan as one prebuilt buffer, replies counted in bytes, nothing parsed."""
    now_ns = SystemClock().now_ns()
    requests = QueueRequests(tuple(sorted(names)), utc_day(now_ns))
    data = fill(b"".join(piece.request for piece in requests.slices), now=now_ns // 10**9)
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = bytearray(READ_BYTES)
    expected = _reply_bytes(sock, data, len(names) * FIRST_ROUND_COMMANDS)
    sock.setblocking(False)  # noqa: FBT003 -- it takes nothing else
    selector = selectors.DefaultSelector()
    selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def once() -> None:
        view, received = memoryview(data), 0
        selector.modify(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while received < expected:
            ((_, events),) = selector.select()
            if events & selectors.EVENT_WRITE and view:
                view = view[sock.send(view) :]
                if not view:
                    selector.modify(sock, selectors.EVENT_READ)
            if events & selectors.EVENT_READ:
                received += sock.recv_into(buffer)

    return once


def _reply_bytes(sock: socket.socket, data: bytes, replies: int) -> int:
    """How long the replies are, learned once: a last PING marks their end."""
    sender = threading.Thread(target=sock.sendall, args=(data + b"*1\r\n$4\r\nPING\r\n",))
    sender.start()
    received = b""
    while not received.endswith(b"+PONG\r\n"):
        received += sock.recv(READ_BYTES)
    sender.join()
    if replies < 1:
        raise RuntimeError("nothing to ask")
    return len(received) - len(b"+PONG\r\n")
