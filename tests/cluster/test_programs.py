"""`worker`, `poll` and `migrate` as processes in a cluster, with the users of docs/redis-acl.md."""

import asyncio
from pathlib import Path
from typing import Any, cast

from asynq_exporter.core import Client, ClusterClient, Task, catalog, keys
from asynq_exporter.core.records import Database, SqlRecords, Status
from tests.conftest import RedisServer
from tests.core.records.making import make, put_job, read
from tests.core.records.polling_programs import Notes, polling
from tests.core.records.test_migrate_command import run
from tests.core.worker.serving import there, until
from tests.interop.exposition import scrape
from tests.project.acl import CLUSTER_RULES, POLLING_RULES, WORKER_RULES
from tests.scan.topology.nodes import Nodes
from tests.web.working import working

MODULE = """
async def handle(attempt):
    if attempt.type == "bad":
        raise RuntimeError("oh")
"""

#: Those that a worker serves by itself; they lie on all nodes.
QUEUES = tuple(catalog.documented().queues)


def add_user(nodes: Nodes, name: str, rules: str) -> None:
    """A user with a password on each node."""
    for node in nodes.masters:
        with node.client() as admin:
            admin.acl_log_reset()
            admin.execute_command("ACL", "SETUSER", name, "reset", "on", ">word", *rules.split())
            admin.execute_command("ACL", "SETUSER", name, *CLUSTER_RULES.split())


def denied(nodes: Nodes) -> list[Any]:
    """What the nodes refused."""
    found = []
    for node in nodes.masters:
        with node.client() as admin:
            found += [(entry["username"], entry["object"]) for entry in admin.acl_log()]
    return found


def url_of(nodes: Nodes, user: str) -> str:
    """The URL for a user."""
    return nodes.url.replace("://", f"://{user}:word@")


async def test_worker(redis: ClusterClient, nodes: Nodes, tmp_path: Path) -> None:
    """It works on the queues of all nodes, is steered through Redis, and tells its timings there."""
    (tmp_path / "tasks.py").write_text(MODULE)
    add_user(nodes, "worker", WORKER_RULES)
    for queue in QUEUES:
        await Client(redis).enqueue(Task("good"), queue=queue, retention_seconds=600)
        await Client(redis).enqueue(Task("bad"), queue=queue, max_retry=0)
    flags = (
        f"--redis.url={url_of(nodes, 'worker')}",
        *("--concurrency=5", "--task-timings.share"),
    )
    server = cast("RedisServer", nodes)
    with working(server, tmp_path, *flags, target="tasks:handle") as worker:
        for queue in QUEUES:
            await there(redis, keys.completed(queue))
            await there(redis, keys.archived(queue))
        await there(redis, keys.TASK_TIMINGS)
        await redis.hset(keys.WORKER_CONTROL, "concurrency", "2")
        page = await asyncio.to_thread(scrape, f"{worker.url}/metrics")
        assert 1 == page.value("asynq_worker_process_status", status="active")
        await asyncio.to_thread(worker.says, "[Asynq] Concurrency changed", by="redis")
        assert 0 == await asyncio.to_thread(worker.end)

    assert [] == denied(nodes)


async def test_migrate_and_poll(
    redis: ClusterClient, nodes: Nodes, own_redis: RedisServer, tmp_path: Path
) -> None:
    """Records without a job get one, the worker polls them to their end; jobs are found on every node."""
    database_url = f"sqlite:///{tmp_path / 'records.db'}"
    database = Database(database_url)
    await database.upgrade()
    store, notes = SqlRecords(database), Notes(own_redis)
    for number in range(4):
        await make(store, f"t{number}", status=Status.IN_PROGRESS)
    await put_job(redis, cast("Any", None), "job:t0:0", in_seconds=1)
    add_user(nodes, "polling", POLLING_RULES)
    reached: Any = Reached(url_of(nodes, "polling"))
    code, out, err = await asyncio.to_thread(run, reached, database_url, "migrate", "--dry-run")
    assert (0, "4 unfinished tasks without a job: 3 would be") == (code, out[:44]), err
    code, _, err = await asyncio.to_thread(run, reached, database_url, "migrate")
    assert 0 == code, err
    for number in range(4):
        assert await redis.exists(keys.task("scheduled", f"job:t{number}:0"))
    with polling(own_redis, tmp_path, database_url, ASYNQ_REDIS_URL=reached.url) as program:
        await asyncio.to_thread(notes.wait, program, ["t0", "t1", "t2", "t3"], polls=1)
        for number in range(4):
            notes.answer(f"t{number}", "SUCCESS")

        async def are_finished() -> bool:
            return all([(await read(store, f"t{n}")).status.is_finished for n in range(4)])

        await until(are_finished, what="all are finished", seconds=120)
    assert [] == notes.overlaps()
    notes.close()
    await database.close()
    assert [] == denied(nodes)


class Reached:
    """A Redis by its URL alone."""

    def __init__(self, url: str) -> None:
        self.url = url
