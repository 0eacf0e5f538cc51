"""Tells the user's function whether Redis answers."""

from asynq_exporter.core.errors import AsynqError
from asynq_exporter.core.worker.broker import WorkerBroker
from asynq_exporter.core.worker.config import HealthCheck


class Health:
    """Asks Redis for a sign of life."""

    def __init__(self, broker: WorkerBroker, tell: HealthCheck) -> None:
        self._broker = broker
        self._tell = tell

    async def check(self) -> None:
        """Asks, and tells."""
        error: AsynqError | None = None
        try:
            await self._broker.ping()
        except AsynqError as exc:
            error = exc
        await self._tell(error)
