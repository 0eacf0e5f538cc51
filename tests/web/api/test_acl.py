"""The Redis users of docs/redis-acl.md are enough, and no more than that."""

import contextlib
import urllib.request
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from asynq_exporter.core import TaskState, keys, messages
from asynq_exporter.core.records import Database, NewRecord, SqlRecords
from asynq_exporter.web.api.endpoint import Endpoint
from asynq_exporter.web.api.endpoints import ENDPOINTS
from tests.conftest import RedisServer
from tests.core.inspector.placing import GROUP, fill
from tests.core.queue_state import Q
from tests.interop.serving import serve
from tests.project.acl import API_READ_RULES, API_WRITE_RULES, READ_ONLY_RULES
from tests.scan.topology.nodes import Nodes
from tests.web.api.conftest import TOKEN_FILE, TOKENS, Api, ServeApi
from tests.web.api.test_access import example

WRITES = [endpoint for endpoint in ENDPOINTS if endpoint.is_write]


def add_users(server: RedisServer, rules: str, folder: Path) -> dict[str, str]:
    """The two users of the page; flags for an exporter that signs in with both."""
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "exporter", "on", ">reading", *READ_ONLY_RULES.split())
        admin.execute_command("ACL", "SETUSER", "api", "on", ">acting", *rules.split())
    for name, password in (("exporter", "reading"), ("api", "acting")):
        (folder / name).write_text(password)
    return {
        "redis_username": "exporter",
        "redis_password__file": str(folder / "exporter"),
        "api_redis__username": "api",
        "api_redis__password__file": str(folder / "api"),
    }


def denied(server: RedisServer) -> list[Any]:
    """What Redis refused."""
    with server.client() as admin:
        return [(entry["username"], entry["object"]) for entry in admin.acl_log()]


async def read_everything(api: Api) -> None:
    """Every read, on a Redis that holds something for each."""
    for state in TaskState:
        group = f"&group={GROUP}" if state is TaskState.AGGREGATING else ""
        assert 200 == (await api.get(f"/tasks?queue={Q}&state={state}{group}")).status
        search = f"/search?queue={Q}&state={state}&size=1{group}"
        cursor = (await api.get(search)).data["cursor"]
        assert 200 == (await api.get(f"{search}&cursor={cursor}")).status
    for path in ("/stats", "/health", "/overview", "/servers", "/schedulers", "/redis", f"/groups?queue={Q}"):
        assert 200 == (await api.get(path)).status
    for path in (f"/history?queue={Q}", "/find?task_id=pending0", f"/tasks/long?queue={Q}"):
        assert 200 == (await api.get(path)).status
    assert 200 == (await api.get("/schedulers/events?entry_id=e")).status


async def test_reading(own_redis: RedisServer, serve_api: ServeApi, tmp_path: Path) -> None:
    """The shorter rules suffice for every read, and Redis itself refuses every write."""
    fill_everything(own_redis)
    async with serve_api(own_redis, **add_users(own_redis, API_READ_RULES, tmp_path)) as api:
        await read_everything(api)
        assert [] == denied(own_redis)
        for endpoint in WRITES:
            answer = await write(api, endpoint)
            if endpoint.name.startswith("cancel"):
                assert 501 == answer.status
            elif endpoint.name.endswith("batch"):
                assert "redis_not_allowed" in {one["code"] for one in answer.data["results"]}
                assert 0 == answer.data["done"]
            else:
                assert (503, "redis_not_allowed") == (answer.status, answer.code), endpoint.name
                assert "redis-acl.md" in answer.json["message"]


async def test_writing(own_redis: RedisServer, serve_api: ServeApi, tmp_path: Path) -> None:
    """The longer rules suffice for all: scripts loaded or not, kept answers, cancelling."""
    database = Database(f"sqlite:///{tmp_path / 'records.db'}")
    await database.upgrade()
    for name in ("task_xxx", "task_yyy"):
        await SqlRecords(database).create(NewRecord(task_id=name, user_id=1, credits=1))
    await database.close()
    fill_everything(own_redis)
    async with serve_api(own_redis, **add_users(own_redis, API_WRITE_RULES, tmp_path)) as api:
        await read_everything(api)
        for flush in (True, False):
            for endpoint in WRITES:
                fill_everything(own_redis, flush=flush)
                answer = await write(api, endpoint, Idempotency_Key=f"{endpoint.name}{flush}")
                assert answer.status == 200, (endpoint.name, answer.text)
                if endpoint.name.endswith("batch"):
                    for state in (TaskState.RETRY, TaskState.ARCHIVED):
                        body = {"queue": Q, "state": state}
                        path = endpoint.path.removesuffix("/batch")
                        if endpoint.name.startswith("cancel") or (state == "archived" and "archive" in path):
                            continue
                        assert 200 == (await api.post(endpoint.path, body)).status
        assert [] == denied(own_redis)


def test_the_program_signs_in_with_both(own_redis: RedisServer, tmp_path: Path) -> None:
    """`serve` scans as the exporter's user and changes things as the API's."""
    (tmp_path / "tokens").write_text(TOKEN_FILE)
    users = add_users(own_redis, API_WRITE_RULES, tmp_path)
    flags = [f"--{name.replace('__', '-').replace('_', '.')}={value}" for name, value in users.items()]
    with serve(own_redis, *flags, f"--api.token-file={tmp_path / 'tokens'}") as base:
        request = urllib.request.Request(
            f"{base}/api/v1/queue/pause",
            data=b'{"queue":"default"}',
            headers={"Authorization": f"Bearer {TOKENS['operator']}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert 200 == answer.status
        with own_redis.client() as admin:
            users_seen = {client["user"] for client in admin.client_list()}

    assert {"exporter", "api"} <= users_seen
    assert [] == denied(own_redis)


@pytest.mark.parametrize(
    "command", ["FLUSHALL", "CONFIG GET *", "KEYS *", "GET other", "SET other 1", "SHUTDOWN"]
)
async def test_no_more_than_that(own_redis: RedisServer, tmp_path: Path, command: str) -> None:
    """Neither other keys nor what an administrator does."""
    add_users(own_redis, API_WRITE_RULES, tmp_path)
    client = redis.Redis(port=own_redis.port, username="api", password="acting")

    with pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command.split())  # type: ignore[no-untyped-call]


async def write(api: Api, endpoint: Endpoint, **headers: Any) -> Any:
    """A write that is possible on what `fill_everything` makes."""
    bodies: dict[str, Any] = {
        "retry": {"queue": Q, "task_id": "retry0"},
        "archive": {"queue": Q, "task_id": "pending0"},
        "stop": {"queue": Q, "task_id": "active0"},
        "pause": {"queue": Q},
        "unpause": {"queue": "paused"},
    }
    if endpoint.name == "delete":
        return await api.ask("DELETE", f"/tasks/scheduled0?queue={Q}", **headers)
    if endpoint.name in bodies:
        return await api.post(endpoint.path, bodies[endpoint.name], **headers)
    if endpoint.name.startswith("cancel"):
        return await example(api, endpoint, **headers)
    body = {"queue": Q, "task_ids": [f"{state}1" for state in TaskState]}
    return await api.post(endpoint.path, body, **headers)


def fill_everything(server: RedisServer | Nodes, *, flush: bool = True) -> None:
    """Two tasks in every state, a lock, one too long for a page, a job to cancel; perhaps no scripts."""
    # What is filled here alone, a client of a cluster does the same.
    with contextlib.closing(cast("redis.Redis", server.client())) as client:
        client.flushdb()
        if flush:
            client.script_flush()
        for state in TaskState:
            fill(client, state, (f"{state}{n}" for n in range(2)))
        unique = keys.unique(Q, "t", b"")
        client.hset(keys.task(Q, "scheduled0"), "unique_key", unique)
        client.set(unique, "scheduled0")
        long = messages.make_task("t", task_id="long", queue=Q, payload=b"x" * 100_000)
        client.hset(keys.task(Q, "long"), mapping={"msg": messages.encode(long), "state": "retry"})
        client.zadd(keys.retry(Q), {"long": 1})
        client.sadd(keys.QUEUES, "paused", "scheduled")
        client.set(keys.paused("paused"), 1)
        job = messages.make_task("t", task_id="job:task_xxx:0", queue="scheduled")
        client.hset(
            keys.task("scheduled", "job:task_xxx:0"), mapping={"msg": messages.encode(job), "state": "retry"}
        )
        client.zadd(keys.retry("scheduled"), {"job:task_xxx:0": 1})
        server_key = keys.server("h", 1, "s")
        client.zadd(keys.SERVERS, {server_key: 5e9})
        client.zadd(keys.SCHEDULERS, {keys.scheduler_entries("s"): 5e9})
