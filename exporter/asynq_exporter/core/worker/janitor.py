"""Deletes kept successes whose retention is over (wire section 3.15)."""

from collections.abc import Sequence

from asynq_exporter.core.worker.broker import WorkerBroker
from asynq_exporter.core.worker.each_queue import each


class Janitor:
    """Cleans some queues."""

    def __init__(self, broker: WorkerBroker, queues: Sequence[str], *, batch_size: int) -> None:
        self._broker = broker
        self._queues = queues
        self._batch_size = batch_size

    async def clean(self) -> None:
        """Deletes all that is over now."""
        await each(
            self._queues,
            lambda queue: self._broker.delete_expired_completed(queue, batch_size=self._batch_size),
        )
