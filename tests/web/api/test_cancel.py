"""Cancelling with a refund over HTTP: statuses, the missing database, what a killed process left."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis

from asynq_exporter.core import FixedClock, keys
from asynq_exporter.core.records import Database, EntryKind, NewRecord, SqlRecords, Status, cancel
from asynq_exporter.core.records.models import MAX_TEXT_CHARACTERS
from asynq_exporter.web.api import records
from asynq_exporter.web.api.models import cancel as models
from tests.conftest import RedisServer
from tests.core.records.test_webhook import Receiver
from tests.web.api.conftest import Api, ServeApi


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlRecords]:
    """The records that the API under test uses, with one task."""
    database = Database(f"sqlite:///{tmp_path / 'records.db'}")
    await database.upgrade()
    records = SqlRecords(database)
    await records.create(NewRecord(task_id="task_xxx", user_id=100, credits=100_000))
    yield records
    await database.close()


async def refunds(store: SqlRecords) -> int:
    """How many refunds the user got."""
    return sum(entry.kind is EntryKind.REFUND for entry in await store.entries(100))


async def test_cancel_and_again(store: SqlRecords, api: Api) -> None:
    """The second time says what was done the first time; one refund."""
    first = await api.post("/tasks/cancel", {"task_id": "task_xxx", "reason": "first"})
    second = await api.post("/tasks/cancel", {"task_id": "task_xxx", "reason": "second"})

    assert (200, "任务已取消并退还资源") == (first.status, first.json["message"])
    assert first.json == second.json
    assert 1 == await refunds(store)


async def test_nothing_to_refund(store: SqlRecords, api: Api) -> None:
    """A task that cost nothing is cancelled, and it is not said that something was refunded."""
    await store.create(NewRecord(task_id="free", user_id=100, credits=0))

    answer = await api.post("/tasks/cancel", {"task_id": "free"})

    assert (200, False, "任务已取消，无资源可退") == (
        answer.status,
        answer.data["refunded"],
        answer.json["message"],
    )


async def test_many_at_once_refund_once(store: SqlRecords, api: Api) -> None:
    """However many ask together."""
    answers = await asyncio.gather(*(api.post("/tasks/cancel", {"task_id": "task_xxx"}) for _ in range(30)))

    assert {200} == {answer.status for answer in answers}
    assert 1 == await refunds(store)


async def test_refusals(store: SqlRecords, api: Api) -> None:
    """Unknown is 404, finished is 409 with its status, and nothing is refunded."""
    await store.create(NewRecord(task_id="done", user_id=100, credits=1))
    await store.finish("done", Status.SUCCESS)

    unknown = await api.post("/tasks/cancel", {"task_id": "nobody"})
    finished = await api.post("/tasks/cancel", {"task_id": "done"})
    batch = await api.post("/tasks/cancel/batch", {"task_ids": ["task_xxx", "nobody", "done", "task_xxx"]})

    assert (404, "record_not_found") == (unknown.status, unknown.code)
    assert (409, "record_finished", "SUCCESS") == (
        finished.status,
        finished.code,
        finished.json["error"]["status"],
    )
    assert [None, "record_not_found", "record_finished"] == [one["code"] for one in batch.data["results"]]
    assert (3, 1, 2) == tuple(batch.data[name] for name in ("total", "done", "refused"))
    assert "成功 1 个，失败 2 个" in batch.json["message"]
    assert 1 == await refunds(store)


@pytest.mark.parametrize("ids", [[], [f"t{n}" for n in range(101)], ["ok", " "], "task_xxx"])
async def test_a_batch_is_one_to_a_hundred(store: SqlRecords, api: Api, ids: object) -> None:
    """Guide section 2.6."""
    answer = await api.post("/tasks/cancel/batch", {"task_ids": ids})

    assert (422, "invalid_request") == (answer.status, answer.code)
    assert answer.json["error"]["problems"][0]["field"].startswith("task_ids")


async def test_a_hundred_at_once(store: SqlRecords, api: Api) -> None:
    """The most that there may be."""
    for n in range(99):
        await store.create(NewRecord(task_id=f"t{n}", user_id=100, credits=1))

    batch = await api.post("/tasks/cancel/batch", {"task_ids": ["task_xxx", *(f"t{n}" for n in range(99))]})

    assert 100 == batch.data["done"] == await refunds(store)


async def test_no_records(api: Api) -> None:
    """Without a database: 501, what to configure, and no file comes into being."""
    one = await api.post("/tasks/cancel", {"task_id": "task_xxx"})
    many = await api.post("/tasks/cancel/batch", {"task_ids": ["task_xxx"]})

    for answer in (one, many):
        assert (501, "records_not_configured") == (answer.status, answer.code)
        assert "ASYNQ_DATABASE_URL" in answer.json["message"]
    assert not (api.token_file.parent / "records.db").exists()


async def test_database_away(redis_server: RedisServer, redis_sync: redis.Redis, serve_api: ServeApi) -> None:
    """A PostgreSQL that does not answer: 503, and its password is nowhere."""
    url = "postgresql://user:s3cret@127.0.0.1:1/records"
    async with serve_api(redis_server, records_database__url=url) as api:
        answer = await api.post("/tasks/cancel", {"task_id": "task_xxx"}, Idempotency_Key="k")
        again = await api.post("/tasks/cancel", {"task_id": "task_xxx"}, Idempotency_Key="k")

    assert (503, "database_unavailable") == (answer.status, answer.code)
    assert 503 == again.status
    assert "s3cret" not in answer.text


async def test_a_driver_is_missing(
    redis_server: RedisServer, redis_sync: redis.Redis, serve_api: ServeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL without its driver: 501, with what to install."""
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    async with serve_api(redis_server, records_database__url="postgresql://h/records") as api:
        answer = await api.post("/tasks/cancel", {"task_id": "task_xxx"})

    assert (501, "records_not_configured") == (answer.status, answer.code)
    assert "asynq-exporter[postgres]" in answer.json["message"]


async def test_records_of_a_newer_version(store: SqlRecords, api: Api, tmp_path: Path) -> None:
    """They are left alone: 503, and not a conflict of the task."""
    with sqlite3.connect(tmp_path / "records.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'r9999'")
    database.close()

    answer = await api.post("/tasks/cancel", {"task_id": "task_xxx"})

    assert (503, "records_not_usable") == (answer.status, answer.code)
    assert 0 == await refunds(store)


def test_the_words_and_numbers_of_the_core() -> None:
    """The model repeats them, since importing the records takes long."""
    assert (cancel.DEFAULT_REASON, cancel.DEFAULT_BATCH_REASON, cancel.MAX_BATCH_IDS) == (
        models.DEFAULT_REASON,
        models.DEFAULT_BATCH_REASON,
        models.MAX_BATCH_IDS,
    )
    assert MAX_TEXT_CHARACTERS == models.MAX_TEXT_CHARACTERS
    assert records.COMPLETE_SECONDS == cancel.STALE_SECONDS


def test_no_records_no_database_library() -> None:
    """Without records the API does without SQLAlchemy."""
    code = "import asynq_exporter.web.api.site, sys; print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "False\n" == done.stdout


async def test_what_a_killed_process_left(
    store: SqlRecords, redis_server: RedisServer, redis_sync: redis.Redis, serve_api: ServeApi
) -> None:
    """A settlement that is open at the start is completed: its job goes."""
    from asynq_exporter.core import Client, Task

    async with redis_server.async_client() as client:
        await Client(client, FixedClock(seconds=1e9)).enqueue(
            Task("t", b""), queue="scheduled", task_id="job:task_xxx:0"
        )
    await store.fail("task_xxx", "killed here")

    async with serve_api(redis_server):
        async with asyncio.timeout(30):
            while (found := await store.settlement("task_xxx")) is None or found.closed_at is None:
                await asyncio.sleep(0.02)

    assert not redis_sync.exists(keys.task("scheduled", "job:task_xxx:0"))
    assert 1 == await refunds(store)


async def test_read_only_completes_nothing(
    store: SqlRecords, redis_server: RedisServer, redis_sync: redis.Redis, serve_api: ServeApi
) -> None:
    """ASYNQ_READONLY holds for what the program does by itself, too."""
    await store.fail("task_xxx", "killed here")

    async with serve_api(redis_server, api_read__only="true") as api:
        await api.get("/stats")

    found = await store.settlement("task_xxx")
    assert found is not None
    assert found.closed_at is None


async def test_refunds_made_elsewhere(
    redis_server: RedisServer, redis_sync: redis.Redis, serve_api: ServeApi, tmp_path: Path
) -> None:
    """Where a service of the company makes the refunds it is told, once, and the ledger makes none."""
    database = Database(f"sqlite:///{tmp_path / 'records.db'}")
    await database.upgrade()
    elsewhere = SqlRecords(database, keeps_ledger=False)
    await elsewhere.create(NewRecord(task_id="task_xxx", user_id=100, credits=100_000))
    secret = tmp_path / "secret"
    secret.write_text("a secret of more than 16 bytes\n")
    receiver = Receiver()
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    flags = {"records_webhook__url": receiver.url, "records_webhook__secret__file": str(secret)}
    async with serve_api(redis_server, **flags) as api:
        first = await api.post("/tasks/cancel", {"task_id": "task_xxx"})
        second = await api.post("/tasks/cancel", {"task_id": "task_xxx"})

    receiver.shutdown()
    receiver.server_close()
    assert (200, True) == (first.status, first.data["refunded"])
    assert first.json == second.json
    assert 1 == len(receiver.got)
    assert 0 == await refunds(elsewhere)
    await database.close()
