"""Records in SQLite and in PostgreSQL, on a clock that stands still."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from asynq_exporter.core import FixedClock
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.core.records import (
    Cancellations,
    Chain,
    Database,
    Fallback,
    Handler,
    Jobs,
    Poller,
    SqlRecords,
)
from asynq_exporter.core.records.tables import metadata
from tests.core.queue_state import T
from tests.core.records.servers import Postgres, running_postgres
from tests.core.records.service import Service, usable

DATABASE = "records"


@pytest.fixture
def clock() -> FixedClock:
    """The first second of 2100, until a test moves it."""
    return FixedClock(seconds=T)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL of the session."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database, of either kind, with its tables made."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "records.db")
        yield f"sqlite:///{tmp_path}/records.db"
        return
    server: Postgres = request.getfixturevalue("postgres_with_tables")
    yield server.url(DATABASE)
    # Quicker than a new database; as a replica, or the ledger would refuse.
    tables = ", ".join(metadata.tables)
    server.execute(f"SET session_replication_role = replica; TRUNCATE {tables}", database=DATABASE)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables in it."""
    path = tmp_path_factory.mktemp("records") / "template.db"
    _upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_with_tables(postgres: Postgres) -> Postgres:
    """The same, with a database that has the tables in it."""
    postgres.execute(f"CREATE DATABASE {DATABASE}")
    _upgrade(postgres.url(DATABASE))
    return postgres


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Connections to it."""
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
def store(database: Database, clock: FixedClock) -> SqlRecords:
    """The records."""
    return SqlRecords(database, clock)


@pytest.fixture
def jobs(redis_client: Redis, clock: FixedClock) -> Jobs:
    """The jobs, in an empty Redis."""
    return Jobs(redis_client, clock)


@pytest.fixture
def chain(redis_client: Redis, store: SqlRecords, clock: FixedClock) -> Chain:
    """What puts jobs into queues."""
    return Chain(redis_client, store, clock)


@pytest.fixture
def inspector(redis_client: Redis, clock: FixedClock) -> Inspector:
    """What looks at the queues."""
    return Inspector(redis_client, clock)


@pytest.fixture
def cancellations(store: SqlRecords, jobs: Jobs, clock: FixedClock) -> Cancellations:
    """What cancels tasks."""
    return Cancellations(store, jobs, clock)


@pytest.fixture
def service() -> Service:
    """The service outside."""
    return Service()


@pytest.fixture
def poller(store: SqlRecords, cancellations: Cancellations, service: Service, clock: FixedClock) -> Poller:
    """What polls a task."""
    return Poller(store, cancellations, service, clock)


@pytest.fixture
def handler(store: SqlRecords, poller: Poller, chain: Chain, clock: FixedClock) -> Handler:
    """The side of the queue."""
    return Handler(store, poller, chain, clock)


@pytest.fixture
def disabled(store: SqlRecords, poller: Poller, clock: FixedClock) -> Fallback:
    """The fallback where the queue is disabled."""
    return Fallback(store, poller, clock)


@pytest.fixture
def beside(store: SqlRecords, poller: Poller, jobs: Jobs, chain: Chain, clock: FixedClock) -> Fallback:
    """The fallback beside a queue that works."""
    return Fallback(store, poller, clock, is_queue_usable=usable, chain=chain)


def _upgrade(url: str) -> None:
    async def upgrade() -> None:
        database = Database(url)
        await database.upgrade()
        await database.close()

    asyncio.run(upgrade())
