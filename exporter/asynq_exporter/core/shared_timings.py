"""The task timings of all workers, summed up in Redis for the exporter.

One hash, a field for each type. Workers add what they have counted since their last addition; so a worker
that ends, in whatever way, leaves its numbers behind and no sum ever falls. Numbers of each process, summed
up by the reader, would be simpler to write, but their sum falls with every process that ends. An addition
carries a number and is made once, also when its answer was lost and it is sent again.
"""

from collections.abc import Mapping
from typing import cast

from redis.asyncio import Redis

from asynq_exporter.core import keys, timings
from asynq_exporter.core.broker.base import STATS_TTL_SECONDS, Operations, asynq_errors
from asynq_exporter.core.clock import Clock
from asynq_exporter.core.timings import TaskTimings

#: An addition that may have been made is sent again within this time, or never.
SENT_TTL_SECONDS = 3600


class SharedTimings(Operations):
    """The sums of one Redis; as long-lived as asynq's daily counters, from the last addition on."""

    def __init__(
        self, redis: Redis, clock: Clock | None = None, *, max_types: int = timings.MAX_TYPES
    ) -> None:
        super().__init__(redis, clock)
        self._max_types = max_types

    async def add(self, server_id: str, number: int, added: Mapping[str, tuple[int, ...]]) -> bool:
        """Adds rows of `timings.numbers` by type; whether it was not done before.

        Args:
            server_id: who adds.
            number: of the addition, 1 for the first; the same again is the same addition.
            added: type -> numbers.

        Raises:
            UnavailableError: Redis does not answer; it may have been added.
        """
        fields = [part for name, row in added.items() for part in (name, timings.encode(row))]
        names = (keys.TASK_TIMINGS, keys.task_timings_sent(server_id))
        times = (SENT_TTL_SECONDS, STATS_TTL_SECONDS)
        return bool(
            await self._run("add_timings", names, number, *times, self._max_types, timings.OTHER, *fields)
        )

    async def read(self) -> dict[str, TaskTimings]:
        """The sums by type; raises UnavailableError, and ValueError when the hash holds something else."""
        with asynq_errors():
            found = cast("dict[bytes, bytes]", await self._redis.hgetall(keys.TASK_TIMINGS))
        return {name.decode("utf-8", "replace"): timings.decode(row) for name, row in found.items()}

    async def clear(self) -> None:
        """Begins at zero, which counters are allowed to do; raises UnavailableError."""
        with asynq_errors():
            await self._redis.delete(keys.TASK_TIMINGS)
