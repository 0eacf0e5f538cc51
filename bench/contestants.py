"""What is timed, each as a function that does it once and tells the seconds."""

import asyncio
import http.client
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import redis.asyncio

from asynq_exporter.core import catalog
from asynq_exporter.scan.scanner import Scanner
from asynq_exporter.scan.selection import QueueFilter

Once = Callable[[], float]


def scrape(url: str) -> Once:
    """A scrape as Prometheus does it: a kept connection, gzip accepted."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    connection = http.client.HTTPConnection(parts.netloc)

    def once() -> float:
        started = time.perf_counter()
        connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
        response = connection.getresponse()
        response.read()
        seconds = time.perf_counter() - started
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{url[:100]} answered {response.status}")
        return seconds

    return once


def scan(port: int, loop: asyncio.AbstractEventLoop, queues: int) -> Once:
    """Our scan alone, in this process."""
    client = redis.asyncio.Redis(port=port, protocol=2)
    scanner = Scanner(client, catalog.documented(), queue_filter=QueueFilter(maximum=queues + 10))

    def once() -> float:
        started = time.perf_counter()
        snapshot = loop.run_until_complete(scanner.scan(timeout_seconds=60))
        seconds = time.perf_counter() - started
        if snapshot.error:
            raise RuntimeError(snapshot.error)
        return seconds

    return once
