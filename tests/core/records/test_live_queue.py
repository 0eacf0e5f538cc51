"""Whether the queue works."""

import pytest
from redis.asyncio import Redis

from asynq_exporter.core import Broker, FixedClock, keys
from asynq_exporter.core.errors import UnavailableError
from asynq_exporter.core.messages import ServerInfo
from asynq_exporter.core.records import LiveQueue
from tests.conftest import RedisServer
from tests.core.queue_state import T


async def write(
    redis: Redis, clock: FixedClock, *queues: str, status: str = "active", name: str = "a"
) -> None:
    """A server that is alive for 10 s."""
    server = ServerInfo(host="web-1", pid=1, server_id=name, status=status, queues=dict.fromkeys(queues, 1))
    await Broker(redis, clock).write_server_state(server, ttl_seconds=10)


async def test_one_active_server_of_the_queue_is_enough(redis_client: Redis, clock: FixedClock) -> None:
    """Beside others, whatever they do."""
    live = LiveQueue(redis_client, clock)
    assert not await live(), "nobody is there"
    await write(redis_client, clock, "low", name="b")
    assert not await live(), "jobs that nobody runs are as good as none"
    await write(redis_client, clock, "scheduled", status="stopped", name="c")
    assert not await live(), "the emergency stop"
    await write(redis_client, clock, "low", "scheduled")
    assert await live()
    clock.advance(11)
    assert not await live(), "its heart has stopped"


async def test_every_queue_needs_a_server(redis_client: Redis, clock: FixedClock) -> None:
    """Records may name several queues."""
    live = LiveQueue(redis_client, clock, queues=["scheduled", "video"])
    await write(redis_client, clock, "scheduled")
    assert not await live()
    await write(redis_client, clock, "video", name="b")
    assert await live()


@pytest.mark.parametrize("record", [None, b"\xff no server"])
async def test_what_cannot_be_read_is_no_server(
    redis_client: Redis, clock: FixedClock, record: bytes | None
) -> None:
    """A record that expired a moment ago, or that somebody else wrote."""
    await redis_client.zadd(keys.SERVERS, {"asynq:servers:{x}": T + 10})
    if record:
        await redis_client.set("asynq:servers:{x}", record)
    assert not await LiveQueue(redis_client, clock)()


async def test_redis_that_is_away_is_told(own_redis: RedisServer, clock: FixedClock) -> None:
    """To the fallback that means: not usable."""
    async with own_redis.async_client() as client:
        own_redis.kill()
        with pytest.raises(UnavailableError):
            await LiveQueue(client, clock)()
