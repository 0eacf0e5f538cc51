"""A cluster of three masters for the session, and a client on it, empty."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from asynq_exporter import connect
from asynq_exporter.core import ClusterClient
from asynq_exporter.settings import Settings, resolve
from tests.scan.topology.nodes import Nodes, cluster

#: Enough for each node to hold some.
QUEUES = tuple(f"queue-{number}" for number in range(24))


def settings_of(nodes: Nodes, **flags: str) -> Settings:
    """Settings for a cluster; a flag is written with underscores for dots, two for dashes."""
    given = {name.replace("__", "-").replace("_", "."): [text] for name, text in flags.items()}
    return resolve(flags={"redis.url": [nodes.url]} | given).settings


def client_of(nodes: Nodes) -> ClusterClient:
    """The client as our programs make it."""
    client = connect.make_redis(settings_of(nodes))
    assert isinstance(client, ClusterClient)
    return client


def empty(nodes: Nodes) -> None:
    """Removes all keys."""
    for node in nodes.masters:
        with node.client() as client:
            client.flushall()


@pytest.fixture(scope="session")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """A cluster for tests that leave its nodes and slots as they are."""
    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
async def redis(nodes: Nodes) -> AsyncIterator[ClusterClient]:
    """A client on the empty cluster."""
    empty(nodes)
    client = client_of(nodes)
    yield client
    await client.aclose()


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Nodes]:
    """A cluster of this test alone, whose nodes have replicas."""
    folder = tmp_path / "nodes"
    folder.mkdir()
    with cluster(folder, with_replicas=True) as made:
        yield made
