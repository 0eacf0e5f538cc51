"""The collector of the task records' numbers, where a database is configured."""

from dataclasses import fields
from typing import TYPE_CHECKING

from asynq_exporter.scan.background.records import RecordsCollector
from asynq_exporter.settings import Settings, SettingsError

if TYPE_CHECKING:
    from asynq_exporter.core.records import Summary

_DEFAULT = next(field.default for field in fields(Settings) if field.name == "records_database_url")


def collector(settings: Settings) -> RecordsCollector | None:
    """What reads them; None where no database was named, for not everybody has records."""
    if settings.records_database_url == _DEFAULT:
        return None
    return RecordsCollector(
        lambda: _Opened(settings),
        polling_queues=settings.polling_queues,
        interval_seconds=settings.collector_interval_seconds,
    )


class _Opened:
    """The configured database, which is only read: nothing in it is made or brought up to date."""

    def __init__(self, settings: Settings) -> None:
        """Connects to nothing yet; raises SettingsError."""
        url = settings.records_database_url
        if url.file is not None and not url.file.exists():
            raise SettingsError(f"{url} does not exist; whoever writes records makes it")
        # SQLAlchemy, which nobody without records needs.
        from asynq_exporter.core.records import SqlRecords  # noqa: PLC0415
        from asynq_exporter.web import records  # noqa: PLC0415

        self._database = records.database_of(settings)
        self._records = SqlRecords(self._database)

    async def summary(self) -> "Summary":
        """The numbers; raises DatabaseError."""
        return await self._records.summary()

    async def close(self) -> None:
        """Ends the connections."""
        await self._database.close()
