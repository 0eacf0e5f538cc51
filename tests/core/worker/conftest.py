"""A clock, a broker and a client for tests of servers."""

import pytest
from redis.asyncio import Redis

from asynq_exporter.core import Broker, Client, FixedClock
from tests.core.queue_state import T


@pytest.fixture
def clock() -> FixedClock:
    """The first second of 2100, until a test moves it."""
    return FixedClock(seconds=T)


@pytest.fixture
def broker(redis_client: Redis, clock: FixedClock) -> Broker:
    """A broker on an empty database and the clock that stands still."""
    return Broker(redis_client, clock)


@pytest.fixture
def client(redis_client: Redis, clock: FixedClock) -> Client:
    """A client on the same."""
    return Client(redis_client, clock)
