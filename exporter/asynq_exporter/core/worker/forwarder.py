"""Moves scheduled and failed tasks that are due to where they are taken from (wire section 3.14)."""

from collections.abc import Sequence

from asynq_exporter.core.worker.broker import WorkerBroker
from asynq_exporter.core.worker.each_queue import each


class Forwarder:
    """Forwards in some queues."""

    def __init__(self, broker: WorkerBroker, queues: Sequence[str]) -> None:
        self._broker = broker
        self._queues = queues

    async def forward(self) -> None:
        """Moves all that is due now."""
        await each(self._queues, lambda queue: self._broker.forward([queue]))
