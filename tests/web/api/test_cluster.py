"""The API on a Redis Cluster: every endpoint, with the users of docs/redis-acl.md."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asynq_exporter import connect
from asynq_exporter.core import Client, Task, TaskState
from asynq_exporter.core.records import Database, NewRecord, SqlRecords
from asynq_exporter.settings import resolve
from tests.core.queue_state import Q
from tests.project.acl import API_WRITE_RULES, CLUSTER_RULES, READ_ONLY_RULES
from tests.scan.topology.nodes import Nodes, cluster
from tests.web.api.conftest import ServeApi
from tests.web.api.test_acl import WRITES, fill_everything, read_everything, write

#: One on each node.
QUEUES = ("dead_letter", "default", "low")


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    """A cluster of this test alone."""
    folder = tmp_path / "nodes"
    folder.mkdir()
    with cluster(folder) as made:
        yield made


def add_users(nodes: Nodes, folder: Path) -> dict[str, str]:
    """The two users on each node; flags for an exporter that signs in with both."""
    users = (("exporter", "reading", READ_ONLY_RULES), ("api", "acting", API_WRITE_RULES))
    for name, password, rules in users:
        (folder / name).write_text(password)
        for node in nodes.masters:
            with node.client() as admin:
                admin.execute_command("ACL", "SETUSER", name, "on", f">{password}", *rules.split())
                admin.execute_command("ACL", "SETUSER", name, *CLUSTER_RULES.split())
    return {
        "redis_username": "exporter",
        "redis_password__file": str(folder / "exporter"),
        "api_redis__username": "api",
        "api_redis__password__file": str(folder / "api"),
    }


async def test_every_endpoint(nodes: Nodes, serve_api: ServeApi, tmp_path: Path) -> None:
    """Reads, writes with their kept answers, batches and cancelling; no node refuses a command."""
    database = Database(f"sqlite:///{tmp_path / 'records.db'}")
    await database.upgrade()
    for name in ("task_xxx", "task_yyy"):
        await SqlRecords(database).create(NewRecord(task_id=name, user_id=1, credits=1))
    await database.close()
    fill_everything(nodes)
    async with serve_api(nodes, **add_users(nodes, tmp_path)) as api:
        await read_everything(api)
        for endpoint in WRITES:
            fill_everything(nodes)
            first, second = [await write(api, endpoint, Idempotency_Key=endpoint.name) for _ in range(2)]
            assert 200 == first.status == second.status, (endpoint.name, first.text, second.text)
            assert first.data == second.data
        for endpoint in WRITES:
            if endpoint.name.endswith("batch") and not endpoint.name.startswith("cancel"):
                fill_everything(nodes)
                body = {"queue": Q, "state": TaskState.RETRY}
                assert 200 == (await api.post(endpoint.path, body)).status

    for node in nodes.masters:
        with node.client() as admin:
            assert [] == [entry["object"] for entry in admin.acl_log()]


async def test_queues_of_all_nodes(nodes: Nodes, serve_api: ServeApi) -> None:
    """Numbers and tasks come from each, and an ID is found wherever it is."""
    async with connect.make_redis(resolve(flags={"redis.url": [nodes.url]}).settings) as redis:
        for number, queue in enumerate(QUEUES, start=1):
            for each in range(number):
                await Client(redis).enqueue(Task("t"), queue=queue, task_id=f"{each}")
    async with serve_api(nodes) as api:
        overview: Any = (await api.get("/overview")).data
        tasks = [(await api.get(f"/tasks?queue={queue}&state=pending")).data for queue in QUEUES]
        found = (await api.get("/find?task_id=0")).data
        paused = await api.post("/pause", {"queue": "low"})
        stopped = await api.post("/tasks/stop", {"queue": "low", "task_id": "0"})

    assert {0, 1, 2} == {nodes.index(f"asynq:{{{queue}}}:pending") for queue in QUEUES}
    sizes = {queue["queue"]: queue["pending"] for queue in overview["queues"]}
    assert {"dead_letter": 1, "default": 2, "low": 3}.items() <= sizes.items()
    assert [1, 2, 3] == [len(page["tasks"]) for page in tasks]
    assert set(QUEUES) == {task["queue"] for task in found["tasks"]}
    assert 200 == paused.status
    assert (409, "task_not_active") == (stopped.status, stopped.code)
