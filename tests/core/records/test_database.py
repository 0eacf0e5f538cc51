"""Databases: addresses, tables, errors, transactions."""

import asyncio
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from asynq_exporter.core.errors import FailedPreconditionError, InvalidArgumentError
from asynq_exporter.core.records import Database, DatabaseError, NewRecord, SqlRecords
from asynq_exporter.core.records.tables import metadata
from tests.conftest import wait_until
from tests.core.records.servers import Postgres


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("sqlite:///records.db", "sqlite+aiosqlite"),
        ("sqlite+aiosqlite:////var/lib/records.db", "sqlite+aiosqlite"),
        ("postgres://user:word@db/records", "postgresql+asyncpg"),
        ("postgresql://user:word@db:5432/records", "postgresql+asyncpg"),
        ("postgresql+asyncpg://db/records", "postgresql+asyncpg"),
    ],
)
def test_addresses_get_their_driver(url: str, scheme: str) -> None:
    """The addresses that people write work as they are."""
    assert scheme == Database(url).engine.url.drivername


@pytest.mark.parametrize(
    "url", ["", "nonsense:word", "mysql://u:hidden@h/d", "sqlite://", "sqlite:///:memory:"]
)
def test_other_addresses_are_refused(url: str) -> None:
    """No other kind of database, none that forgets; and no password in the sentence."""
    with pytest.raises(InvalidArgumentError) as caught:
        Database(url)
    assert "hidden" not in str(caught.value)


async def test_tables_are_those_of_the_queries(database: Database) -> None:
    """What the migrations make is what the queries expect."""

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with database.read() as connection:
        assert [] == await connection.run_sync(differences)


async def test_upgrade_twice_changes_nothing(database: Database, store: SqlRecords) -> None:
    """Each start upgrades; what is there stays."""
    await store.create(NewRecord(task_id="a", user_id=1, credits=5))
    await database.upgrade()
    assert await store.get("a") is not None


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_many_upgrade_at_once(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Processes that start together make the tables once."""
    url = f"sqlite:///{tmp_path}/new.db"
    if kind == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        server.execute("CREATE DATABASE upgraded_at_once")
        url = server.url("upgraded_at_once")
    databases = [Database(url) for _ in range(5)]
    await asyncio.gather(*(database.upgrade() for database in databases))
    assert 0 == await SqlRecords(databases[0]).count_without_job()
    for database in databases:
        await database.close()


async def test_newer_database_is_refused(database: Database) -> None:
    """An older program does not touch tables that it does not know."""
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(FailedPreconditionError, match="9999"):
        await database.upgrade()
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "no database", "no tables"])
async def test_what_is_out_of_reach_is_unavailable(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Whatever the driver raises, the caller sees one error."""
    url = {
        "sqlite": f"sqlite:///{tmp_path}/no/such/folder.db",
        "postgresql": f"postgresql://postgres@/x?host={tmp_path}",
        "no tables": f"sqlite:///{tmp_path}/empty.db",
    }.get(kind) or request.getfixturevalue("postgres").url("no_such_database")
    database = Database(url)
    with pytest.raises(DatabaseError):
        await SqlRecords(database).get("a")
    await database.close()
    # The driver does not wait for the thread of a connection that failed; it must not outlive our loop.
    wait_until(
        lambda: not any("_connection_worker" in t.name for t in threading.enumerate()), what="it ended"
    )


@pytest.mark.parametrize(
    "statement",
    ["UPDATE ledger_entries SET amount = -1", "DELETE FROM ledger_entries"],
)
async def test_ledger_is_append_only(database: Database, store: SqlRecords, statement: str) -> None:
    """The database itself refuses to change or delete an entry, whoever asks."""
    await store.create(NewRecord(task_id="a", user_id=1, credits=5))
    with pytest.raises((DBAPIError, DatabaseError), match="append-only"):
        async with database.write() as connection:
            await connection.execute(text(statement))
    assert -5 == await store.balance(1)
