"""Circuit breakers that all processes share through one hash in Redis (guide section 4.1).

    breakers = Breakers(redis)
    async with breakers.platform("video"), breakers.service("service_1"):
        ...  # the request, with its time limit inside the block

What is decided stands in `policies.breaker`. Here a decision is written only if the breaker is still as it
was when the decision was made; else it is made anew. So every process, and the exporter, sees one truth, and
each change of state is made, and logged, by exactly one. A closed breaker without failures costs one HGET
for the leave and one for the outcome.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import cast

from redis.asyncio import Redis

from asynq_exporter.core import keys
from asynq_exporter.core.broker.base import Operations, asynq_errors
from asynq_exporter.core.clock import Clock
from asynq_exporter.core.errors import CircuitOpenError, InvalidArgumentError, UnavailableError
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.policies import breaker as policy
from asynq_exporter.core.policies.breaker import Breaker, BreakerPolicy, BreakerState
from asynq_exporter.core.scripts import Call

logger = logging.getLogger(__name__)

SERVICE, PLATFORM = "service", "platform"
SCOPES = (SERVICE, PLATFORM)

#: Names are labels of metrics; a longer one is a mistake.
MAX_NAME_CHARACTERS = 100

#: Breakers in the hash, which the exporter reads in one page.
MAX_BREAKERS = 1000

_SWAPPED = 1
_FULL = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """That a request may be made; it belongs to a period of its breaker."""

    scope: str
    name: str
    period: int


class Breakers(Operations):
    """The breakers of one Redis."""

    def __init__(
        self,
        redis: Redis,
        clock: Clock | None = None,
        *,
        numbers: BreakerPolicy | None = None,
        max_breakers: int = MAX_BREAKERS,
    ) -> None:
        super().__init__(redis, clock)
        self._numbers = numbers or policy.documented()
        self._max_breakers = max_breakers
        # What was said in the log already.
        self._is_blind = self._is_full = False

    def service(self, name: str) -> AbstractAsyncContextManager[None]:
        """`guard` for an instance of a service."""
        return self.guard(SERVICE, name)

    def platform(self, name: str) -> AbstractAsyncContextManager[None]:
        """`guard` for a platform."""
        return self.guard(PLATFORM, name)

    @asynccontextmanager
    async def guard(self, scope: str, name: str) -> AsyncIterator[None]:
        """Runs the block if the breaker lets it, and tells the breaker how it ended.

        An exception is a failure. A block that is canceled, or that another breaker stopped, says nothing of
        its service. While Redis does not answer, every block runs: a breaker is there to spare the service.

        Raises:
            CircuitOpenError: the breaker refuses.
            InvalidArgumentError: no such scope, or a name that is none.
        """
        leave = await self._leave(scope, name)
        try:
            yield
        except CircuitOpenError:
            await self._tell(self.give_back, leave)
            raise
        except Exception:
            await self._tell(self.fail, leave)
            raise
        except BaseException:
            await self._tell(self.give_back, leave)
            raise
        await self._tell(self.succeed, leave)

    async def allow(self, scope: str, name: str) -> Leave | None:
        """The leave to make a request, None where it must not be made; its outcome is to be told afterwards.

        Raises:
            InvalidArgumentError: no such scope, or a name that is none.
            UnavailableError: Redis does not answer.
        """
        leave, _ = await self._ask(scope, name)
        return leave

    async def succeed(self, leave: Leave) -> None:
        """Tells that a request succeeded; raises UnavailableError."""
        await self._change(
            leave.scope,
            leave.name,
            lambda breaker, now: policy.succeed(breaker, self._numbers, period=leave.period, now=now),
        )

    async def fail(self, leave: Leave) -> None:
        """Tells that a request failed; raises UnavailableError."""
        await self._change(
            leave.scope,
            leave.name,
            lambda breaker, now: policy.fail(breaker, self._numbers, period=leave.period, now=now),
        )

    async def give_back(self, leave: Leave) -> None:
        """Tells that a request was not made, or ended without an outcome; raises UnavailableError."""
        await self._change(
            leave.scope, leave.name, lambda breaker, _: policy.give_back(breaker, period=leave.period)
        )

    async def get(self, scope: str, name: str) -> Breaker:
        """The breaker as it is now; raises UnavailableError."""
        return _decode(await self._read(_field(scope, name))) or Breaker()

    async def _leave(self, scope: str, name: str) -> Leave | None:
        """Leave for a guarded block, None when Redis does not answer."""
        try:
            leave, breaker = await self._ask(scope, name)
        except UnavailableError as exc:
            self._report_blind(exc)
            return None
        self._is_blind = False
        if leave is None:
            wait = policy.remaining_seconds(breaker, self._numbers, now=self._now())
            raise CircuitOpenError(
                f"the circuit breaker of {scope} {name} is {breaker.state}; try again in {wait:.0f} s",
                scope=scope,
                name=name,
                retry_in_seconds=wait,
            )
        return leave

    async def _tell(self, outcome: Callable[[Leave], Awaitable[None]], leave: Leave | None) -> None:
        """Tells an outcome; one that cannot be told must not turn a request that was made into an error."""
        if leave is None:
            return
        try:
            await outcome(leave)
        except UnavailableError as exc:
            self._report_blind(exc)

    async def _ask(self, scope: str, name: str) -> tuple[Leave | None, Breaker]:
        is_given = False

        def ask(breaker: Breaker, now: float) -> Breaker:
            nonlocal is_given
            after, is_given = policy.ask(breaker, self._numbers, now=now)
            return after

        after = await self._change(scope, name, ask)
        return Leave(scope=scope, name=name, period=after.period) if is_given else None, after

    async def _change(self, scope: str, name: str, change: Callable[[Breaker, float], Breaker]) -> Breaker:
        field = _field(scope, name)
        while True:
            value = await self._read(field)
            known = _decode(value)
            before = known or Breaker()
            after = change(before, self._now())
            # One that is not known yet is written even if it is as new, so that the exporter shows it.
            if after == known:
                return after
            args = (field, value or b"", _encode(after), self._max_breakers)
            reply = await self._run("swap_field", (keys.CIRCUIT_BREAKERS,), *args)
            if reply == _SWAPPED:
                _log(scope, name, before, after)
                return after
            if reply == _FULL and not await self._make_room():
                return after

    async def _make_room(self) -> bool:
        """Removes the breakers that are as if nothing had been asked of them; whether there were any."""
        with asynq_errors():
            page = await self._redis.hscan(keys.CIRCUIT_BREAKERS, count=self._max_breakers)
            found = cast("dict[bytes, bytes]", page[1])
            replies = await self._scripts.run_many(
                [
                    Call(script="swap_field", keys=(keys.CIRCUIT_BREAKERS,), args=(field, value, b"", 0))
                    for field, value in found.items()
                    if (_decode(value) or Breaker()).is_idle
                ]
            )
        is_full = _SWAPPED not in replies
        if is_full and not self._is_full:
            logger.warning("Too many circuit breakers with failures; a new one is not kept")
        self._is_full = is_full
        return not is_full

    async def _read(self, field: str) -> bytes | None:
        with asynq_errors():
            return cast("bytes | None", await self._redis.hget(keys.CIRCUIT_BREAKERS, field))

    def _now(self) -> float:
        return self._now_ns() / NANOSECONDS

    def _report_blind(self, exc: UnavailableError) -> None:
        if not self._is_blind:
            logger.warning("Circuit breakers are out of reach and let everything through: %s", exc)
        self._is_blind = True


def _field(scope: str, name: str) -> str:
    if scope not in SCOPES:
        raise InvalidArgumentError(f"the scope of a breaker is {' or '.join(SCOPES)}, not {scope!r}")
    if not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise InvalidArgumentError(f"{name!r:.120} cannot name a breaker; write 1 to 100 characters")
    return f"{scope}:{name}"


def _encode(breaker: Breaker) -> str:
    counts = f"{breaker.failures} {breaker.successes} {breaker.probes} {breaker.period}"
    return f"{breaker.state} {counts} {breaker.since!r}"


def _decode(value: bytes | None) -> Breaker | None:
    """A breaker as it was written; None where there is none, or what somebody else wrote."""
    if value is None:
        return None
    try:
        state, failures, successes, probes, period, since = value.decode().split(" ")
        return Breaker(
            state=BreakerState(state),
            failures=int(failures),
            successes=int(successes),
            probes=int(probes),
            period=int(period),
            since=float(since),
        )
    except ValueError:
        # It begins anew rather than refuse, or let through, for ever.
        return None


def _log(scope: str, name: str, before: Breaker, after: Breaker) -> None:
    if before.state is not after.state:
        why = f" (failures={after.failures})" if after.state is BreakerState.OPEN else ""
        # The line is the guide's (4.1).
        line = f"[CircuitBreaker] {name}: {before.state} -> {after.state}{why}"
        logger.warning(line, extra={"scope": scope, "breaker": name, "state": after.state.value})
