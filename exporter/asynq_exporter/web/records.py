"""The task records that the settings name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asynq_exporter.core.errors import AsynqError, InvalidArgumentError
from asynq_exporter.core.records import Database, Refunds, SqlRecords, WebhookRefunds
from asynq_exporter.settings import Settings, SettingsError, StartupError, text_file
from asynq_exporter.settings.text_file import TextFileError

#: A secret is a line; a bigger file is the wrong file.
MAX_SECRET_BYTES = 64 * 1024


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[SqlRecords]:
    """The records, for as long as the block lasts.

    Raises:
        SettingsError: the address cannot be used.
        StartupError: the database does not answer, or has not the tables of this version.
    """
    database = database_of(settings)
    try:
        try:
            await database.prepare()
        except AsynqError as exc:
            raise StartupError(f"{settings.records_database_url}: {exc}") from exc
        yield SqlRecords(database, keeps_ledger=settings.records_webhook_url is None)
    finally:
        await database.close()


def refunds(settings: Settings) -> Refunds | None:
    """What gives credits back when the ledger does not; raises SettingsError."""
    url, path = settings.records_webhook_url, settings.records_webhook_secret_file
    if url is None or path is None:
        return None
    try:
        secret = text_file.read(path, max_bytes=MAX_SECRET_BYTES).removesuffix("\n").removesuffix("\r")
    except TextFileError as exc:
        raise SettingsError(f"--records.webhook-secret-file: {exc}") from exc
    try:
        return WebhookRefunds(url, secret.encode())
    except InvalidArgumentError as exc:
        raise SettingsError(f"--records.webhook-url and --records.webhook-secret-file: {exc}") from exc


def database_of(settings: Settings) -> Database:
    """The database, not connected to yet; raises SettingsError."""
    try:
        return Database(settings.records_database_url.reveal())
    except InvalidArgumentError as exc:
        raise SettingsError(f"--records.database-url: {exc}") from exc


def upgrade(settings: Settings) -> None:
    """Makes the tables, or brings them up to date.

    Raises:
        SettingsError: the address cannot be used.
        StartupError: the database does not answer, or refuses.
    """

    async def go() -> None:
        database = database_of(settings)
        try:
            await database.upgrade()
        except AsynqError as exc:
            raise StartupError(f"{settings.records_database_url}: {exc}") from exc
        finally:
            await database.close()

    asyncio.run(go())
