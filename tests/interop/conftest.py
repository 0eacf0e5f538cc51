"""Fixtures of the interoperability tests: the Go binary, and a Redis that Go filled."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.conftest import RedisServer, start_redis
from tests.interop import golang
from tests.interop.golang import Go, Json


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
