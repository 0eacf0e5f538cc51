"""Many commands and their replies in one round trip, on a connection of redis-py.

redis-py makes the connection and keeps it (TLS, ACL, Sentinel, retries). The pipeline on top of it takes
longer for a script than Redis does: it joins a request word by word, and gives each reply a time limit of its
own.
"""

import asyncio
import math
from collections.abc import Iterable, Sequence
from typing import Any, Self

import hiredis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from asynq_exporter.core.cluster import ClusterClient

#: A command as text, bytes and numbers.
Words = Sequence[str | bytes | int | float]


class RoundTrips:
    """A connection of a client's pool, taken for the first exchange in `async with` and kept to the end."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._pool: Any = redis.connection_pool
        self._connection: Any = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._pool.release(connection)

    async def exchange(self, commands: Iterable[Words]) -> list[Any]:
        """The replies as Redis gave them, in order; a failed one is its exception. Not a transaction.

        Tried again as the client was told to.

        Raises:
            redis.exceptions.ConnectionError, redis.exceptions.TimeoutError: some may have been run.
        """
        if isinstance(self._redis, ClusterClient):
            # Each node has connections of its own.
            return await self._redis.send([(tuple(words), {}) for words in commands])
        # Typed as if it took a tuple of one word.
        requests: list[bytes] = [hiredis.pack_command(tuple(words)) for words in commands]  # type: ignore[arg-type]
        if not requests:
            return []
        if self._connection is None:
            self._connection = await self._pool.get_connection()
        connection = self._connection
        replies: list[Any] = await connection.retry.call_with_retry(
            lambda: _exchange(connection, requests), lambda _error: connection.disconnect()
        )
        return replies


async def _exchange(connection: Any, requests: Sequence[bytes]) -> list[Any]:
    if not connection.is_connected:
        await connection.connect()
    await connection.check_health()
    try:
        async with asyncio.timeout(connection.socket_timeout):
            # redis-py's public ways to its stream make a task for each request, to limit its time.
            connection._writer.write(b"".join(requests))
            await connection._writer.drain()
            return [await _reply(connection) for _ in requests]
    except TimeoutError as exc:
        await connection.disconnect(nowait=True)
        # Ours says nothing; the kernel has one too.
        raise RedisTimeoutError(str(exc) or f"no answer within {connection.socket_timeout:g} s") from exc
    except OSError as exc:
        await connection.disconnect(nowait=True)
        raise RedisConnectionError(str(exc)) from exc
    except BaseException:
        # Replies may still be under way: on this connection nothing could be trusted any more.
        await connection.disconnect(nowait=True)
        raise


async def _reply(connection: Any) -> Any:
    try:
        # Without a limit of its own: there is one for all of them.
        reply = await connection.read_response(timeout=math.inf)
    except ResponseError as exc:
        return exc
    if reply is None and (broken := connection._reader.exception()):
        # redis-py takes the kernel's timeout for the one it was given, and that for no news.
        raise broken
    return reply
