"""`asynq-exporter poll`: the emergency stop of guide section 3.6 and the way back, with real processes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from asynq_exporter.core import FixedClock, keys
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.core.records import (
    Database,
    PollingConfig,
    PollingProgram,
    SqlRecords,
    Status,
    TaskRecord,
)
from tests.conftest import RedisServer
from tests.core.records.making import jobs_of, make, open_settlements, put_job, read, refunds
from tests.core.records.polling_programs import Notes, polling
from tests.core.worker.serving import until
from tests.interop.exposition import scrape

OFF = {"ASYNQ_POLLING_ENABLED": "false", "UPDATE_TASK": "true"}

TASKS = [f"t{number}" for number in range(6)]


@pytest.fixture
def now(database: Database) -> SqlRecords:
    """The records on the clock of life, as the processes have it."""
    return SqlRecords(database)


@pytest.fixture
def notes(own_redis: RedisServer) -> Iterator[Notes]:
    """What the polling function noted."""
    notes = Notes(own_redis)
    yield notes
    notes.close()


async def test_emergency_stop_and_the_way_back(
    now: SqlRecords, database_url: str, own_redis: RedisServer, notes: Notes, tmp_path: Path
) -> None:
    """Queue, fallback, queue: processes overlap, no poll does; none is forgotten, none is refunded twice."""
    for task_id in TASKS:
        await make(now, task_id, status=Status.IN_PROGRESS)
    await make(now, "over", status=Status.IN_PROGRESS, credits_=7, timeout_seconds=12)

    with polling(own_redis, tmp_path, database_url, ASYNQ_MIGRATE_EXISTING="true") as by_queue:
        by_queue.says("migrate: Is complete", enqueued=len(TASKS) + 1)
        by_queue.says("[Asynq] Polling system initialized")
        assert 200 == by_queue.get("/-/healthy")[0] == by_queue.get("/-/ready")[0]
        assert 1 == scrape(f"{by_queue.url}/metrics").value("asynq_worker_process_status", status="active")
        await asyncio.to_thread(notes.wait, by_queue, TASKS, polls=1)
        with polling(own_redis, tmp_path, database_url, **OFF) as by_fallback:
            by_fallback.says("[兜底轮询] Polls in place of the queue")
            assert 0 == by_queue.end()
            await asyncio.to_thread(notes.wait, by_fallback, TASKS, polls=2)
            with polling(own_redis, tmp_path, database_url) as back:
                assert 0 == by_fallback.end()
                await asyncio.to_thread(notes.wait, back, TASKS, polls=1)
                for task_id in TASKS:
                    notes.answer(task_id, "SUCCESS")
                tasks = [*TASKS, "over"]
                await until(lambda: are_finished(now, tasks), what="all tasks are finished", seconds=120)

    assert [] == notes.overlaps()
    assert {Status.SUCCESS} == {(await read(now, task_id)).status for task_id in TASKS}
    over = await read(now, "over")
    assert (Status.FAILURE, "任务超时") == (over.status, over.reason)
    assert {"over": 7} == await refunds(now)
    assert [] == await open_settlements(now)


async def are_finished(store: SqlRecords, tasks: list[str]) -> bool:
    """Whether all are."""
    return all([(await read(store, task_id)).is_finished for task_id in tasks])


async def test_killed_process_leaves_what_the_next_one_completes(
    now: SqlRecords,
    clock: FixedClock,
    database_url: str,
    own_redis: RedisServer,
    notes: Notes,
    tmp_path: Path,
) -> None:
    """A refund that was begun, and tasks that were just being polled by the fallback."""
    await make(now, "begun", credits_=7)
    await now.fail("begun", "killed after this")
    await make(now, "t0", status=Status.IN_PROGRESS)
    async with own_redis.async_client() as client:
        await put_job(client, clock, "job:begun:0")
        with polling(own_redis, tmp_path, database_url, **OFF) as program:
            await until(lambda: is_closed(now), what="the settlement is closed", seconds=60)
            await asyncio.to_thread(notes.wait, program, ["t0"], polls=1)
            program.process.kill()
            program.process.wait()
        assert [] == await jobs_of(client, "begun")
    notes.answer("t0", "SUCCESS")
    with polling(own_redis, tmp_path, database_url, **OFF):
        # At worst the lease of the killed one has to end first.
        await until(lambda: are_finished(now, ["t0"]), what="the task is finished", seconds=120)
    assert [] == notes.overlaps()
    assert {"begun": 7} == await refunds(now)


async def is_closed(store: SqlRecords) -> bool:
    """Whether no settlement is open."""
    return not await open_settlements(store)


async def answer_success(_: TaskRecord) -> str:
    """A service that has done everything."""
    return "SUCCESS"


async def test_job_of_a_task_in_work_uses_up_no_retry(
    now: SqlRecords, redis_client: Redis, clock: FixedClock, inspector: Inspector
) -> None:
    """It is tried again however often that happens: it never ends in the archive for the work of others."""
    await make(now, status=Status.NOT_START)
    await now.claim("task_xxx", seconds=600)
    await put_job(redis_client, FixedClock(seconds=0))
    stop = asyncio.Event()
    program = PollingProgram(now, redis_client, answer_success)
    running = asyncio.create_task(program.run(stop))
    key = keys.retry("scheduled")
    await until(lambda: redis_client.zcard(key), what="it waits to be tried again")
    stop.set()
    await running
    [task] = await inspector.find_task("job:task_xxx:0")
    assert task.info
    assert 0 == task.info.retried


async def test_nothing_is_migrated_where_the_queue_is_off(
    now: SqlRecords, redis_client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody might run the jobs; the log says so."""
    await make(now)
    config = PollingConfig(enabled=False, fallback=False, migrate_existing=True)
    await PollingProgram(now, redis_client, answer_success, config)._migrate()
    assert "migrate: Is left" in caplog.text
    assert [] == await jobs_of(redis_client)


async def test_migration_waits_for_redis(
    now: SqlRecords, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It is begun again until it is done; Redis may come later than the program."""
    await make(now, status=Status.NOT_START)
    async with own_redis.async_client() as client:
        own_redis.kill()
        stop = asyncio.Event()
        config = PollingConfig(fallback=False, migrate_existing=True)
        running = asyncio.create_task(PollingProgram(now, client, answer_success, config).run(stop))
        await until(lambda: "migrate: Failed, and is tried again" in caplog.text, what="it has failed")
        own_redis.start_again()
        await until(lambda: jobs_of(client), what="the task has its job", seconds=60)
        stop.set()
        await running


def test_program_is_ready_without_redis(
    database_url: str, own_redis: RedisServer, notes: Notes, tmp_path: Path
) -> None:
    """That is when the fallback is needed: a rollout must not wait for Redis."""
    with polling(own_redis, tmp_path, database_url, **OFF) as program:
        own_redis.kill()
        assert (200, "asynq-exporter poll is ready.\n") == program.get("/-/ready")
        own_redis.start_again()
