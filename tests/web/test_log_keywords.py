"""The log keywords of the guide's appendix A, in the log of a real worker."""

import asyncio
import json
import re
from collections.abc import Mapping

import pytest

from asynq_exporter.core import Client, Task
from tests.conftest import RedisServer, wait_until
from tests.web.working import working

SECRET = "card-4111-1111"

#: What a module may do that is worth a line; its queue of 10 is in WARNING from 7 on and refuses at 9.
MODULE = """
import os
import redis.asyncio
from asynq_exporter.core import Client, DuplicateTaskError, Task
from asynq_exporter.core.admission import Admission
from asynq_exporter.core.breakers import Breakers
from asynq_exporter.core.catalog import Catalog, documented, make_profile
from asynq_exporter.core.errors import BackpressureError

redis_client = redis.asyncio.from_url(os.environ["APP_REDIS_URL"])
small = Catalog(queues={"small": make_profile(weight=1, capacity=10)}, backpressure=documented().backpressure)
breakers = Breakers(redis_client)

async def handle(attempt):
    client = Client(redis_client, admission=Admission(redis_client, queues=small))
    if attempt.type == "double":
        for _ in range(2):
            try:
                await client.enqueue(Task("once", attempt.payload), queue="other", unique_seconds=600)
            except DuplicateTaskError:
                pass
    if attempt.type == "flood":
        try:
            for number in range(20):
                await client.enqueue(Task("drop", attempt.payload), queue="small", task_id=f"drop-{number}")
        except BackpressureError:
            pass
    if attempt.type == "shaky":
        for _ in range(5):
            try:
                async with breakers.service("service_1"):
                    raise ConnectionError("503")
            except ConnectionError:
                pass
    if attempt.type == "bad":
        raise ValueError("timeout")
"""

#: Keyword as the guide has it, level, and the fields that belong to it.
KEYWORDS: list[tuple[str, str, Mapping[str, object]]] = [
    ("[Asynq] Polling system initialized successfully", "info", {"concurrency": 10}),
    ("[Asynq] Task enqueued", "info", {"queue": "other", "type": "once"}),
    ("[Asynq] Task completed", "info", {"queue": "default", "type": "good", "task_id": "good-1"}),
    (
        "[Asynq] Task failed",
        "warn",
        {"queue": "default", "type": "bad", "task_id": "bad-1", "error": "timeout", "ending": "retry"},
    ),
    (
        "[CircuitBreaker] service_1: CLOSED -> OPEN (failures=5)",
        "warn",
        {"scope": "service", "breaker": "service_1", "state": "OPEN"},
    ),
    ("[Backpressure] small: NORMAL -> WARNING", "warn", {"queue": "small", "state": "WARNING"}),
    ("[Backpressure] small: WARNING -> CRITICAL", "warn", {"queue": "small", "state": "CRITICAL"}),
    ("[Asynq] ErrDuplicateTask", "info", {"queue": "other", "type": "once"}),
]

#: Lines that say how long an attempt took.
TIMED = ("[Asynq] Task completed", "[Asynq] Task failed")


@pytest.fixture(scope="module", params=["json", "logfmt"])
def lines(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer
) -> list[dict[str, object]]:
    """The log of a worker that did all of it, parsed; nothing in it is of a payload."""
    folder = tmp_path_factory.mktemp("keywords")
    (folder / "tasks.py").write_text(MODULE)
    with redis_server.client() as client:
        client.flushall()

    async def enqueue() -> None:
        redis = redis_server.async_client()
        for name in ("good", "bad", "double", "flood", "shaky"):
            await Client(redis).enqueue(Task(name, SECRET.encode()), task_id=f"{name}-1")
        await redis.aclose()

    form: str = request.param
    with working(
        redis_server, folder, target="tasks:handle", form=form, APP_REDIS_URL=redis_server.url
    ) as worker:
        asyncio.run(enqueue())
        ends = [f"{name}-1" for name in ("good", "bad", "double", "flood", "shaky")]

        def all_ended() -> bool:
            text = worker.log.read_text("utf-8")
            return all(re.search(rf"Task (completed|failed).*{end}", text) for end in ends)

        wait_until(all_ended, what="all five have ended")
    text = worker.log.read_text("utf-8")
    assert SECRET not in text
    return [json.loads(line) if form == "json" else logfmt(line) for line in text.splitlines()]


def logfmt(line: str) -> dict[str, object]:
    """A line of logfmt; numbers as numbers."""
    pairs = re.findall(r'([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|\S*)', line)
    return {
        name: json.loads(value) if re.match(r'["\d]', value) and _is_json(value) else value
        for name, value in pairs
    }


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(("keyword", "level", "fields"), KEYWORDS, ids=[row[0] for row in KEYWORDS])
def test_keyword_is_logged_to_the_letter(
    lines: list[dict[str, object]], keyword: str, level: str, fields: Mapping[str, object]
) -> None:
    """Appendix A, with level and fields."""
    found = [line for line in lines if str(line["event"]).startswith(keyword)]
    assert found, keyword
    assert [line for line in found if fields.items() <= line.items()], found
    assert {level} == {line["level"] for line in found}
    if keyword in TIMED:
        assert all(float(str(line["seconds"])) >= 0 for line in found)


def test_each_is_said_once(lines: list[dict[str, object]]) -> None:
    """A task that ended, a breaker that opened, a queue that filled up: one line each."""
    for keyword in ("[CircuitBreaker]", "ErrDuplicateTask", "[Asynq] Task failed"):
        assert 1 == sum(keyword in str(line["event"]) for line in lines), keyword
    # Of 20 tasks 9 had room.
    assert 9 == sum(line["event"] == "[Asynq] Task enqueued" and line["queue"] == "small" for line in lines)
