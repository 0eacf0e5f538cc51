"""A Redis with something in it, behind a network that can be made bad, and the exporter on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from asynq_exporter.core import keys
from tests.conftest import RedisServer
from tests.faults.exporter import Exporter, exporting
from tests.faults.proxy import Proxy


def fill(server: RedisServer, queues: int = 40) -> None:
    """Some queues with a task each."""
    with server.client() as client:
        for number in range(queues):
            queue = f"queue-{number:02}"
            client.sadd(keys.QUEUES, queue)
            client.lpush(keys.pending(queue), "t")
            client.hset(keys.task(queue, "t"), mapping={"msg": b"", "state": "pending", "pending_since": 1})


@pytest.fixture
def proxy(own_redis: RedisServer) -> Iterator[Proxy]:
    """The way to a Redis with forty queues."""
    fill(own_redis)
    proxy = Proxy(own_redis.port)
    yield proxy
    proxy.close()


@pytest.fixture
def exporter(proxy: Proxy, tmp_path: Path) -> Iterator[Exporter]:
    """The exporter on it, one whole scrape done."""
    with exporting(tmp_path, f"redis://127.0.0.1:{proxy.port}/0") as exporter:
        assert "queue-00" in exporter.recovers().labels("asynq_pending_tasks", "queue")
        yield exporter


@pytest.fixture
def near(own_redis: RedisServer, tmp_path: Path) -> Iterator[Exporter]:
    """The exporter on a Redis of the test's own, without a proxy."""
    fill(own_redis, queues=2)
    with exporting(tmp_path, own_redis.url) as exporter:
        exporter.recovers()
        yield exporter
