"""Takes up what workers that are gone left behind (wire section 5.8)."""

import logging
from collections.abc import Sequence

from asynq_exporter.core.errors import NotFoundError
from asynq_exporter.core.messages import TaskMessage
from asynq_exporter.core.worker.broker import WorkerBroker
from asynq_exporter.core.worker.each_queue import each
from asynq_exporter.core.worker.errors import LeaseExpiredError
from asynq_exporter.core.worker.failures import Failures

logger = logging.getLogger(__name__)


class Recoverer:
    """Recovers in some queues."""

    def __init__(
        self, broker: WorkerBroker, failures: Failures, queues: Sequence[str], *, grace_seconds: float
    ) -> None:
        self._broker = broker
        self._failures = failures
        self._queues = queues
        self._grace_seconds = grace_seconds

    async def recover(self) -> None:
        """Retries or archives tasks whose leases are over, and gives back sets that nobody aggregated."""
        await each(self._queues, self._recover_tasks)
        await each(self._queues, self._broker.reclaim_stale_aggregation_sets)

    async def _recover_tasks(self, queue: str) -> None:
        cutoff = self._failures.now() - self._grace_seconds
        for message in await self._broker.list_lease_expired([queue], cutoff=cutoff):
            try:
                await self._recover(message)
            except NotFoundError:
                continue  # another server was faster

    async def _recover(self, message: TaskMessage) -> None:
        error = LeaseExpiredError()
        if message.retried >= message.retry:
            await self._broker.archive(message, error=str(error))
        else:
            retry_at = self._failures.retry_at(message, error)
            is_failure = self._failures.is_failure(error)
            await self._broker.retry(message, retry_at=retry_at, error=str(error), is_failure=is_failure)
        fields = {"queue": message.queue, "task_id": message.id, "type": message.type}
        logger.warning("[Asynq] Task failed", extra={**fields, "error": str(error), "ending": "recovered"})
