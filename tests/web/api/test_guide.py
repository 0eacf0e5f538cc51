"""The curl examples of the operations guide, run as they stand: guide.md is its sections 2.6, 3.1 and 3.2.

Only the token and the host are ours; the shapes of the answers are the guide's.
"""

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from asynq_exporter.core import Broker, Client, Task, TaskState, keys
from asynq_exporter.core.records import Database, NewRecord, SqlRecords
from asynq_exporter.core.records.cancel import DEFAULT_BATCH_REASON, DEFAULT_REASON
from asynq_exporter.web.api.endpoints import ENDPOINTS
from asynq_exporter.web.api.fields import path_of
from asynq_exporter.web.api.paths import PREFIX
from tests.conftest import RedisServer, need_tool
from tests.core.inspector.placing import place
from tests.interop.serving import serve
from tests.web.api.conftest import TOKEN_FILE, TOKENS

GUIDE = (Path(__file__).parent / "guide.md").read_text("utf-8")

COMMANDS: list[str] = re.findall(r"^```bash\n(curl .*?)^```", GUIDE, re.MULTILINE | re.DOTALL)

#: The shapes that the guide shows, by the endpoint they belong to.
SHAPES = {
    "stats": json.loads(GUIDE.split("```json\n")[1].split("```")[0]),
    "health": json.loads(GUIDE.split("```json\n")[2].split("```")[0]),
    "cancel": json.loads(GUIDE.split("```json\n")[3].split("```")[0]),
}


@dataclass
class Site:
    """The exporter as users run it, and the Redis behind it."""

    url: str
    redis: RedisServer

    def curl(self, command: str) -> Mapping[str, Any]:
        """What a command of the guide answers, run by a shell."""
        ours = command.replace("<admin-token>", TOKENS["admin"]).replace("http://localhost:8000", self.url)
        ours = ours.replace("curl ", f"{need_tool('curl')} --silent --show-error ", 1)
        done = subprocess.run(["bash", "-c", ours], capture_output=True, text=True, timeout=60, check=True)
        answer: Mapping[str, Any] = json.loads(done.stdout)
        return answer


def command(*words: str) -> str:
    """The first command of the guide that has some words."""
    return next(one for one in COMMANDS if all(word in one for word in words))


def shape(value: object) -> object:
    """A value with types instead of leaves; whole numbers and others are both numbers to JSON."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    return (
        "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__
    )


@pytest.fixture
async def site(own_redis: RedisServer, tmp_path: Path) -> Any:
    """A process of its own, with records of two tasks and jobs of the guide's names."""
    (tmp_path / "tokens").write_text(TOKEN_FILE)
    url = f"sqlite:///{tmp_path / 'records.db'}"
    database = Database(url)
    await database.upgrade()
    store = SqlRecords(database)
    for name in ("task_xxx", "task_yyy"):
        await store.create(NewRecord(task_id=name, user_id=100, credits=100_000))
    await database.close()
    async with own_redis.async_client() as client:
        await client.sadd(keys.QUEUES, "scheduled")
        await Client(client).enqueue(Task("task:process", b"{}"), queue="scheduled", task_id="job:task_yyy:0")
    flags = (f"--api.token-file={tmp_path / 'tokens'}", f"--records.database-url={url}")
    with serve(own_redis, *flags) as base:
        yield Site(base, own_redis)


@pytest.fixture
async def guide_broker(own_redis: RedisServer) -> Any:
    """Puts tasks into states in that Redis."""
    async with own_redis.async_client() as client:
        yield Broker(client)


def test_nine_endpoints_of_the_guide() -> None:
    """The table of the guide is ours: paths and methods, no more and no fewer."""
    table = re.findall(r"^\| `(/api/v1/queue/\S+)` \| (\w+) \|", GUIDE, re.MULTILINE)

    assert 9 == len(table)
    assert sorted(table) == sorted((path_of(one), one.method) for one in ENDPOINTS if one.is_documented)


def test_every_command_is_run_here() -> None:
    """Ten commands stand there; each is found by a test below."""
    assert 10 == len(COMMANDS)
    assert [] == [one for one in COMMANDS if PREFIX not in one]


@pytest.mark.parametrize("word", ["stats", "health"])
async def test_numbers(site: Site, word: str) -> None:
    """The shapes that the guide shows, and no field more."""
    answer = site.curl(command(f"/queue/{word}"))
    if word == "stats":
        answer = {**answer, "data": {"scheduled": answer["data"]["scheduled"]}}
    if word == "health":
        # No worker lives here; the fields are there all the same.
        assert answer["data"]["healthy"] is False

    assert shape(SHAPES[word]) == shape(answer)


async def test_list(site: Site, guide_broker: Broker) -> None:
    """The retry tasks of the queue."""
    await _place(guide_broker, TaskState.RETRY, "job:task_xxx:5", site)

    answer = site.curl(command("/queue/tasks?queue=scheduled&state=retry&page=1&size=20"))

    assert (True, 1, 1, 20) == (
        answer["success"],
        *(answer["data"][name] for name in ("total", "page", "size")),
    )
    assert "job:task_xxx:5" == answer["data"]["tasks"][0]["id"]


async def test_retry(site: Site, guide_broker: Broker) -> None:
    """Sections 2.6 and 3.2: the same command; the task is pending afterwards."""
    retries = [one for one in COMMANDS if "/tasks/retry" in one]
    assert 2 == len(retries)
    for one in retries:
        await _place(guide_broker, TaskState.RETRY, "job:task_xxx:5", site)
        assert site.curl(one)["success"]
        assert b"pending" == _state(site, "job:task_xxx:5")
        with site.redis.client() as client:
            client.delete(keys.task("scheduled", "job:task_xxx:5"), keys.pending("scheduled"))


async def test_delete(site: Site, guide_broker: Broker) -> None:
    """Section 2.6 deletes an archived task, 3.1 a scheduled one; in another state it is refused."""
    for state in (TaskState.ARCHIVED, TaskState.SCHEDULED):
        delete = command("-X DELETE", f"state={state}")
        await _place(guide_broker, state, "job:task_xxx:0", site)
        other = site.curl(delete.replace(f"state={state}", "state=retry"))
        done = site.curl(delete)

        assert (False, "wrong_state") == (other["success"], other["error"]["code"])
        assert done["success"]
        assert _state(site, "job:task_xxx:0") is None


async def test_archive(site: Site, guide_broker: Broker) -> None:
    """The task is archived afterwards."""
    await _place(guide_broker, TaskState.RETRY, "job:task_xxx:0", site)

    assert site.curl(command("/tasks/archive"))["success"]
    assert b"archived" == _state(site, "job:task_xxx:0")


async def test_cancel(site: Site, guide_broker: Broker) -> None:
    """The very answer that the guide shows; the job is gone."""
    await _place(guide_broker, TaskState.RETRY, "job:task_xxx:0", site)

    answer = site.curl(command("/tasks/cancel\n"))

    assert SHAPES["cancel"] == answer
    assert list(SHAPES["cancel"]) == list(answer)
    assert _state(site, "job:task_xxx:0") is None


async def test_cancel_batch(site: Site) -> None:
    """Both tasks of the example, with its reason; their jobs are gone."""
    answer = site.curl(command("/tasks/cancel/batch"))

    assert (True, 2, 2) == (answer["success"], answer["data"]["total"], answer["data"]["done"])
    assert [("task_xxx", "外部服务故障批量取消"), ("task_yyy", "外部服务故障批量取消")] == [
        (one["task_id"], one["data"]["reason"]) for one in answer["data"]["results"]
    ]
    assert _state(site, "job:task_yyy:0") is None


async def test_default_reasons(site: Site) -> None:
    """Without a reason it is the guide's, which differs for one and for many."""
    one = site.curl(command("/tasks/cancel\n").replace(',"reason":"用户申请取消"', ""))
    many = site.curl(
        command("/tasks/cancel/batch")
        .replace(',"reason":"外部服务故障批量取消"', "")
        .replace('"task_xxx",', "")
    )

    assert DEFAULT_REASON == one["data"]["reason"] == "管理员手动取消"
    assert DEFAULT_BATCH_REASON == many["data"]["results"][0]["data"]["reason"] == "管理员批量取消"


async def _place(broker: Broker, state: TaskState, task_id: str, site: Site) -> None:
    with site.redis.client() as client:
        client.delete(keys.pending("scheduled"))
    await place(broker, state, task_id, queue="scheduled")


def _state(site: Site, task_id: str) -> Any:
    with site.redis.client() as client:
        return client.hget(keys.task("scheduled", task_id), "state")
