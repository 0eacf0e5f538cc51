"""The SQL database: SQLite in a file of its own, or PostgreSQL; its connections, transactions and errors.

    database = Database("sqlite:///records.db")
    await database.prepare()
    ...
    await database.close()

A transaction that writes locks SQLite from its beginning, so that two of them wait for each other instead
of failing half way. In PostgreSQL they lock rows.
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, PoolProxiedConnection, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from asynq_exporter.core.errors import FailedPreconditionError, InvalidArgumentError
from asynq_exporter.core.records.errors import DatabaseError

logger = logging.getLogger(__name__)

#: Scheme of an address -> scheme with the driver that is used.
DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}

#: Connections that a process holds at most.
POOL_SIZE = 5

#: How long a transaction waits for others, and a query for its answer.
WAIT_SECONDS = 30

#: Number of the advisory lock under which one process at a time upgrades; any will do, if all take the same.
UPGRADE_LOCK = 4_127_008_391

_READS = "records_reads"

# It tells at each start that there is a database; what it changes is told here.
logging.getLogger("alembic").setLevel(logging.WARNING)


class Database:
    """Connections to one database; `close` ends them."""

    def __init__(self, url: str) -> None:
        """Prepares connections; none is made yet.

        Raises:
            InvalidArgumentError: the address is none, or of another kind of database.
        """
        self._engine = _make_engine(_with_driver(url))

    @property
    def engine(self) -> AsyncEngine:
        """The engine, for who has queries of their own."""
        return self._engine

    @property
    def is_embedded(self) -> bool:
        """Whether it is a file of this machine."""
        return self._engine.dialect.name == "sqlite"

    async def prepare(self) -> None:
        """What each start does: makes the tables of an embedded database, looks whether a server has them.

        In a server they are made by `upgrade`, for which it takes rights that nothing else needs.

        Raises:
            FailedPreconditionError: the tables are missing, or of another version.
            DatabaseError: the database does not answer.
        """
        if self.is_embedded:
            await self.upgrade()
            return
        async with self.read() as connection:
            found, expected = await connection.run_sync(_versions)
        if found == expected:
            return
        what = "has no tables for task records" if found is None else f"is of version {found}, not {expected}"
        raise FailedPreconditionError(f"the database {what}; run: asynq-exporter records upgrade")

    async def upgrade(self) -> None:
        """Makes the tables, or brings them up to date; of several processes one does, the others wait for it.

        Raises:
            FailedPreconditionError: a newer version of this program was here before.
            DatabaseError: the database does not answer.
        """
        async with self.write() as connection:
            if not self.is_embedded:
                await connection.execute(select(func.pg_advisory_xact_lock(UPGRADE_LOCK)))
            try:
                await connection.run_sync(_upgrade)
            except CommandError as exc:
                raise FailedPreconditionError(f"the database is of another version: {exc}") from exc

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction, committed at the end of the block; raises DatabaseError."""
        with database_errors():
            async with self._engine.begin() as connection:
                yield connection

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes nothing; raises DatabaseError."""
        with database_errors():
            async with self._engine.connect() as connection:
                yield await connection.execution_options(**{_READS: True})

    def insert(self, table: Any) -> Any:
        """An INSERT of this kind of database, which can `on_conflict_do_nothing`."""
        dialects: dict[str, Callable[[Any], Any]] = {
            "postgresql": postgresql.insert,
            "sqlite": sqlite.insert,
        }
        return dialects[self._engine.dialect.name](table)

    async def close(self) -> None:
        """Ends all connections."""
        await self._engine.dispose()


@contextlib.contextmanager
def database_errors() -> Iterator[None]:
    """Raises errors of the database as DatabaseError; broken constraints are left to who knows them."""
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as exc:
        # Without the statement and its values, which belong into no log.
        raise DatabaseError(f"the database failed: {type(exc.orig).__name__}: {exc.orig}") from exc
    except (PoolTimeoutError, OSError) as exc:
        raise DatabaseError(f"the database is not available: {exc}") from exc


def _with_driver(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        # Whatever it is may hold a password.
        raise InvalidArgumentError("the address of the database cannot be read") from None
    if parsed.drivername not in DRIVERS:
        known = ", ".join(DRIVERS)
        raise InvalidArgumentError(f"{parsed.drivername!r} is no known kind of database; use {known}")
    return parsed.set(drivername=DRIVERS[parsed.drivername])


def _make_engine(url: URL) -> AsyncEngine:
    if url.drivername.startswith("sqlite"):
        return _make_sqlite_engine(url)
    try:
        import asyncpg  # noqa: PLC0415 - an extra, which an embedded database does not need
    except ImportError:
        raise InvalidArgumentError(
            "PostgreSQL needs a driver; run: pip install 'asynq-exporter[postgres]'"
        ) from None
    # As the driver itself reads the address it knows all that libpq does: sslmode, PGPASSFILE, several hosts.
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connect = partial(asyncpg.connect, address, timeout=WAIT_SECONDS, command_timeout=WAIT_SECONDS)
    return create_async_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=WAIT_SECONDS,
        pool_pre_ping=True,
        async_creator=connect,
    )


def _make_sqlite_engine(url: URL) -> AsyncEngine:
    if url.database in {None, "", ":memory:"}:
        raise InvalidArgumentError("records in memory would be lost; name a file: sqlite:///records.db")
    engine = create_async_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=WAIT_SECONDS,
        connect_args={"timeout": WAIT_SECONDS},
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: PoolProxiedConnection, _record: object) -> None:
    # Transactions begin where we say, not where the driver guesses.
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()
    # Readers and the one writer do not wait for each other; a commit survives the loss of power.
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    is_read = connection.get_execution_options().get(_READS, False)
    connection.exec_driver_sql("BEGIN" if is_read else "BEGIN IMMEDIATE")


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    before, after = _versions(connection)
    command.upgrade(config, "head")
    if before != after:
        logger.info("Tables of the task records are upgraded", extra={"before": before, "after": after})


def _versions(connection: Connection) -> tuple[str | None, str | None]:
    """The version of the tables, and that of this program."""
    found = MigrationContext.configure(connection).get_current_revision()
    return found, ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "asynq_exporter.core.records:migrations")
    return config
