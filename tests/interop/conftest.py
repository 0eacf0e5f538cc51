"""Fixtures of the interoperability tests: the Go binary, and a Redis that Go filled."""

import base64
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import redis.asyncio

from asynq_exporter.core import Broker, Client, Task
from tests.conftest import RedisServer, start_redis
from tests.interop import golang
from tests.interop.golang import Go, Json

#: The databases of the two sides.
GO, OURS = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A Redis that holds data of every kind, and what Go says it put there."""

    redis: RedisServer
    #: Queue -> numbers, as in the type `plan` of fill.go.
    plan: dict[str, Json]
    #: A queue name with every character that needs care somewhere.
    odd_queue: str


@pytest.fixture(scope="session")
def go() -> Go:
    """The Go binary, built once a session."""
    return golang.build()


def fill(go: Go, redis: RedisServer) -> Filled:
    """Lets Go fill an empty Redis."""
    summary = go.run("fill", redis)
    return Filled(redis=redis, plan=summary["queues"], odd_queue=summary["odd_queue"])


@pytest.fixture(scope="session")
def filled(go: Go, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """A filled Redis shared by all tests that only read."""
    server = start_redis(tmp_path_factory.mktemp("filled"))
    yield fill(go, server)
    server.kill()


@pytest.fixture(scope="session")
def lively(go: Go, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis with a live Go server, which is busy, and a live scheduler; for tests that only read."""
    server = start_redis(tmp_path_factory.mktemp("lively"))
    with go.live(server):
        yield server
    server.kill()


@pytest.fixture
def own_filled(go: Go, own_redis: RedisServer) -> Filled:
    """A filled Redis of this test alone."""
    return fill(go, own_redis)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Two empty databases of one server, so that both sides may write the same."""

    server: RedisServer
    go: "redis.asyncio.Redis"
    ours: "redis.asyncio.Redis"

    def client(self, db: int = OURS) -> Client:
        """Our client on a database."""
        return Client(self.redis(db))

    def broker(self, db: int = OURS) -> Broker:
        """Our broker on a database."""
        return Broker(self.redis(db))

    def redis(self, db: int) -> "redis.asyncio.Redis":
        """A plain client on a database."""
        return self.go if db == GO else self.ours


@pytest.fixture
async def sides(redis_server: RedisServer) -> AsyncIterator[Sides]:
    """Both databases, empty."""
    both = Sides(
        server=redis_server,
        go=redis.asyncio.Redis(port=redis_server.port, db=GO),
        ours=redis.asyncio.Redis(port=redis_server.port, db=OURS),
    )
    await both.go.flushall()
    yield both
    await both.go.aclose()
    await both.ours.aclose()


def ask(task: Task, options: Mapping[str, Any]) -> dict[str, Any]:
    """The same task and options as the Go program wants them."""
    payload = None if task.payload is None else base64.b64encode(task.payload).decode()
    return {"type": task.type, "payload": payload, "headers": dict(task.headers) or None, **options}
