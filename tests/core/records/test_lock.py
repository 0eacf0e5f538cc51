"""The lock over all processes."""

import asyncio
import os
import socket

import pytest
from redis.asyncio import Redis

from asynq_exporter.core import keys
from asynq_exporter.core.records import LeaseLostError, Locks


@pytest.fixture
def locks(redis_client: Redis) -> Locks:
    """The locks of an empty Redis."""
    return Locks(redis_client)


async def test_one_of_many_gets_it(locks: Locks) -> None:
    """The others are told at once."""
    taken = await asyncio.gather(*(locks.acquire("m", seconds=60) for _ in range(20)))
    assert 1 == sum(lock is not None for lock in taken)
    assert await locks.acquire("another", seconds=60) is not None


async def test_token_grows_each_time(locks: Locks, redis_client: Redis) -> None:
    """After a release, after an end, and after Redis has lost everything."""
    tokens = []
    for _ in range(2):
        lock = await locks.acquire("m", seconds=60)
        assert lock is not None
        tokens.append(lock.token)
        await lock.release()
    ended = await locks.acquire("m", seconds=-1)
    after = await locks.acquire("m", seconds=60)
    await redis_client.flushall()
    lost = await locks.acquire("m", seconds=60, above=after.token if after else 0)
    tokens += [lock.token for lock in (ended, after, lost) if lock]
    assert [1, 2, 3, 4, 5] == tokens


async def test_lost_lock_is_neither_renewed_nor_released(locks: Locks) -> None:
    """Who stood still for too long disturbs nobody."""
    old = await locks.acquire("m", seconds=-1)
    new = await locks.acquire("m", seconds=60)
    assert old
    assert new
    with pytest.raises(LeaseLostError):
        await old.renew(seconds=60)
    await old.release()
    assert await locks.acquire("m", seconds=60) is None
    await new.renew(seconds=60)


async def test_ended_lock_that_nobody_took_is_renewed(locks: Locks) -> None:
    """It is still the newest; what it did is good."""
    lock = await locks.acquire("m", seconds=-1)
    assert lock
    await lock.renew(seconds=60)
    assert await locks.acquire("m", seconds=60) is None


@pytest.mark.parametrize("value", ["nonsense", "1 2", "a b c", "\udcff"])
async def test_what_somebody_else_wrote_is_no_lock(locks: Locks, redis_client: Redis, value: str) -> None:
    """Else it would be held for ever."""
    await redis_client.hset(keys.LOCKS, "m", value.encode(errors="surrogateescape"))
    assert await locks.acquire("m", seconds=60) is not None


async def test_holder_is_named(locks: Locks) -> None:
    """Host and process, for who waits; nobody once it was given back or has ended."""
    assert "" == await locks.holder("m")
    lock = await locks.acquire("m", seconds=60)
    assert lock
    assert f"{socket.gethostname()}:{os.getpid()}" == await locks.holder("m")
    await lock.release()
    assert "" == await locks.holder("m")
    await locks.acquire("m", seconds=-1)
    assert "" == await locks.holder("m")
