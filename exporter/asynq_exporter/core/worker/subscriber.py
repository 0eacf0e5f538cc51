"""Hears which tasks are to be canceled (wire section 3.26)."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from asynq_exporter.core import keys
from asynq_exporter.core.broker.base import as_asynq_error
from asynq_exporter.core.worker.outage import Outage
from asynq_exporter.core.worker.routine import end

logger = logging.getLogger(__name__)

#: How long to listen before asking whether the connection still stands; a dead one is silent too.
LISTEN_SECONDS = 5.0


class Subscriber:
    """Listens on the channel of cancelations, and comes back when the connection is lost."""

    def __init__(
        self, redis: Redis, cancel: Callable[[str], None], *, pause_seconds: float, outage: Outage
    ) -> None:
        self._redis = redis
        self._cancel = cancel
        self._pause_seconds = pause_seconds
        self._outage = outage
        self._task: asyncio.Task[None] | None = None
        #: Set while it hears.
        self.listening = asyncio.Event()

    def start(self) -> None:
        """Begins to listen."""
        self._task = asyncio.create_task(self._run(), name="subscriber")

    async def stop(self) -> None:
        """Listens no more."""
        if self._task is not None:
            await end(self._task)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError, RuntimeError) as exc:
                self._outage.failed("subscriber", as_asynq_error(exc) if isinstance(exc, RedisError) else exc)
            self.listening.clear()
            await asyncio.sleep(self._pause_seconds)

    async def _listen(self) -> None:
        pubsub = self._redis.pubsub()
        try:
            await pubsub.subscribe(keys.CANCEL_CHANNEL)
            while True:
                self._hear(await self._next(pubsub))
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _next(self, pubsub: PubSub) -> Any:
        message = await pubsub.get_message(timeout=LISTEN_SECONDS)
        if message is None:
            await pubsub.ping()
        return message

    def _hear(self, message: Any) -> None:
        if message is None:
            return
        if message["type"] == "subscribe":
            self.listening.set()
        elif message["type"] == "message":
            data: bytes = message["data"]
            self._cancel(data.decode("utf-8", "replace"))
