"""The task records behind the two cancel endpoints, where there are some; what was begun is completed.

A file is not made here, only brought up to date: without it there is nothing to cancel.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from redis.asyncio import Redis

from asynq_exporter.core.errors import AsynqError, FailedPreconditionError
from asynq_exporter.settings import Settings, SettingsError
from asynq_exporter.web.api.errors import ApiError

if TYPE_CHECKING:
    from asynq_exporter.core.records import Cancellations, Database

logger = logging.getLogger(__name__)

#: How often what a killed process left is looked for, and how old it has to be for that but at the start.
COMPLETE_SECONDS = 60.0

#: How long the end waits for what is being completed; a kill does no harm either.
CLOSE_SECONDS = 10.0


class Records:
    """Cancellations over the configured database."""

    def __init__(self, settings: Settings, redis: Redis) -> None:
        """Connects to nothing yet."""
        self._settings = settings
        self._url = settings.records_database_url
        self._redis = redis
        self._read_only = settings.api_read_only
        self._database: Database | None = None
        self._cancellations: Cancellations | None = None
        self._opening = asyncio.Lock()
        self._round: asyncio.Task[bool] | None = None

    async def cancellations(self) -> "Cancellations":
        """What cancels tasks.

        Raises:
            ApiError: no records are configured.
            AsynqError: the database does not answer.
        """
        async with self._opening:
            if self._cancellations is None:
                self._cancellations = await self._open()
            return self._cancellations

    async def keep_completing(self) -> None:
        """Completes at the start, and then every minute, what a killed process left."""
        age = 0.0
        while not self._read_only:
            self._round = asyncio.create_task(self._complete(age))
            # Not cut off in the middle: SQLAlchemy would wait for ever for a connection that was just made.
            if await asyncio.shield(self._round):
                age = COMPLETE_SECONDS
            await asyncio.sleep(COMPLETE_SECONDS)

    async def close(self) -> None:
        """Ends the connections, after the round under way if that takes no longer than some seconds."""
        if self._round is not None:
            await asyncio.wait({self._round}, timeout=CLOSE_SECONDS)
        if self._database is not None:
            await self._database.close()

    async def _complete(self, min_age_seconds: float) -> bool:
        try:
            closed = await (await self.cancellations()).recover(min_age_seconds=min_age_seconds)
        except ApiError:
            logger.debug("No task records to complete")
        except AsynqError as exc:
            logger.warning("Cancellations cannot be completed now", extra={"error": str(exc)})
        else:
            if closed:
                logger.info("Cancellations completed", extra={"tasks": closed})
            return True
        return False

    async def _open(self) -> "Cancellations":
        path = self._url.file
        if path is not None and not await asyncio.to_thread(path.exists):
            message = (
                f"there are no task records to cancel in: {self._url} does not exist; name the database that"
                " has them by --records.database-url or ASYNQ_DATABASE_URL"
            )
            raise ApiError(501, "records_not_configured", message)
        # SQLAlchemy and Alembic, which nobody without records needs.
        from asynq_exporter.core.records import Cancellations, Jobs, SqlRecords  # noqa: PLC0415
        from asynq_exporter.web import records  # noqa: PLC0415

        try:
            refunds = records.refunds(self._settings)
            self._database = self._database or records.database_of(self._settings)
            await self._database.prepare()
        except SettingsError as exc:
            raise ApiError(501, "records_not_configured", str(exc)) from exc
        except FailedPreconditionError as exc:
            raise ApiError(503, "records_not_usable", str(exc)) from exc
        store = SqlRecords(self._database, keeps_ledger=refunds is None)
        return Cancellations(store, Jobs(self._redis), refunds=refunds)
