"""The sums of all workers' timings in Redis."""

import asyncio

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from asynq_exporter.core import keys
from asynq_exporter.core.shared_timings import SharedTimings
from asynq_exporter.core.timings import OTHER, decode, numbers
from asynq_exporter.core.worker.timings import Timings
from tests.conftest import RedisServer

Row = tuple[int, ...]


def row(*, succeeded: int = 0, failed: int = 0, seconds: float = 0.01) -> Row:
    """The numbers of some attempts of a length, each of which waited as long."""
    counted = Timings()
    for outcome, number in ((False, succeeded), (True, failed)):
        for _ in range(number):
            counted.waited("t", seconds)
            counted.ran("t", seconds, failed=outcome)
    return numbers(counted.read()["t"])


@pytest.fixture
def shared(redis_client: AsyncRedis) -> SharedTimings:
    """Sums on an empty database that have room for two types."""
    return SharedTimings(redis_client, max_types=2)


async def test_additions_of_many_workers_add_up(shared: SharedTimings) -> None:
    """None is lost, however many come at once."""
    ones = {"a": row(succeeded=2, failed=1), "b": row(succeeded=1, seconds=5000)}
    await asyncio.gather(*(shared.add(f"s{i}", n, ones) for i in range(5) for n in (1,)))

    found = await shared.read()

    assert decode(" ".join(map(str, (5 * n for n in ones["a"]))).encode()) == found["a"]
    assert (5, 0, 5, 25_000.0) == (
        found["b"].succeeded,
        found["b"].failed,
        found["b"].wait.counts[-1],
        found["b"].duration.sum_seconds,
    )


async def test_addition_is_made_once(shared: SharedTimings, redis_sync: Redis) -> None:
    """Sent again, because its answer was lost, it changes nothing; the next one counts."""
    one = {"a": row(succeeded=1)}

    assert [True, False, True, True] == [
        await shared.add(server, number, one) for server, number in (("s", 1), ("s", 1), ("s", 2), ("z", 1))
    ]
    assert 3 == (await shared.read())["a"].succeeded
    assert 0 < redis_sync.ttl(keys.task_timings_sent("s")) <= 3600
    assert redis_sync.ttl(keys.TASK_TIMINGS) > 80 * 24 * 3600


async def test_number_of_types_is_bounded(shared: SharedTimings) -> None:
    """Of all workers together; a type that has its numbers keeps them."""
    for number, name in enumerate(("a", "b", "c", "d", "a"), 1):
        await shared.add("s", number, {name: row(succeeded=1)})

    assert {"a": 2, "b": 1, OTHER: 2} == {name: t.succeeded for name, t in (await shared.read()).items()}


async def test_large_sums_stay_whole_numbers(shared: SharedTimings) -> None:
    """Lua would write them with an exponent."""
    one = row(succeeded=1)
    large = tuple(10**15 for _ in one)
    await shared.add("s", 1, {"a": large})
    await shared.add("s", 2, {"a": one})

    assert 10**15 + 1 == (await shared.read())["a"].succeeded


async def test_sums_can_begin_anew(shared: SharedTimings) -> None:
    """Counters may."""
    await shared.add("s", 1, {"a": row(succeeded=1)})
    await shared.clear()
    assert {} == await shared.read()


async def test_foreign_field_is_an_error_to_the_reader(shared: SharedTimings, redis_sync: Redis) -> None:
    """Not a number that nobody counted."""
    redis_sync.hset(keys.TASK_TIMINGS, "a", "hello")
    with pytest.raises(ValueError, match=r"numbers|invalid literal"):
        await shared.read()


async def test_survives_what_others_wrote(
    redis_server: RedisServer, shared: SharedTimings, redis_sync: Redis
) -> None:
    """An addition to a field that is no row begins it anew."""
    redis_sync.hset(keys.TASK_TIMINGS, "a", "hello")
    await shared.add("s", 1, {"a": row(succeeded=1)})
    assert 1 == (await shared.read())["a"].succeeded
