"""What the upstream exporter would see: the registered queues, with its sampling of groups and memory.

It costs Redis as many commands as upstream does, in plain pipelined form, and is made only for those who
scrape the compatible page.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from asynq_exporter.scan.background import groups, memory
from asynq_exporter.scan.background.reader import PacedReader
from asynq_exporter.scan.pipe import ReplyError
from asynq_exporter.scan.route import Source
from asynq_exporter.scan.snapshot import Queues, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamView:
    """The registered queues and what is sampled of them, by queue."""

    queues: Queues = field(default_factory=Queues)
    aggregating: Mapping[str, int] = field(default_factory=dict)
    memory_bytes: Mapping[str, int] = field(default_factory=dict)


class UpstreamSampler:
    """Samples at full speed on a connection of its own."""

    def __init__(self, client: Source, *, with_memory: bool = True) -> None:
        self._reader = PacedReader(client)
        self._with_memory = with_memory

    async def view(self, snapshot: Snapshot) -> UpstreamView:
        """The view of a snapshot.

        Raises:
            redis.exceptions.RedisError, OSError: Redis cannot be talked to.
        """
        queues = snapshot.queues.only([bool(registered) for registered in snapshot.queues.registered])
        aggregating: dict[str, int] = {}
        memory_bytes: dict[str, int] = {}
        for row, queue in enumerate(queues.names):
            numbers = queues.row(row)
            try:
                aggregating[queue] = await groups.collect(self._reader.ask, queue, numbers)
                if self._with_memory:
                    memory_bytes[queue] = await memory.collect(
                        self._reader.ask, queue, numbers, memory.UPSTREAM
                    )
            except ReplyError:
                continue  # one bad queue costs its own samples; upstream would lose the page
        return UpstreamView(queues=queues, aggregating=aggregating, memory_bytes=memory_bytes)

    async def close(self) -> None:
        """Drops the connection."""
        await self._reader.close()
