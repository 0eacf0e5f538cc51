"""A connection on which prebuilt requests fly and replies are read in bulk.

redis-py makes the connection (TCP, TLS, unix socket, ACL, database); its pipeline would cost ten times
the rest of a scan, so the bytes in both directions are ours. Requests leave in slices with a few of them in
flight: Redis serves its other clients between two slices, and the network is never idle.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import hiredis
import redis.asyncio
import redis.exceptions

Reply = Any

READ_BYTES = 1 << 18

#: About what Redis reads from a connection before it serves the others.
GULP_BYTES = 1 << 14

#: Errors that mean that there is no talking to Redis; the text of each goes to the user.
UNREACHABLE = (redis.exceptions.RedisError, OSError)

#: What hiredis answers when no whole reply is left.
NOT_ENOUGH = object()


class ReplyError(Exception):
    """An error that Redis answered to one command; it stands in the place of the reply."""

    @property
    def text(self) -> str:
        """What Redis said."""
        return str(self)


@dataclass(slots=True)
class Batch:
    """A request of several commands and what is to be done with the replies."""

    request: bytes
    replies: int
    #: Takes the replies in order; may answer with further batches, which are sent next.
    take: Callable[[list[Reply]], "Iterable[Batch] | None"]
    #: A key that lies where those of all its commands do; empty when that is not known.
    key: bytes = b""
    #: How many replies were waited for one after the other before this one, this one included.
    depth: int = 0


class Pipe:
    """One connection to Redis, opened when needed, closed whenever an exchange was cut short."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self._pool = client.connection_pool
        self._connection: Any = None
        self._parser: hiredis.Reader | None = None
        #: Replies that came with those before.
        self._unread: list[Reply] = []
        #: Commands sent and replies waited for in sequence since `begin`.
        self.commands = 0
        self.round_trips = 0

    @property
    def is_open(self) -> bool:
        """Whether a connection stands, as far as this side knows."""
        return self._connection is not None

    def begin(self, *, timeout_seconds: float) -> None:  # needed by a route to several nodes
        """Starts counting anew, for a pass that may take some time."""
        self.commands = self.round_trips = 0

    def arrange(self, names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """The queues in an order in which those of one node are neighbours, and where a node's begin."""
        return names, ()

    async def open(self) -> None:
        """Connects and authenticates, unless that is done.

        Raises:
            redis.exceptions.RedisError, OSError: no connection.
        """
        if self._connection is None:
            connection: Any = self._pool.make_connection()  # type: ignore[no-untyped-call]
            try:
                await connection.connect()
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
            self._connection = connection
            self._parser = hiredis.Reader(replyError=ReplyError, notEnoughData=NOT_ENOUGH)
            self._unread = []

    async def close(self) -> None:
        """Drops the connection; the next `open` makes a new one."""
        connection, self._connection, self._parser = self._connection, None, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def run(self, batches: Iterable[Batch], *, window: int = 2) -> None:
        """Sends batches, at most `window` of them in flight, and hands each its replies.

        Raises:
            redis.exceptions.ConnectionError: Redis closed the connection.
        """
        waiting = deque(batches)
        flying: deque[list[Batch]] = deque()
        # redis-py has no public way to the streams it opened; asyncio's own types are behind these names.
        writer = self._connection._writer
        done = base = self.round_trips
        try:
            while waiting or flying:
                while waiting and len(flying) < window:
                    parcel = _parcel(waiting)
                    for batch in parcel:
                        batch.depth = done + 1
                    writer.write(b"".join([batch.request for batch in parcel]))
                    flying.append(parcel)
                replies = await self._read(sum([batch.replies for batch in flying[0]]))
                follows: list[Batch] = []
                start = 0
                for batch in flying.popleft():
                    end = start + batch.replies
                    follows += batch.take(replies[start:end]) or ()
                    done = max(done, batch.depth)
                    start = end
                self.commands += start
                waiting.extendleft(reversed(follows))
        except BaseException:
            # Replies may still be under way: on this connection nothing could be trusted any more.
            await self.close()
            raise
        finally:
            self.round_trips = max(base, done)

    async def _read(self, count: int) -> list[Reply]:
        assert self._parser is not None  # noqa: S101 -- `open` came first
        replies = self._unread
        while len(replies) < count:
            data = await self._connection._reader.read(READ_BYTES)
            if not data:
                raise redis.exceptions.ConnectionError("Redis closed the connection")
            self._parser.feed(data)
            replies += iter(self._parser.gets, NOT_ENOUGH)
        self._unread = replies[count:]
        return replies[:count]


def _parcel(waiting: deque[Batch]) -> list[Batch]:
    """Takes what Redis reads in one gulp: a call of the kernel costs more than what is in it."""
    parcel = [waiting.popleft()]
    room = GULP_BYTES - len(parcel[0].request)
    while waiting and len(waiting[0].request) <= room:
        parcel.append(waiting.popleft())
        room -= len(parcel[-1].request)
    return parcel
