"""A lock in Redis over all processes, with a fencing token that grows each time somebody takes it.

A process may hold a lock and not know that it has lost it: it was stopped for longer than the lock lasts.
So the lock alone decides nothing; what is written under it carries the token, and the database refuses
one that is older than another it has seen. Time is that of the Redis server, the same for all.
"""

import os
import secrets
import socket
from typing import cast

from asynq_exporter.core import keys
from asynq_exporter.core.broker.base import Operations, asynq_errors
from asynq_exporter.core.records.errors import LeaseLostError

_SWAPPED = 1


class Locks(Operations):
    """The locks of one Redis."""

    async def acquire(self, name: str, *, seconds: float, above: int = 0) -> "Lock | None":
        """The lock if nobody holds it, None otherwise; its token is larger than `above` too.

        Redis may lose what it knows, so the caller passes the newest token that the database has seen.
        Raises UnavailableError.
        """
        while True:
            value = await self._read(name)
            token, ends_ms = _decode(value)
            now_ms = await self.server_ms()
            if ends_ms > now_ms:
                return None
            token = max(token, above) + 1
            taken = _encode(token, now_ms + round(seconds * 1000))
            if await self.swap(name, value, taken):
                return Lock(self, name, token, taken)

    async def holder(self, name: str) -> str:
        """Who holds a lock, as `host:pid`; empty for nobody. Raises UnavailableError."""
        value = await self._read(name)
        ends_ms = _decode(value)[1]
        return value.decode().split(" ")[1].rpartition(":")[0] if ends_ms > await self.server_ms() else ""

    async def swap(self, name: str, before: bytes, after: bytes) -> bool:
        """Writes a lock if it is as expected; whether it did."""
        reply = await self._run("swap_field", (keys.LOCKS,), name, before, after, 0)
        return bool(reply == _SWAPPED)

    async def server_ms(self) -> int:
        """The time of the Redis server in milliseconds."""
        with asynq_errors():
            seconds, microseconds = await self._redis.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def _read(self, name: str) -> bytes:
        with asynq_errors():
            return cast("bytes | None", await self._redis.hget(keys.LOCKS, name)) or b""


class Lock:
    """A lock that this process holds, as far as it knows."""

    def __init__(self, locks: Locks, name: str, token: int, value: bytes) -> None:
        self.name = name
        #: Larger than that of everybody who held the lock before.
        self.token = token
        self._locks = locks
        self._value = value

    async def renew(self, *, seconds: float) -> None:
        """Holds it for longer; a lock that has ended is still good if nobody took it.

        Raises:
            LeaseLostError: somebody else took it.
            UnavailableError: Redis does not answer.
        """
        longer = _encode(self.token, await self._locks.server_ms() + round(seconds * 1000))
        if not await self._locks.swap(self.name, self._value, longer):
            raise LeaseLostError(f"the lock {self.name!r} is somebody else's meanwhile")
        self._value = longer

    async def release(self) -> None:
        """Gives it back if it is still held; the token stays known."""
        await self._locks.swap(self.name, self._value, f"{self.token} - 0".encode())


def _encode(token: int, ends_ms: int) -> bytes:
    # The random part tells two holders apart that count alike, after Redis has lost its data.
    holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"
    return f"{token} {holder} {ends_ms}".encode()


def _decode(value: bytes) -> tuple[int, int]:
    """Token and end in milliseconds; zeros for no lock, or what somebody else wrote."""
    try:
        token, _, ends_ms = value.decode().split(" ")
        return int(token), int(ends_ms)
    except ValueError:
        return 0, 0
