"""Servers with short intervals, and waiting for what they do."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from asynq_exporter.core import Clock
from asynq_exporter.core.worker import Attempt, Handler, Server, ServerConfig
from tests.conftest import WAIT_SECONDS

#: Everything happens at once, and a lease is as long as in life.
FAST: dict[str, Any] = {
    "concurrency": 4,
    "retry_delay": lambda _retried, _error, _task: 60.0,
    "task_check_seconds": 0.02,
    "forward_seconds": 0.02,
    "heartbeat_seconds": 0.05,
    "recover_seconds": 0.05,
    "sync_seconds": 0.05,
    "resubscribe_seconds": 0.05,
    "janitor_seconds": 0.05,
    "health_check_seconds": 0.05,
    "shutdown_seconds": 5.0,
    "redis_timeout_seconds": 5.0,
}


async def until(condition: Callable[[], Any], *, what: str, seconds: float = WAIT_SECONDS) -> Any:
    """The first truthy answer of a condition, which may be a coroutine; fails when none comes."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds:g} s in vain until {what}")
        await asyncio.sleep(0.005)


async def succeed(_attempt: Attempt) -> None:
    """A handler that is content with everything."""


def fail_with(error: BaseException) -> Handler:
    """A handler that raises."""

    async def fail(_attempt: Attempt) -> None:
        raise error

    return fail


class Gate:
    """A handler that holds each task until the gate is opened."""

    def __init__(self) -> None:
        self.entered: list[Attempt] = []
        #: Attempts that were told to stop.
        self.canceled: list[Attempt] = []
        self.opened = asyncio.Event()

    async def __call__(self, attempt: Attempt) -> None:
        """Waits at the gate."""
        self.entered.append(attempt)
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.canceled.append(attempt)
            raise

    async def holds(self, number: int) -> None:
        """Waits until so many tasks have come."""
        await until(lambda: len(self.entered) >= number, what=f"{number} tasks run")


@asynccontextmanager
async def serving(
    redis: Redis, handler: Handler, *, clock: Clock | None = None, **config: Any
) -> AsyncIterator[Server]:
    """A running server; shut down at the end, if the test did not do so."""
    server = Server(redis, handler, ServerConfig(**{**FAST, **config}), clock=clock)
    await server.start()
    try:
        yield server
    finally:
        await server.shutdown()


async def gone(redis: Redis, *keys: str) -> None:
    """Waits until keys do not exist."""
    await until(lambda: _missing(redis, keys), what=f"{keys} are gone")


async def there(redis: Redis, key: str) -> None:
    """Waits until a key exists."""
    await until(lambda: redis.exists(key), what=f"{key} is there")


async def _missing(redis: Redis, keys: tuple[str, ...]) -> bool:
    return not await redis.exists(*keys)
