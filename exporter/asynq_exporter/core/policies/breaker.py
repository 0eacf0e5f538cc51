"""The states of a circuit breaker and how they follow each other (guide section 4.1); pure.

A breaker lives in periods: each change of state begins a new one. A request is made with the leave of a
period, and its outcome counts in that period alone, so that the late answer to a request from before
neither opens nor closes anything.

A half-open breaker gives leave to a few requests. When too few of them tell their outcome, because their
processes died, it gives leave again after as long as it would have stayed open.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from asynq_exporter.core import catalog


class BreakerState(StrEnum):
    """State of a breaker, in the words of the guide."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """The numbers of a breaker."""

    #: Failures in a row that open it.
    failures: int
    #: How long it stays open.
    open_seconds: float
    #: Requests that get leave while half open.
    half_open_requests: int
    #: Successes in a row that close it.
    successes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A breaker at a moment."""

    state: BreakerState = BreakerState.CLOSED
    #: In a row.
    failures: int = 0
    successes: int = 0
    #: Requests that got leave while half open.
    probes: int = 0
    #: Grows by one with each change of state.
    period: int = 0
    #: Unix time of the last change of state, and of the last leave while half open.
    since: float = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether it is as if nothing had ever been asked of it."""
        return self.state is BreakerState.CLOSED and not self.failures


@cache
def documented() -> BreakerPolicy:
    """The numbers of the guide."""
    return BreakerPolicy(**catalog.document()["breaker"])


def ask(breaker: Breaker, policy: BreakerPolicy, *, now: float) -> tuple[Breaker, bool]:
    """The breaker after a request asked for leave, and whether it has it, in the period of that breaker."""
    if breaker.state is BreakerState.CLOSED:
        return breaker, True
    is_over = remaining_seconds(breaker, policy, now=now) == 0
    if breaker.state is BreakerState.OPEN:
        if not is_over:
            return breaker, False
        return replace(_next(breaker, BreakerState.HALF_OPEN, now), probes=1), True
    given = 0 if is_over else breaker.probes
    if given >= policy.half_open_requests:
        return breaker, False
    return replace(breaker, probes=given + 1, since=now), True


def succeed(breaker: Breaker, policy: BreakerPolicy, *, period: int, now: float) -> Breaker:
    """The breaker after a request with the leave of a period succeeded."""
    if period != breaker.period:
        return breaker
    if breaker.state is BreakerState.CLOSED:
        return replace(breaker, failures=0)
    successes = breaker.successes + 1
    if successes >= policy.successes:
        return _next(breaker, BreakerState.CLOSED, now)
    return replace(breaker, successes=successes)


def fail(breaker: Breaker, policy: BreakerPolicy, *, period: int, now: float) -> Breaker:
    """The breaker after a request with the leave of a period failed."""
    if period != breaker.period:
        return breaker
    failures = breaker.failures + 1
    if breaker.state is BreakerState.HALF_OPEN or failures >= policy.failures:
        return replace(_next(breaker, BreakerState.OPEN, now), failures=failures)
    return replace(breaker, failures=failures)


def give_back(breaker: Breaker, *, period: int) -> Breaker:
    """The breaker after a request with the leave of a period was never made, or ended without an outcome."""
    if period != breaker.period or breaker.state is not BreakerState.HALF_OPEN:
        return breaker
    return replace(breaker, probes=max(breaker.probes - 1, 0))


def remaining_seconds(breaker: Breaker, policy: BreakerPolicy, *, now: float) -> float:
    """How long a breaker that is not closed gives no further leave; 0 when it would now.

    Clocks of processes differ. A change that lies in the future by more than the whole wait cannot be
    believed and counts as waited for, so no clock can keep a breaker open for more than twice its time.
    """
    away = abs(now - breaker.since)
    return 0.0 if away >= policy.open_seconds else breaker.since + policy.open_seconds - now


def _next(breaker: Breaker, state: BreakerState, now: float) -> Breaker:
    return Breaker(state=state, period=breaker.period + 1, since=now)
