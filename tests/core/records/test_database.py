"""Databases: addresses, tables, errors, transactions."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from redis.asyncio import Redis
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from asynq_exporter.core import FixedClock
from asynq_exporter.core.errors import FailedPreconditionError, InvalidArgumentError
from asynq_exporter.core.records import (
    Cancellations,
    Chain,
    Database,
    DatabaseError,
    Jobs,
    Migration,
    NewRecord,
    SqlRecords,
    Status,
)
from asynq_exporter.core.records.tables import metadata
from tests.conftest import wait_until
from tests.core.records.conftest import DATABASE
from tests.core.records.making import CREDITS, LEASE, USER, make, open_settlements, read
from tests.core.records.servers import Postgres
from tests.processes import ROOT


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
        await connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))


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


async def test_embedded_database_is_prepared_by_whoever_comes_first(tmp_path: Path) -> None:
    """A file needs nobody who sets it up."""
    database = Database(f"sqlite:///{tmp_path}/new.db")
    for _ in range(2):
        await database.prepare()
    assert 0 == await SqlRecords(database).count_without_job()
    await database.close()


async def test_server_is_upgraded_by_its_owner_alone(postgres: Postgres) -> None:
    """A start makes no tables there; it says what to run, until the version is that of the program."""
    postgres.execute("CREATE DATABASE by_its_owner")
    new = Database(postgres.url("by_its_owner"))
    with pytest.raises(FailedPreconditionError, match=r"no tables .* run: asynq-exporter records upgrade"):
        await new.prepare()
    await new.upgrade()
    await new.prepare()
    postgres.execute("UPDATE alembic_version SET version_num = '0000'", database="by_its_owner")
    with pytest.raises(FailedPreconditionError, match="version 0000, not 0002; run: "):
        await new.prepare()
    await new.close()


async def test_documented_rights_are_enough(
    postgres: Postgres, redis_client: Redis, clock: FixedClock
) -> None:
    """Everything but the upgrade works with them; what is in the ledger is beyond reach."""
    postgres.execute("CREATE DATABASE rights")
    postgres.execute("CREATE ROLE least LOGIN")
    owner = Database(postgres.url("rights"))
    await owner.upgrade()
    await owner.close()
    postgres.run_file(ROOT / "deploy/postgresql/least-privileges.sql", database="rights", role="least")
    database = Database(postgres.url("rights", user="least"))
    await database.prepare()
    store = SqlRecords(database, clock)
    for task_id in ("a", "b", "c"):
        await make(store, task_id)
    record = await read(store, "a")
    chain = Chain(redis_client, store, clock)
    assert await Migration(store, redis_client, clock).run()
    assert await chain.retry_dead_letter(record)
    assert await store.grant(1, 5, reference="payment")
    clock.advance(3)
    [lease] = await store.claim_due(limit=1, seconds=LEASE)
    await store.advance(lease, status=Status.QUEUED, polls=1, after_seconds=1)
    assert await store.finish("b", Status.SUCCESS)
    cancellations = Cancellations(store, Jobs(redis_client, clock), clock)
    assert (await cancellations.cancel("a")).refunded
    assert [] == await open_settlements(store)
    for statement in ("DELETE FROM ledger_entries", "TRUNCATE task_records", "DROP TABLE fences"):
        with pytest.raises(DatabaseError, match=r"permission denied|must be owner"):
            async with database.write() as connection:
                await connection.execute(text(statement))
    await database.close()


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ("sslmode=disable", ""),
        ("sslmode=prefer&application_name=records", ""),
        ("sslmode=require", ""),
        ("sslmode=perhaps", "sslmode"),
        ("search_pth=x", "search_pth"),
    ],
)
async def test_parameters_of_an_address_are_those_of_libpq(
    postgres_with_tables: Postgres, parameters: str, error: str
) -> None:
    """What people write for psql works; what cannot be is an error that names it."""
    database = Database(f"{postgres_with_tables.url(DATABASE)}&{parameters}")
    if error:
        with pytest.raises(DatabaseError, match=error):
            await database.prepare()
    else:
        await database.prepare()
    await database.close()


async def test_other_languages_write_a_record_like_ours(postgres: Postgres, clock: FixedClock) -> None:
    """The documented statements: record and charge, as `create` writes them but for the moment."""
    postgres.execute("CREATE DATABASE by_others")
    database = Database(postgres.url("by_others"))
    await database.upgrade()
    store = SqlRecords(database, clock)
    postgres.run_file(
        ROOT / "deploy/postgresql/record-a-task.sql",
        database="by_others",
        task_id="task_xxx",
        user_id=str(USER),
        credits=str(CREDITS),
    )
    theirs, ours = await read(store), await make(store, "ours", timeout_seconds=3600)
    assert theirs.next_poll_at == theirs.created_at + 3
    times = {name: getattr(ours, name) for name in ("created_at", "updated_at", "next_poll_at")}
    assert ours == replace(theirs, task_id="ours", **times)
    assert [-CREDITS] * 2 == [entry.amount for entry in await store.entries(USER)]
    await database.close()
