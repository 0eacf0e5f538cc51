"""Circuit breakers shared by processes through a real Redis."""

import asyncio
import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from asynq_exporter import metrics
from asynq_exporter.core import catalog, keys
from asynq_exporter.core.breakers import PLATFORM, SERVICE, Breakers
from asynq_exporter.core.clock import FixedClock
from asynq_exporter.core.errors import CircuitOpenError, InvalidArgumentError
from asynq_exporter.core.policies.breaker import BreakerState
from asynq_exporter.scan.scanner import Scanner
from tests.conftest import RedisServer

if TYPE_CHECKING:
    import redis
    import redis.asyncio

NOW = 1_800_000_000.0


class ServiceDownError(Exception):
    """The service does not answer."""


async def call(breakers: Breakers, *, works: bool) -> bool:
    """A guarded request; whether it was made."""
    try:
        async with breakers.guard(SERVICE, "service_1"):
            if not works:
                raise ServiceDownError  # noqa: TRY301 -- this is what a request that fails does
    except ServiceDownError:
        return True
    except CircuitOpenError:
        return False
    return True


async def test_breaker_lives_through_its_states(
    redis_client: "redis.asyncio.Redis", caplog: pytest.LogCaptureFixture
) -> None:
    """Closed, open, half open, closed again; each change is one line of the guide's log."""
    caplog.set_level(logging.INFO)
    clock = FixedClock(seconds=NOW)
    breakers = Breakers(redis_client, clock)

    assert [True] * 5 == [await call(breakers, works=False) for _ in range(5)]
    assert not await call(breakers, works=True)
    clock.advance(30)
    assert [True, True] == [await call(breakers, works=True) for _ in range(2)]
    assert BreakerState.CLOSED is (await breakers.get(SERVICE, "service_1")).state

    assert [
        "[CircuitBreaker] service_1: CLOSED -> OPEN (failures=5)",
        "[CircuitBreaker] service_1: OPEN -> HALF_OPEN",
        "[CircuitBreaker] service_1: HALF_OPEN -> CLOSED",
    ] == caplog.messages


async def test_breakers_are_apart(redis_client: "redis.asyncio.Redis") -> None:
    """Scope and name make a breaker; the failures of one say nothing of another."""
    breakers = Breakers(redis_client, FixedClock(seconds=NOW))
    for _ in range(5):
        await breakers.fail(PLATFORM, "service_1")

    assert (False, True) == (
        await breakers.allow(PLATFORM, "service_1"),
        await breakers.allow(SERVICE, "service_1"),
    )


async def test_half_open_lets_three_of_many_through(redis_client: "redis.asyncio.Redis") -> None:
    """Of fifty who ask at once three get leave, whoever they are."""
    clock = FixedClock(seconds=NOW)
    breakers = [Breakers(redis_client, clock) for _ in range(50)]
    for _ in range(5):
        await breakers[0].fail(SERVICE, "s")
    clock.advance(30)

    leaves = await asyncio.gather(*[one.allow(SERVICE, "s") for one in breakers])

    assert 3 == sum(leaves)


async def test_exporter_sees_what_workers_see(redis_client: "redis.asyncio.Redis") -> None:
    """The state is a metric as soon as it changed."""
    breakers = Breakers(redis_client, FixedClock(seconds=NOW))
    for _ in range(5):
        await breakers.fail(SERVICE, "s")
    await breakers.allow(PLATFORM, "p")
    scanner = Scanner(redis_client, catalog.documented())

    snapshot = await scanner.scan(timeout_seconds=5)

    await scanner.close()
    (family,) = [f for f in metrics.collect(snapshot) if f.metric.name == "asynq_circuit_breaker_state"]
    states = {tuple(dict(block.labels).values()): block.values[0] for block in family.blocks}
    assert (1, 0) == (states["service", "s", "OPEN"], states["service", "s", "CLOSED"])
    assert 1 == states["platform", "p", "CLOSED"]


async def test_nonsense_in_redis_begins_anew(
    redis_sync: "redis.Redis", redis_client: "redis.asyncio.Redis"
) -> None:
    """A value that somebody else wrote neither blocks nor breaks."""
    redis_sync.hset(keys.CIRCUIT_BREAKERS, "service:s", "BROKEN for ever")
    breakers = Breakers(redis_client, FixedClock(seconds=NOW))

    assert await breakers.allow(SERVICE, "s")
    await breakers.fail(SERVICE, "s")
    assert 1 == (await breakers.get(SERVICE, "s")).failures


@pytest.mark.parametrize(
    ("scope", "name"), [("nobody", "s"), (SERVICE, ""), (SERVICE, "a\nb"), (SERVICE, "x" * 101)]
)
async def test_bad_names_are_refused(redis_client: "redis.asyncio.Redis", scope: str, name: str) -> None:
    """What could not be a label is no name."""
    with pytest.raises(InvalidArgumentError):
        await Breakers(redis_client).allow(scope, name)


WORKER = """
import asyncio, logging, sys
import redis.asyncio
from asynq_exporter.core.breakers import Breakers

logging.basicConfig(format="%(message)s", stream=sys.stdout)

async def main():
    client = redis.asyncio.Redis(port=int(sys.argv[1]))
    await asyncio.gather(*[Breakers(client).fail("service", "s") for _ in range(40)])
    await client.aclose()

asyncio.run(main())
"""


def test_many_processes_make_each_change_once(redis_server: RedisServer, redis_sync: "redis.Redis") -> None:
    """Two hundred failures in five processes open the breaker once, and one line says so."""
    command = [sys.executable, "-c", WORKER, str(redis_server.port)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(5)]
    lines = [line for process in processes for line in process.communicate(timeout=60)[0].splitlines()]

    assert ["[CircuitBreaker] s: CLOSED -> OPEN (failures=5)"] == lines
    assert str(redis_sync.hget(keys.CIRCUIT_BREAKERS, "service:s")).startswith("b'OPEN 5 ")
