"""What the handlers work with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from asynq_exporter.core.catalog import Catalog
from asynq_exporter.core.errors import QueueNotFoundError
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.scan.snapshot import Snapshot
from asynq_exporter.web.api.errors import ApiError
from asynq_exporter.web.api.records import Records
from asynq_exporter.web.api.roles import sees_payloads
from asynq_exporter.web.api.tokens import Caller

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The parts of the program that endpoints ask."""

    inspector: Inspector
    catalog: Catalog
    #: The shared scan.
    scan: Callable[[], Awaitable[Snapshot]]
    records: Records
    #: Lowest role that sees payloads, or `nobody`.
    payloads: str

    async def snapshot(self) -> Snapshot:
        """A scan of a Redis that answers; raises ApiError."""
        snapshot = await self.scan()
        if not snapshot.up:
            message = f"Redis does not answer: {snapshot.error}"
            raise ApiError(503, "unavailable", message, headers={"Retry-After": "5"})
        return snapshot

    async def read_unless_unused(self, queue: str, read: Awaitable[T]) -> T | None:
        """What is read of a queue; None for a documented one that nobody has used yet.

        In the numbers such a queue is there and empty, so it is here.
        """
        try:
            return await read
        except QueueNotFoundError:
            if queue in self.catalog.queues:
                return None
            raise

    def shows_payloads(self, caller: Caller) -> bool:
        """Whether who asks may see payloads."""
        return sees_payloads(caller.role, self.payloads)
