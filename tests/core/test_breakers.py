"""Circuit breakers shared by processes through a real Redis."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from asynq_exporter import metrics
from asynq_exporter.core import FixedClock, UnavailableError, catalog, keys
from asynq_exporter.core.breakers import PLATFORM, SERVICE, Breakers
from asynq_exporter.core.errors import CircuitOpenError, InvalidArgumentError
from asynq_exporter.core.policies.breaker import BreakerState
from asynq_exporter.scan.scanner import Scanner
from tests.conftest import RedisServer
from tests.core.queue_state import T
from tests.core.together import processes

#: Scope, name and state -> 0 or 1, as the exporter shows them.
States = dict[tuple[str, ...], float]


class ServiceDownError(Exception):
    """The service does not answer."""


@pytest.fixture
def breakers(redis_client: AsyncRedis, clock: FixedClock) -> Breakers:
    """The breakers of an empty Redis."""
    return Breakers(redis_client, clock)


@pytest.fixture
async def shown(redis_client: AsyncRedis) -> AsyncIterator[Callable[[], Awaitable[States]]]:
    """Scans, and tells the metrics of the breakers."""
    scanner = Scanner(redis_client, catalog.documented())

    async def scan() -> States:
        snapshot = await scanner.scan(timeout_seconds=10)
        families = {family.metric.name: family for family in metrics.collect(snapshot)}
        blocks = families["asynq_circuit_breaker_state"].blocks
        return {tuple(dict(block.labels).values()): block.values[0] or 0 for block in blocks}

    yield scan
    await scanner.close()


async def call(breakers: Breakers, *, works: bool, name: str = "service_1") -> bool:
    """A guarded request; whether it was made."""
    try:
        async with breakers.service(name):
            if not works:
                raise ServiceDownError  # noqa: TRY301 -- this is what a request that fails does
    except ServiceDownError:
        return True
    except CircuitOpenError:
        return False
    return True


async def fail_until_open(breakers: Breakers, *, name: str = "service_1") -> None:
    """Five requests that fail."""
    assert [True] * 5 == [await call(breakers, works=False, name=name) for _ in range(5)]


async def test_breaker_lives_through_its_states(
    breakers: Breakers, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Closed, open, half open, closed again; each change is one line of the guide's log."""
    caplog.set_level(logging.INFO)
    await fail_until_open(breakers)
    assert not await call(breakers, works=True)
    clock.advance(30)
    assert [True, True] == [await call(breakers, works=True) for _ in range(2)]
    assert BreakerState.CLOSED is (await breakers.get(SERVICE, "service_1")).state

    assert [
        "[CircuitBreaker] service_1: CLOSED -> OPEN (failures=5)",
        "[CircuitBreaker] service_1: OPEN -> HALF_OPEN",
        "[CircuitBreaker] service_1: HALF_OPEN -> CLOSED",
    ] == caplog.messages


async def test_failure_while_half_open_opens_it_again(
    breakers: Breakers, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """For another thirty seconds, and the log says so."""
    await fail_until_open(breakers)
    clock.advance(30)
    assert [True, False] == [await call(breakers, works=False) for _ in range(2)]

    assert "[CircuitBreaker] service_1: HALF_OPEN -> OPEN (failures=1)" == caplog.messages[-1]


async def test_refusal_says_which_and_how_long(breakers: Breakers, clock: FixedClock) -> None:
    """A worker can put its task off until then."""
    await fail_until_open(breakers)
    clock.advance(10)

    with pytest.raises(CircuitOpenError, match="service service_1 is OPEN; try again in 20 s") as refusal:
        async with breakers.service("service_1"):
            pytest.fail("the block must not run")

    assert (SERVICE, "service_1", 20) == (
        refusal.value.scope,
        refusal.value.name,
        refusal.value.retry_in_seconds,
    )


async def test_breakers_are_apart(breakers: Breakers) -> None:
    """Scope and name make a breaker; the failures of one say nothing of another."""
    for _ in range(5):
        leave = await breakers.allow(PLATFORM, "service_1")
        assert leave
        await breakers.fail(leave)

    assert await breakers.allow(PLATFORM, "service_1") is None
    assert await breakers.allow(SERVICE, "service_1")


async def test_refusal_of_a_service_is_no_failure_of_its_platform(breakers: Breakers) -> None:
    """The inner breaker of two stops the request; the outer one has learned nothing."""
    await fail_until_open(breakers)
    for _ in range(6):
        with pytest.raises(CircuitOpenError):
            async with breakers.platform("p"), breakers.service("service_1"):
                pytest.fail("the block must not run")

    assert 0 == (await breakers.get(PLATFORM, "p")).failures


async def test_canceled_request_gives_its_leave_back(breakers: Breakers, clock: FixedClock) -> None:
    """A worker that shuts down neither opens breakers nor holds their leaves."""
    await fail_until_open(breakers)
    clock.advance(30)
    for _ in range(5):
        with pytest.raises(asyncio.CancelledError):
            async with breakers.service("service_1"):
                raise asyncio.CancelledError

    breaker = await breakers.get(SERVICE, "service_1")
    assert (BreakerState.HALF_OPEN, 0) == (breaker.state, breaker.probes)


async def test_dead_holders_do_not_block(breakers: Breakers, clock: FixedClock) -> None:
    """Three leaves whose processes died are given anew after thirty seconds."""
    await fail_until_open(breakers)
    clock.advance(30)
    assert all([await breakers.allow(SERVICE, "service_1") for _ in range(3)])
    assert not await call(breakers, works=True)
    clock.advance(30)

    assert [True, True] == [await call(breakers, works=True) for _ in range(2)]
    assert BreakerState.CLOSED is (await breakers.get(SERVICE, "service_1")).state


async def test_answer_from_before_decides_nothing(breakers: Breakers, clock: FixedClock) -> None:
    """A slow request that began before the breaker opened may end when it likes."""
    slow = [await breakers.allow(SERVICE, "service_1") for _ in range(2)]
    await fail_until_open(breakers)
    clock.advance(30)
    assert await breakers.allow(SERVICE, "service_1")
    for leave in slow:
        assert leave
        await breakers.succeed(leave)

    assert BreakerState.HALF_OPEN is (await breakers.get(SERVICE, "service_1")).state


async def test_clock_of_another_process_does_not_keep_it_open(
    redis_client: AsyncRedis, breakers: Breakers
) -> None:
    """A breaker that was opened tomorrow is tried at once, not tomorrow."""
    await fail_until_open(Breakers(redis_client, FixedClock(seconds=T + 86_400)))

    assert await breakers.allow(SERVICE, "service_1")


async def test_exporter_sees_what_workers_see(
    breakers: Breakers, shown: Callable[[], Awaitable[States]]
) -> None:
    """The state is a metric as soon as it changed, and a healthy breaker once it was asked."""
    await fail_until_open(breakers)
    await breakers.allow(PLATFORM, "p")

    states = await shown()
    assert (1, 0) == (states[SERVICE, "service_1", "OPEN"], states[SERVICE, "service_1", "CLOSED"])
    assert 1 == states[PLATFORM, "p", "CLOSED"]


async def test_nonsense_in_redis_begins_anew(
    breakers: Breakers, redis_sync: Redis, shown: Callable[[], Awaitable[States]]
) -> None:
    """A value that somebody else wrote neither blocks nor breaks, and is repaired."""
    redis_sync.hset(keys.CIRCUIT_BREAKERS, "service:s", "BROKEN for ever")

    assert await breakers.allow(SERVICE, "s")
    assert 1 == (await shown())[SERVICE, "s", "CLOSED"]


@pytest.mark.parametrize(
    ("scope", "name"), [("nobody", "s"), (SERVICE, ""), (SERVICE, "a\nb"), (SERVICE, "x" * 101)]
)
async def test_bad_names_are_refused(breakers: Breakers, scope: str, name: str) -> None:
    """What could not be a label is no name."""
    with pytest.raises(InvalidArgumentError):
        await breakers.allow(scope, name)


async def test_healthy_breakers_make_room(
    redis_client: AsyncRedis, redis_sync: Redis, clock: FixedClock
) -> None:
    """The hash is bounded; one that has failures stays, one that has none is as good as not there."""
    breakers = Breakers(redis_client, clock, max_breakers=3)
    await fail_until_open(breakers, name="bad")
    for number in range(10):
        assert await call(breakers, works=True, name=f"good {number}")

    assert 3 >= redis_sync.hlen(keys.CIRCUIT_BREAKERS)
    assert not await call(breakers, works=True, name="bad")


async def test_too_many_bad_ones_are_let_through(
    redis_client: AsyncRedis, redis_sync: Redis, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be kept protects nobody, but stops nobody either; the log says so once."""
    breakers = Breakers(redis_client, clock, max_breakers=2)
    for name in ("one", "two"):
        await call(breakers, works=False, name=name)

    assert [True] * 6 == [await call(breakers, works=False, name="three") for _ in range(6)]
    assert 2 == redis_sync.hlen(keys.CIRCUIT_BREAKERS)
    assert ["Too many circuit breakers with failures; a new one is not kept"] == caplog.messages


async def test_redis_away_lets_requests_through(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A breaker spares a service; it is no reason to fail. What asks for itself is told the truth."""
    client = own_redis.async_client()
    breakers = Breakers(client)
    async with breakers.service("s"):
        own_redis.kill()
    assert await call(breakers, works=True)
    with pytest.raises(UnavailableError):
        await breakers.allow(SERVICE, "s")
    own_redis.start_again()
    await fail_until_open(breakers)
    await client.aclose()

    blind = [line for line in caplog.messages if line.startswith("Circuit breakers are out of reach")]
    assert 1 == len(blind)


#: Fails many times at once; then asks at once, and tells how all went.
CODE = """
from asynq_exporter.core.breakers import Breakers
from asynq_exporter.core.clock import FixedClock

async def attempt(breakers):
    if leave := await breakers.allow("service", "s"):
        await breakers.fail(leave)

async def main():
    clock = FixedClock(seconds=1_800_000_000)
    breakers = [Breakers(client, clock) for _ in range(20)]
    await step()
    await asyncio.gather(*map(attempt, breakers))
    clock.advance(30)
    await step()
    leaves = await asyncio.gather(*[one.allow("service", "s") for one in breakers])
    await step()
    leaves = [leave for leave in leaves if leave]
    await asyncio.gather(*[breakers[0].OUTCOME(leave) for leave in leaves])
    await step()
    print("leaves", len(leaves))
"""


@pytest.mark.parametrize(
    ("outcome", "state", "last"),
    [("succeed", "CLOSED", "HALF_OPEN -> CLOSED"), ("fail", "OPEN", "HALF_OPEN -> OPEN (failures=1)")],
)
async def test_processes_see_one_truth(
    outcome: str,
    state: str,
    last: str,
    redis_server: RedisServer,
    redis_sync: Redis,
    shown: Callable[[], Awaitable[States]],
) -> None:
    """Eighty in four processes: each change is made and said once, and the exporter sees it."""
    seen = []
    with processes(redis_server, redis_sync, CODE.replace("OUTCOME", outcome), count=4) as four:
        for _ in range(3):
            four.wait()
            four.go()
            four.wait()
            states = await shown()
            seen += [now for (_, name, now), value in states.items() if value and name == "s"]
        four.go()
        lines = four.lines()

    assert ["OPEN", "HALF_OPEN", state] == seen
    assert [
        "[CircuitBreaker] s: CLOSED -> OPEN (failures=5)",
        f"[CircuitBreaker] s: {last}",
        "[CircuitBreaker] s: OPEN -> HALF_OPEN",
    ] == sorted(line for line in lines if not line.startswith("leaves"))
    assert 3 == sum(int(line.split()[1]) for line in lines if line.startswith("leaves"))
