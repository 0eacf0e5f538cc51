"""The task records on the page of the exporter."""

import sqlite3
from pathlib import Path

from asynq_exporter.core.records import Database, NewRecord, SqlRecords, Status
from tests.conftest import RedisServer
from tests.web.conftest import Answer, Serve, Site


async def write_records(path: Path) -> None:
    """A task that goes on, one that is done, and one that was refunded."""
    database = Database(f"sqlite:///{path}")
    await database.prepare()
    store = SqlRecords(database)
    for task_id in ("going", "done", "failed"):
        await store.create(NewRecord(task_id=task_id, user_id=1, credits=30))
    await store.finish("done", Status.SUCCESS)
    await store.fail("failed", "why")
    await database.close()


async def page_with(site: Site, sample: str) -> Answer:
    """The metrics, as soon as a sample stands there."""
    while sample not in (page := await site.get("/metrics")).text:
        pass
    return page


async def test_records_are_on_the_page(redis_server: RedisServer, serve: Serve, tmp_path: Path) -> None:
    """Read in the background; the collector tells of itself as the others do."""
    await write_records(tmp_path / "records.db")
    async with serve(redis_server, records_database__url=f"sqlite:///{tmp_path}/records.db") as site:
        page = await page_with(site, "asynq_records_up 1.0")

    found = {
        name: page.sample(name)
        for name in (
            'asynq_records_tasks{status="SUBMITTED"}',
            'asynq_records_tasks{status="SUCCESS"}',
            'asynq_records_tasks{status="EMPTY"}',
            "asynq_records_refunds_total",
            "asynq_records_refunded_credits_total",
            "asynq_records_refunds_pending",
            "asynq_records_open_settlements",
            "asynq_records_fallback_active",
            'asynq_exporter_collector_success{collector="records"}',
        )
    }
    assert [1, 1, 0, 1, 30, 0, 1, 1, 1] == list(found.values())
    assert 0 < page.sample("asynq_records_oldest_unfinished_timestamp_seconds")
    assert 0 < page.sample("asynq_records_read_seconds")


async def test_records_are_there_while_redis_is_not(
    own_redis: RedisServer, serve: Serve, tmp_path: Path
) -> None:
    """That is when it matters whether their tasks are polled."""
    await write_records(tmp_path / "records.db")
    own_redis.kill()
    async with serve(own_redis, records_database__url=f"sqlite:///{tmp_path}/records.db") as site:
        page = await page_with(site, "asynq_records_up 1.0")

    assert 0 == page.sample("asynq_up")
    assert 1 == page.sample("asynq_records_fallback_active")
    assert 1 == page.sample("asynq_records_refunds_total")


async def test_database_that_is_away_costs_its_own_numbers(
    redis_server: RedisServer, serve: Serve, tmp_path: Path
) -> None:
    """A sample says so, the file is not made, and the queues are there."""
    path = tmp_path / "records.db"
    async with serve(redis_server, records_database__url=f"sqlite:///{path}") as site:
        page = await page_with(site, "asynq_records_up 0.0")
        status = await site.get("/")

    assert not path.exists()
    assert "asynq_records_tasks" not in page.text
    assert 0 == page.sample('asynq_exporter_collector_success{collector="records"}')
    assert 1 == page.sample("asynq_up")
    assert "records.db does not exist" in status.text


async def test_database_without_tables_is_left_as_it_is(
    redis_server: RedisServer, serve: Serve, tmp_path: Path
) -> None:
    """The exporter only reads."""
    path = tmp_path / "records.db"
    sqlite3.connect(path).close()
    path.touch()
    async with serve(redis_server, records_database__url=f"sqlite:///{path}") as site:
        page = await page_with(site, "asynq_records_up 0.0")

    assert "asynq_records_tasks" not in page.text
    with sqlite3.connect(path) as connection:
        assert [] == connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()


async def test_nobody_without_records_hears_of_them(site: Site) -> None:
    """Without a database that was named there are no such samples."""
    assert "asynq_records" not in (await site.get("/metrics")).text
