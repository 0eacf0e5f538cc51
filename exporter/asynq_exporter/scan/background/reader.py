"""Asks Redis at a bounded pace on connections of its own."""

import asyncio
from collections.abc import Awaitable, Callable

from asynq_exporter.scan.pipe import Batch, Reply
from asynq_exporter.scan.route import Source, make_route

#: Sends prebuilt commands, one reply each, in order; an error reply stands in its place.
Ask = Callable[[list[bytes]], Awaitable[list[Reply]]]

#: Commands that leave together: little enough not to be felt by others.
CHUNK = 32


class PacedReader:
    """Sends commands in small chunks, on average not more of them a second than allowed."""

    def __init__(
        self,
        client: Source,
        *,
        commands_per_second: float = float("inf"),
        timeout_seconds: float = 10.0,
    ) -> None:
        self._route = make_route(client)
        self._pace = commands_per_second
        self._timeout_seconds = timeout_seconds

    async def ask(self, requests: list[bytes]) -> list[Reply]:
        """The replies to some commands.

        Raises:
            redis.exceptions.RedisError, OSError, TimeoutError: Redis cannot be talked to.
        """
        replies: list[Reply] = []
        for start in range(0, len(requests), CHUNK):
            chunk = requests[start : start + CHUNK]
            self._route.begin(timeout_seconds=self._timeout_seconds)
            async with asyncio.timeout(self._timeout_seconds):
                await self._route.open()
                await self._route.run([Batch(b"".join(chunk), len(chunk), replies.extend)])
            await asyncio.sleep(len(chunk) / self._pace)
        return replies

    async def close(self) -> None:
        """Drops the connections."""
        await self._route.close()
