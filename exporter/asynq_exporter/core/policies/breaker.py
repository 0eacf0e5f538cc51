"""The states of a circuit breaker and how they follow each other (guide section 4.1); pure.

A half-open breaker lets a few requests through. Each holds a slot until it tells its outcome; a slot whose
holder never does is free again after as long as the breaker stays open, so a dead process cannot block it.
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
    #: Requests let through while half open.
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
    #: Slots taken while half open.
    probes: int = 0
    #: Unix time of the last change of state, and of the last slot taken.
    since: float = 0.0


@cache
def documented() -> BreakerPolicy:
    """The numbers of the guide."""
    return BreakerPolicy(**catalog.document()["breaker"])


def ask(breaker: Breaker, policy: BreakerPolicy, now: float) -> tuple[Breaker, bool]:
    """The breaker after a request asked for leave, and whether it has it."""
    if breaker.state is BreakerState.CLOSED:
        return breaker, True
    waited = now - breaker.since >= policy.open_seconds
    if breaker.state is BreakerState.OPEN and not waited:
        return breaker, False
    if breaker.state is BreakerState.OPEN:
        return Breaker(state=BreakerState.HALF_OPEN, probes=1, since=now), True
    taken = 0 if waited else breaker.probes
    if taken >= policy.half_open_requests:
        return breaker, False
    return replace(breaker, probes=taken + 1, since=now), True


def succeed(breaker: Breaker, policy: BreakerPolicy, now: float) -> Breaker:
    """The breaker after a request succeeded."""
    if breaker.state is BreakerState.CLOSED:
        return replace(breaker, failures=0)
    if breaker.state is BreakerState.OPEN:
        return breaker  # it had leave before the breaker opened: that says nothing of now
    successes = breaker.successes + 1
    if successes >= policy.successes:
        return Breaker(since=now)
    return replace(breaker, successes=successes, probes=max(breaker.probes - 1, 0))


def fail(breaker: Breaker, policy: BreakerPolicy, now: float) -> Breaker:
    """The breaker after a request failed."""
    if breaker.state is BreakerState.OPEN:
        return breaker
    failures = breaker.failures + 1
    if breaker.state is BreakerState.HALF_OPEN or failures >= policy.failures:
        return Breaker(state=BreakerState.OPEN, failures=failures, since=now)
    return replace(breaker, failures=failures)
