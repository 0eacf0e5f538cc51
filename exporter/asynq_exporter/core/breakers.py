"""Circuit breakers that all processes share through one hash in Redis (guide section 4.1).

What is decided stands in `policies.breaker`. Here a decision is written only if the breaker is still as it
was when the decision was made; else it is made anew. So every process, and the exporter, sees one truth, and
each change of state is made, and logged, by exactly one.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from asynq_exporter.core import keys
from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.core.errors import CircuitOpenError, InvalidArgumentError
from asynq_exporter.core.policies import breaker as policy
from asynq_exporter.core.policies.breaker import Breaker, BreakerPolicy, BreakerState
from asynq_exporter.core.scripts import ScriptRunner

logger = logging.getLogger(__name__)

SERVICE, PLATFORM = "service", "platform"
SCOPES = (SERVICE, PLATFORM)

#: Names are labels of metrics; a longer one is a mistake.
MAX_NAME_CHARACTERS = 100


class Breakers:
    """The breakers of one Redis."""

    def __init__(
        self, redis: Redis, clock: Clock | None = None, *, numbers: BreakerPolicy | None = None
    ) -> None:
        self._redis = redis
        self._clock = clock or SystemClock()
        self._numbers = numbers or policy.documented()
        self._scripts = ScriptRunner(redis)

    @asynccontextmanager
    async def guard(self, scope: str, name: str) -> AsyncIterator[None]:
        """Runs the block if the breaker lets it, and tells the breaker how it ended.

        Raises:
            CircuitOpenError: the breaker refuses.
            InvalidArgumentError: no such scope, or a name that is none.
        """
        if not await self.allow(scope, name):
            raise CircuitOpenError(f"the circuit breaker of {scope} {name} is open")
        try:
            yield
        except Exception:
            await self.fail(scope, name)
            raise
        await self.succeed(scope, name)

    async def allow(self, scope: str, name: str) -> bool:
        """Whether a request may be made; one that may tells its outcome afterwards."""
        leave = False

        def ask(breaker: Breaker, now: float) -> Breaker:
            nonlocal leave
            after, leave = policy.ask(breaker, self._numbers, now)
            return after

        await self._change(scope, name, ask)
        return leave

    async def succeed(self, scope: str, name: str) -> None:
        """Tells that a request succeeded."""
        await self._change(scope, name, lambda b, now: policy.succeed(b, self._numbers, now))

    async def fail(self, scope: str, name: str) -> None:
        """Tells that a request failed."""
        await self._change(scope, name, lambda b, now: policy.fail(b, self._numbers, now))

    async def get(self, scope: str, name: str) -> Breaker:
        """The breaker as it is now."""
        return _decode(await self._read(_field(scope, name)))

    async def _read(self, field: str) -> bytes | None:
        value = await self._redis.hget(keys.CIRCUIT_BREAKERS, field)
        return value.encode() if isinstance(value, str) else value

    async def _change(self, scope: str, name: str, change: Callable[[Breaker, float], Breaker]) -> None:
        field = _field(scope, name)
        while True:
            value = await self._read(field)
            before = _decode(value)
            after = change(before, self._clock.now_ns() / 1e9)
            # A breaker that nothing ever failed at needs no write, and is not there until it is first asked.
            if after == before and value is not None:
                return
            args = (field, value or b"", _encode(after))
            if await self._scripts.run("swap_field", [keys.CIRCUIT_BREAKERS], *args):
                _log(name, before, after)
                return


def _field(scope: str, name: str) -> str:
    if scope not in SCOPES:
        raise InvalidArgumentError(f"the scope of a breaker is {' or '.join(SCOPES)}, not {scope!r}")
    if not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise InvalidArgumentError(f"{name!r:.120} cannot name a breaker; write 1 to 100 characters")
    return f"{scope}:{name}"


def _encode(breaker: Breaker) -> str:
    counts = f"{breaker.failures} {breaker.successes} {breaker.probes}"
    return f"{breaker.state} {counts} {breaker.since!r}"


def _decode(value: bytes | None) -> Breaker:
    if value is None:
        return Breaker()
    try:
        state, failures, successes, probes, since = value.decode().split(" ")
        return Breaker(
            state=BreakerState(state),
            failures=int(failures),
            successes=int(successes),
            probes=int(probes),
            since=float(since),
        )
    except ValueError:
        # Somebody else wrote it: begin anew rather than refuse, or let through, for ever.
        return Breaker()


def _log(name: str, before: Breaker, after: Breaker) -> None:
    if before.state is not after.state:
        why = f" (failures={after.failures})" if after.state is BreakerState.OPEN else ""
        # The line is the guide's.
        logger.warning("[CircuitBreaker] %s: %s -> %s%s", name, before.state, after.state, why)
