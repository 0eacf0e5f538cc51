"""A broker on a clock that stands still."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from asynq_exporter.core import Broker, FixedClock
from tests.conftest import RedisServer
from tests.core.queue_state import T


@pytest.fixture
def clock() -> FixedClock:
    """The first second of 2100, until a test moves it."""
    return FixedClock(seconds=T)


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
async def broker(
    request: pytest.FixtureRequest, redis_server: RedisServer, clock: FixedClock
) -> AsyncIterator[Broker]:
    """A broker on an empty database, in both protocols of Redis."""
    client = Redis(port=redis_server.port, protocol=request.param)
    await client.flushall()
    yield Broker(client, clock)
    await client.aclose()
