"""Every make and version of Redis that can be had is read alike, with no more than the published rights."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from asynq_exporter import connect
from asynq_exporter.core import Broker, Client, SystemClock, Task, catalog, keys
from asynq_exporter.scan.background.collectors import BackgroundCollectors
from asynq_exporter.scan.scanner import Scanner
from asynq_exporter.scan.upstream import UpstreamSampler
from asynq_exporter.settings import resolve
from tests.conftest import RedisServer, start_redis
from tests.project.acl import READ_ONLY_RULES
from tests.scan.topology.makes import PLACES, VERSIONS, program_of
from tests.scan.topology.nodes import cluster
from tests.scan.topology.scanning import scanner_of


@pytest.fixture(params=PLACES)
def make(request: pytest.FixtureRequest) -> str:
    """A make that is installed."""
    program_of(request.param)
    return str(request.param)


@pytest.fixture
def server(make: str, tmp_path: Path) -> Iterator[RedisServer]:
    """A server of the make."""
    made = start_redis(tmp_path, program=program_of(make))
    yield made
    made.kill()


async def test_all_is_read(server: RedisServer, make: str) -> None:
    """Queues in every state, samples, upstream's view; nothing is refused."""
    writer = server.async_client()
    client, broker = Client(writer), Broker(writer, SystemClock())
    for number in range(3):
        await client.enqueue(Task("mail", b"{}"), queue="low")
        await client.enqueue(Task("mail", b"{}"), queue="low", process_in_seconds=60 + number)
        await client.enqueue(Task("mail", b"{}"), queue="low", group="g")
    delivery = await broker.dequeue(["low"])
    assert delivery
    await writer.aclose()
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "exporter", "on", ">word", *READ_ONLY_RULES.split())
    url = server.url.replace("://", "://exporter:word@")
    reader = connect.make_source(resolve(flags={"redis.url": [url]}).settings)
    background, sampler = BackgroundCollectors(reader), UpstreamSampler(reader)
    scanner = Scanner(reader, catalog.documented(), samples=background.samples)
    await background.collect(await scanner.scan(timeout_seconds=20))
    snapshot = await scanner.scan(timeout_seconds=20)
    view = await sampler.view(snapshot)
    for part in (background, sampler, scanner):
        await part.close()
    await reader.aclose()

    assert {} == snapshot.queue_errors
    assert [] == [part.error for part in snapshot.parts.values() if not part.success]
    row = snapshot.queues.row(snapshot.queues.names.index("low"))
    assert (2, 1, 3, 3) == (row["pending"], row["active"], row["scheduled"], row["aggregating"])
    assert 0 < row["latency_seconds"] < 600
    assert snapshot.redis
    assert snapshot.redis.version.startswith(VERSIONS.get(make, ""))
    assert snapshot.redis.memory_used_bytes
    assert view.memory_bytes["low"] > 0
    with server.client() as admin:
        assert [] == admin.acl_log()


async def test_cluster_of_valkey(tmp_path: Path) -> None:
    """Its nodes answer like Redis'."""
    with cluster(tmp_path, program=program_of("valkey 9.1")) as nodes:
        with nodes.client() as client:
            client.sadd(keys.QUEUES, "a", "b", "c")
            for queue in "abc":
                client.rpush(keys.pending(queue), "t")
        async with scanner_of(resolve(flags={"redis.url": [nodes.url]}).settings) as scanner:
            snapshot = await scanner.scan(timeout_seconds=20)

    found = dict(zip(snapshot.queues.names, snapshot.queues.pending, strict=True))
    assert [1, 1, 1] == [found[queue] for queue in "abc"]
    assert {} == snapshot.queue_errors
