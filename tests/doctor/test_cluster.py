"""The doctor in a Redis Cluster: it reads all nodes, and takes the worst of them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from asynq_exporter import connect
from asynq_exporter.core import Client, ClusterClient, SystemClock, Task
from asynq_exporter.doctor import facts
from asynq_exporter.doctor.commands import Place
from asynq_exporter.settings import resolve
from tests.doctor import living
from tests.doctor.test_command import RULES
from tests.project.acl import CLUSTER_RULES
from tests.scan.topology.nodes import Nodes, cluster

#: One on each node.
QUEUES = ("dead_letter", "default", "low")


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    """A cluster of this test alone."""
    folder = tmp_path / "nodes"
    folder.mkdir()
    with cluster(folder) as made:
        yield made


async def fill(redis: Redis) -> None:
    """A worker, a scheduler, and on each node dead tasks."""
    await living.worker(redis)
    await living.scheduler(redis, "one")
    broker = living.broker(redis)
    for queue in QUEUES:
        for _ in range(60):
            await Client(redis).enqueue(Task("video:render"), queue=queue, max_retry=0)
            delivery = await broker.dequeue([queue])
            assert delivery is not None
            await broker.archive(delivery.message, error="connection refused")


async def test_findings_are_of_all_nodes(nodes: Nodes, tmp_path: Path) -> None:
    """A queue of each node is named, no part stays unread, and the user of the docs may read all of it."""
    settings = resolve(flags={"redis.url": [nodes.url]}).settings
    async with connect.make_redis(settings) as redis:
        await fill(redis)
    for node in nodes.masters:
        with node.client() as admin:
            admin.execute_command("ACL", "SETUSER", "doctor", "on", ">word", *RULES.split())
            admin.execute_command("ACL", "SETUSER", "doctor", *CLUSTER_RULES.split())
    (tmp_path / "word").write_text("word")
    flags = ("--redis.username=doctor", f"--redis.password-file={tmp_path / 'word'}")
    done = living.run(nodes.url, "--seconds=0", "--json", *flags)

    assert "" == done.stderr
    report = json.loads(done.stdout)
    found = {(finding["check"], finding.get("queue")) for finding in report["findings"]}
    assert {("task-dead", queue) for queue in QUEUES} <= found, found
    assert "redis-cluster" not in {check for check, _ in found}
    assert ["queue-consumed"] == [each["check"] for each in report["checks"] if each["status"] == "skipped"]
    for node in nodes.masters:
        with node.client() as admin:
            # That one may be refused, as on a managed Redis.
            assert {"config|get"} >= {entry["object"] for entry in admin.acl_log()}


async def test_one_node_of_a_cluster_is_told(nodes: Nodes) -> None:
    """Whoever gives the URL of one node is told to give that of the cluster."""
    done = living.run(nodes.masters[0].url, "--seconds=0", "--only=redis-cluster", "--lang=en")
    assert "redis-cluster://HOST:PORT" in done.stdout


async def test_facts_are_those_of_the_worst_master(nodes: Nodes) -> None:
    """One that writes nothing down is enough to lose data."""
    for node in nodes.masters[:2]:
        with node.client() as client:
            client.config_set("appendonly", "yes")
    client = ClusterClient([("127.0.0.1", nodes.masters[0].port)])
    found = await facts.read(client, SystemClock())
    await client.aclose()

    assert found.aof_enabled is False
    assert "" == found.save_points


def test_commands_know_the_cluster() -> None:
    """Both tools follow keys to their nodes, where they are told that it is a cluster."""
    place = Place(redis_url="redis-cluster://***@one:7000,two:7001/0")
    assert "redis-cli -c -u redis://one:7000 --askpass" == place.redis_cli
    assert "asynq --cluster --cluster_addrs one:7000,two:7001" == place.asynq
