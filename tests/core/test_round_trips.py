"""Many commands and their replies on one connection of redis-py."""

import asyncio
import errno
from functools import partial

import pytest
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from asynq_exporter.core.scripts import Call, ScriptRunner
from asynq_exporter.core.scripts.round_trips import RoundTrips
from tests.conftest import RedisServer, wait_until


async def test_replies_come_in_order(redis_client: Redis) -> None:
    """Bytes, numbers, nothing, and an error as a value in its place."""
    async with RoundTrips(redis_client) as trips:
        assert await trips.exchange([("SET", "key", "é"), ("STRLEN", b"key")]) == [b"OK", 2]
        replies = await trips.exchange([("GET", "key"), ("INCR", "key"), ("GET", "none"), ("ECHO", 1.5)])
    assert [replies[0], *replies[2:]] == ["é".encode(), None, b"1.5"]
    assert isinstance(replies[1], ResponseError)


async def test_nothing_needs_no_connection() -> None:
    """Whoever has no commands, such as for the workers of no server, does not ask whether Redis is there."""
    async with RoundTrips(Redis(port=1)) as trips:
        assert await trips.exchange([]) == []


async def test_many_replies_are_read_to_the_last(redis_client: Redis) -> None:
    """More than the buffers of both sides hold."""
    text = b"x" * 10_000
    async with RoundTrips(redis_client) as trips:
        assert await trips.exchange([("ECHO", text)] * 2000) == [text] * 2000


async def test_one_connection_is_enough(redis_server: RedisServer) -> None:
    """Scripts that the server does not know yet need no other, and it goes back to the pool."""
    pool = BlockingConnectionPool(max_connections=1, timeout=5, port=redis_server.port)
    async with Redis.from_pool(pool) as client:
        await client.flushall()
        await client.script_flush()
        call = Call(script="queue_size", keys=["a"] * 5, args=("g:",))
        assert await ScriptRunner(client).run_many([call] * 2, before=[("SET", "key", 1)]) == [0, 0]
        assert await client.get("key") == b"1"


async def test_server_that_was_restarted_is_found_again(own_redis: RedisServer) -> None:
    """By a client that may try twice, on the connection that it holds."""
    twice = Redis(port=own_redis.port, retry=Retry(NoBackoff(), 1))
    async with twice, RoundTrips(twice) as trips:
        await trips.exchange([("PING",)])
        await asyncio.to_thread(_restart, own_redis)
        assert await trips.exchange([("PING",)]) == [b"PONG"]


async def test_second_try_is_left_to_the_client(own_redis: RedisServer) -> None:
    """One that may try once tells of the connection that is lost, and then has another."""
    async with own_redis.async_client() as once, RoundTrips(once) as trips:
        await trips.exchange([("PING",)])
        await asyncio.to_thread(_restart, own_redis)
        with pytest.raises(RedisConnectionError):
            await trips.exchange([("PING",)])
        assert await trips.exchange([("PING",)]) == [b"PONG"]


async def test_all_replies_have_one_time_limit(own_redis: RedisServer) -> None:
    """That of the client's socket; what arrives later is not taken for the reply to another command."""
    async with own_redis.async_client(socket_timeout=0.2) as client, RoundTrips(client) as trips:
        await trips.exchange([("PING",)])
        own_redis.hang()
        with pytest.raises(RedisTimeoutError, match=r"no answer within 0\.2 s"):
            await trips.exchange([("ECHO", "late")])
        own_redis.resume()
        assert await trips.exchange([("ECHO", "next")]) == [b"next"]


async def test_timeout_of_the_kernel_is_no_empty_reply(own_redis: RedisServer) -> None:
    """A peer that is gone without a word; redis-py would give nil, as if a script had answered."""
    async with own_redis.async_client(socket_timeout=None) as client, RoundTrips(client) as trips:
        await trips.exchange([("PING",)])
        own_redis.hang()
        asking = asyncio.create_task(trips.exchange([("GET", "key")]))
        await asyncio.sleep(0)
        (connection,) = client.connection_pool._in_use_connections
        reader = connection._reader
        assert reader is not None
        reader.set_exception(OSError(errno.ETIMEDOUT, "Connection timed out"))
        with pytest.raises(RedisTimeoutError, match="Connection timed out"):
            await asking
        own_redis.resume()
        assert await trips.exchange([("GET", "key")]) == [None]


@pytest.mark.parametrize("size", [10, 1 << 25], ids=["reading", "writing"])
async def test_exchange_that_is_given_up_leaves_no_reply_behind(own_redis: RedisServer, size: int) -> None:
    """The connection is closed, whatever it waited for: the next command would get a reply to this one."""
    async with own_redis.async_client() as client:
        async with RoundTrips(client) as trips:
            await trips.exchange([("PING",)])
            own_redis.hang()
            asking = asyncio.create_task(trips.exchange([("ECHO", b"x" * size)]))
            await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            own_redis.resume()
        assert await client.echo("somebody") == b"somebody"
        # The old connection ends when what lies in its buffer is written.
        alone = partial(_is_alone, own_redis)
        await asyncio.to_thread(wait_until, alone, what="the connection is closed")


def _is_alone(server: RedisServer) -> bool:
    with server.client() as client:
        # The pool's, and this one.
        return len(client.client_list()) == 2


def _restart(server: RedisServer) -> None:
    server.kill()
    server.start_again()
