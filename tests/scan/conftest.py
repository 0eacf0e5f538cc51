"""A scanner on the session's Redis."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

import pytest

from asynq_exporter.core import catalog
from asynq_exporter.core.clock import SystemClock
from asynq_exporter.scan.scanner import Scanner
from asynq_exporter.scan.snapshot import Snapshot

if TYPE_CHECKING:
    import redis.asyncio


class Scan(Protocol):
    """Makes a snapshot of the session's Redis."""

    def __call__(self) -> Awaitable[Snapshot]:
        """The snapshot."""
        ...


@pytest.fixture
async def scanner(redis_client: "redis.asyncio.Redis") -> AsyncIterator[Scanner]:
    """A scanner with the documented catalogue."""
    made = Scanner(redis_client, catalog.documented())
    yield made
    await made.close()


@pytest.fixture
def scan(scanner: Scanner) -> Callable[[], Awaitable[Snapshot]]:
    """Scans with plenty of time."""
    return lambda: scanner.scan(timeout_seconds=10)


@pytest.fixture
def now() -> float:
    """The Unix time."""
    return SystemClock().now_ns() / 1e9
