"""Whether the queue works: somebody takes the jobs that are in it."""

from collections.abc import Collection, Iterable, Iterator
from typing import cast

from redis.asyncio import Redis

from asynq_exporter.core import keys, messages
from asynq_exporter.core.broker.base import Operations, asynq_errors
from asynq_exporter.core.clock import Clock
from asynq_exporter.core.errors import CorruptMessageError
from asynq_exporter.core.records.models import DEFAULT_QUEUE

#: Servers that are looked at.
MAX_SERVERS = 1000

#: Status of a server that takes tasks, in asynq's words.
ACTIVE = "active"


class LiveQueue(Operations):
    """Whether Redis answers, and servers that take tasks from all of some queues are alive.

    Servers of other queues, and those that were told to stop, run no job: they do not count.
    """

    def __init__(
        self, redis: Redis, clock: Clock | None = None, *, queues: Collection[str] = (DEFAULT_QUEUE,)
    ) -> None:
        super().__init__(redis, clock)
        self._queues = frozenset(queues)

    async def __call__(self) -> bool:
        """Whether it does; raises UnavailableError."""
        with asynq_errors():
            found = await self._redis.zrangebyscore(
                keys.SERVERS, self._now_seconds(), "+inf", start=0, num=MAX_SERVERS
            )
            names = cast("list[bytes]", found)
            # One by one: in a cluster each lies where it likes.
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                pipe.get(name)
            records = cast("list[bytes | None]", await pipe.execute())
        return self._queues.issubset(_served(records))


def _served(records: Iterable[bytes | None]) -> Iterator[str]:
    """Queues that servers take tasks from; a record that expired or cannot be read counts for none."""
    for record in records:
        try:
            server = messages.decode_server(record or b"")
        except CorruptMessageError:
            continue
        if server.status == ACTIVE:
            yield from server.queues
