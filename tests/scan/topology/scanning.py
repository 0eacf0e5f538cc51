"""Scanners of what the settings describe."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from asynq_exporter import connect
from asynq_exporter.core import catalog
from asynq_exporter.scan.scanner import Scanner
from asynq_exporter.settings import Settings


@asynccontextmanager
async def scanner_of(settings: Settings) -> AsyncIterator[Scanner]:
    """A scanner with connections of its own."""
    source = connect.make_source(settings)
    scanner = Scanner(source, catalog.documented())
    yield scanner
    await scanner.close()
    await source.aclose()


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Waits until a condition holds."""
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.1)
