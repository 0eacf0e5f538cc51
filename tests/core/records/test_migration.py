"""Migration of tasks into the queue (guide section 3.7)."""

import asyncio
import logging
import os
import socket

import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from sqlalchemy import text

from asynq_exporter.core import Client, FixedClock, Task
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.core.records import (
    Database,
    LeaseLostError,
    Locks,
    Migrated,
    Migration,
    NewRecord,
    PlatformClass,
    RecordStore,
    SqlRecords,
    Status,
    TaskRecord,
)
from asynq_exporter.core.records.migration import NAME
from tests.conftest import RedisServer
from tests.core.queue_state import T
from tests.core.records.making import jobs_of, make, put_job, read
from tests.core.together import processes
from tests.core.worker.serving import until


@pytest.fixture
def migration(store: SqlRecords, redis_client: Redis, clock: FixedClock) -> Migration:
    """Two tasks a batch."""
    return Migration(store, redis_client, clock, batch_size=2)


async def test_unfinished_tasks_get_their_first_job(
    store: SqlRecords, migration: Migration, redis_client: Redis, inspector: Inspector, clock: FixedClock
) -> None:
    """All but SUCCESS and FAILURE, with the retries of the guide; once, however often it is run."""
    for status in Status:
        await make(store, f"t{status}", status=status, platform_class=PlatformClass.SHORT)
    clock.advance(60)
    migrated = await migration.run()
    assert Migrated(total=6, enqueued=6) == migrated
    for status in Status:
        jobs = await jobs_of(redis_client, f"t{status}")
        assert ([] if status.is_finished else [f"scheduled job:t{status}:0"]) == jobs
    task = await inspector.get_task("scheduled", "job:tQUEUED:0")
    assert task.info is not None
    assert (120, "task:poll", b'{"task_id": "tQUEUED"}') == (
        task.info.max_retry,
        task.info.type,
        task.info.payload,
    )
    assert Migrated(total=0) == await migration.run()


async def test_task_that_is_not_due_waits(
    store: SqlRecords, migration: Migration, inspector: Inspector
) -> None:
    """What was polled a moment ago is not polled again before its time."""
    await make(store)
    await migration.run()
    [task] = await inspector.find_task("job:task_xxx:0")
    assert (T + 3) == task.score


async def test_duplicates_are_skipped_silently(
    store: SqlRecords,
    migration: Migration,
    redis_client: Redis,
    clock: FixedClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A job that is in its queue already, or in another; the keyword stands at debug alone."""
    caplog.set_level(logging.DEBUG, "asynq_exporter")
    for task_id in ("a", "b", "c"):
        await make(store, task_id)
    await put_job(redis_client, clock, "job:a:0")
    await put_job(redis_client, clock, "job:b:0", queue="low")
    assert Migrated(total=3, enqueued=1, duplicates=2) == await migration.run()
    assert ["low job:b:0"] == await jobs_of(redis_client, "b")
    lines = [record for record in caplog.records if "ErrDuplicateTask" in record.getMessage()]
    assert [logging.DEBUG] * 2 == [record.levelno for record in lines]


async def test_progress_is_told_after_each_batch(store: SqlRecords, migration: Migration) -> None:
    """Of how many tasks how many are done."""
    for number in range(5):
        await make(store, f"t{number}")
    told: list[tuple[int, int]] = []
    await migration.run(progress=lambda state: told.append((state.done, state.total)))
    assert [(2, 5), (4, 5), (5, 5)] == told


CODE = """
from asynq_exporter.core.records import Database, Migration, SqlRecords

async def main():
    database = Database({url!r})
    await step()
    migrated = await Migration(SqlRecords(database), client, batch_size=7).run()
    print(number, "-" if migrated is None else migrated.enqueued)
    await database.close()
    await client.aclose()
"""


async def test_five_processes_migrate_once(
    store: SqlRecords,
    database_url: str,
    redis_server: RedisServer,
    redis_sync: SyncRedis,
    redis_client: Redis,
) -> None:
    """Pods that start together: between them every task gets one job."""
    for number in range(100):
        await make(store, f"t{number}", credits_=0)
    with processes(redis_server, redis_sync, CODE.format(url=database_url), count=5) as started:
        started.wait()
        started.go()
        said = [line.split() for line in started.lines()]
    assert [100] == [int(count) for _, count in said if count not in {"-", "0"}]
    assert 5 == len(said)
    for number in range(100):
        assert [f"scheduled job:t{number}:0"] == await jobs_of(redis_client, f"t{number}")


async def test_lock_that_is_held_stops_it(
    store: SqlRecords, migration: Migration, redis_client: Redis
) -> None:
    """Another process does it."""
    await make(store)
    lock = await Locks(redis_client).acquire(NAME, seconds=60)
    assert lock is not None
    assert await migration.run() is None
    await lock.release()
    assert await migration.run() is not None


async def test_process_that_stood_still_is_fenced_off(
    store: SqlRecords, migration: Migration, redis_client: Redis
) -> None:
    """Its lock ended while it was enqueuing; another went on. It writes nothing more, and doubles no job."""
    for number in range(4):
        await make(store, f"t{number}")
    real, other = migration._client.enqueue_many, Migration(store, redis_client)

    async def stand_still(*args: object) -> object:
        migration._client.enqueue_many = real  # type: ignore[method-assign]
        await redis_client.flushall()
        assert Migrated(total=4, enqueued=4) == await other.run()
        return await real(*args)  # type: ignore[arg-type]

    migration._client.enqueue_many = stand_still  # type: ignore[method-assign, assignment]
    with pytest.raises(LeaseLostError):
        await migration.run()
    for number in range(4):
        assert [f"scheduled job:t{number}:0"] == await jobs_of(redis_client, f"t{number}")


async def test_task_cancelled_meanwhile_keeps_no_job(
    store: SqlRecords, migration: Migration, redis_client: Redis
) -> None:
    """A cancellation between reading the record and enqueuing has found no job to remove."""
    await make(store, "a")
    await make(store, "b")
    real = migration._client.enqueue_many

    async def cancel_first(*args: object) -> object:
        await store.fail("a", "meanwhile")
        return await real(*args)  # type: ignore[arg-type]

    migration._client.enqueue_many = cancel_first  # type: ignore[method-assign, assignment]
    assert Migrated(total=2, enqueued=1, finished=1) == await migration.run()
    assert [] == await jobs_of(redis_client, "a")
    assert -1 == (await read(store, "a")).attempt


async def test_task_that_can_have_no_job_is_left_out(
    store: SqlRecords, migration: Migration, database: Database
) -> None:
    """In a database that others fill; it stops no other task."""
    await make(store, "a")
    await make(store, "b")
    async with database.write() as connection:
        await connection.execute(text("UPDATE task_records SET task_id = 'a:retry' WHERE task_id = 'a'"))
    assert Migrated(total=2, enqueued=1, refused=1) == await migration.run()


async def test_job_is_what_the_company_makes_of_it(
    store: SqlRecords, redis_client: Redis, clock: FixedClock, inspector: Inspector
) -> None:
    """Type and payload are its own; the queue is that of the record."""
    await store.create(NewRecord(task_id="a", user_id=1, credits=0, queue="video"))

    def make_task(record: TaskRecord) -> Task:
        return Task("video:poll", str(record.user_id).encode())

    await Migration(store, redis_client, clock, make_task=make_task, client=Client(redis_client, clock)).run()
    [task] = await inspector.find_task("job:a:0")
    assert task.info is not None
    assert ("video", "video:poll", b"1") == (task.queue, task.info.type, task.info.payload)


def test_ours_is_a_store(store: SqlRecords) -> None:
    """Every method of the interface is there, and mypy compares them."""
    checked: RecordStore = store
    assert checked.gives_refunds


async def test_preview_counts_and_changes_nothing(
    store: SqlRecords, database: Database, migration: Migration, redis_client: Redis, clock: FixedClock
) -> None:
    """What would be enqueued, what is there already, what cannot be; then the migration does just that."""
    for task_id in ("a", "b", "c", "d"):
        await make(store, task_id)
    await put_job(redis_client, clock, "job:b:0", queue="low")
    async with database.write() as connection:
        await connection.execute(text("UPDATE task_records SET task_id = 'd:retry' WHERE task_id = 'd'"))
    expected = Migrated(total=4, enqueued=2, duplicates=1, refused=1)
    assert expected == await migration.preview()
    assert [] == await jobs_of(redis_client, "a")
    assert expected == await migration.run()


async def test_who_waits_is_told_for_whom_and_goes_on(
    store: SqlRecords,
    migration: Migration,
    redis_client: Redis,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Until the other has ended, or was killed and its lock has ended by itself."""
    caplog.set_level(logging.INFO, "asynq_exporter")
    monkeypatch.setattr("asynq_exporter.core.records.migration.WAIT_SECONDS", 0.001)
    await make(store)
    lock = await Locks(redis_client).acquire(NAME, seconds=60)
    assert lock is not None
    waits = asyncio.create_task(migration.complete())
    await until(lambda: any("holder" in record.__dict__ for record in caplog.records), what="it is told")
    assert not waits.done()
    await lock.release()
    assert Migrated(total=1, enqueued=1) == await waits
    [told] = [record.__dict__["holder"] for record in caplog.records if "holder" in record.__dict__]
    assert f"{socket.gethostname()}:{os.getpid()}" == told


async def test_ended_migration_gives_the_lock_back(
    store: SqlRecords, migration: Migration, redis_client: Redis
) -> None:
    """Whoever is next need not wait for the end of the lock."""
    for number in range(6):
        await make(store, f"t{number}")

    def end(_: Migrated) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await migration.run(progress=end)
    assert Migrated(total=4, enqueued=4) == await migration.run()
