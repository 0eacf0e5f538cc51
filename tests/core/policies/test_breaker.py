"""The circuit breaker of guide 4.1: 5 failures, 30 s, 3 requests, 2 successes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from asynq_exporter.core.policies.breaker import (
    Breaker,
    BreakerPolicy,
    BreakerState,
    ask,
    documented,
    fail,
    give_back,
    remaining_seconds,
    succeed,
)

POLICY = documented()


def opened(*, now: float = 0.0) -> Breaker:
    """A breaker after five failures in a row."""
    breaker = Breaker()
    for _ in range(5):
        assert breaker.state is BreakerState.CLOSED
        breaker = fail(breaker, POLICY, period=0, now=now)
    return breaker


def half_open(*, leaves: int = 1, now: float = 30.0) -> Breaker:
    """A breaker that gave so many leaves after its thirty seconds."""
    breaker = opened(now=now - 30)
    for _ in range(leaves):
        breaker, leave = ask(breaker, POLICY, now=now)
        assert leave
    return breaker


def test_numbers_are_the_guides() -> None:
    """Guide 4.1, typed here."""
    assert BreakerPolicy(failures=5, open_seconds=30, half_open_requests=3, successes=2) == POLICY


def test_five_failures_in_a_row_open_it() -> None:
    """Not four, and not five with a success between."""
    breaker = Breaker()
    for _ in range(4):
        breaker = fail(breaker, POLICY, period=0, now=0)
    breaker = succeed(breaker, POLICY, period=0, now=0)
    for _ in range(4):
        breaker = fail(breaker, POLICY, period=0, now=0)

    assert breaker.state is BreakerState.CLOSED
    assert fail(breaker, POLICY, period=0, now=0).state is BreakerState.OPEN


def test_open_refuses_for_thirty_seconds() -> None:
    """Then it lets one through and is half open."""
    breaker = opened()

    assert (breaker, False) == ask(breaker, POLICY, now=29.9)
    after, leave = ask(breaker, POLICY, now=30)
    assert (BreakerState.HALF_OPEN, True) == (after.state, leave)


def test_half_open_lets_three_through() -> None:
    """And no more, even when one has succeeded: the second success closes it anyway."""
    breaker, leaves = opened(), []
    for _ in range(5):
        breaker, leave = ask(breaker, POLICY, now=30)
        leaves.append(leave)
    once = succeed(breaker, POLICY, period=breaker.period, now=31)

    assert [True, True, True, False, False] == leaves
    assert not ask(once, POLICY, now=31)[1]


def test_leaves_of_the_dead_come_back() -> None:
    """Thirty seconds after the last one was given; a success before that counts on."""
    breaker = half_open(leaves=3)
    once = succeed(breaker, POLICY, period=breaker.period, now=31)

    assert not ask(once, POLICY, now=59.9)[1]
    again, leave = ask(once, POLICY, now=60)
    assert (True, 1, 1) == (leave, again.probes, again.successes)


def test_leave_that_was_not_used_comes_back_at_once() -> None:
    """And none comes back twice, or for another period."""
    breaker = half_open(leaves=3)

    assert ask(give_back(breaker, period=breaker.period), POLICY, now=30)[1]
    assert breaker == give_back(breaker, period=0)
    assert Breaker() == give_back(Breaker(), period=0)


def test_two_successes_close_it() -> None:
    """One is not enough; after two nothing of the failures is left."""
    breaker = half_open(leaves=2)
    once = succeed(breaker, POLICY, period=2, now=31)

    assert once.state is BreakerState.HALF_OPEN
    assert Breaker(period=3, since=32) == succeed(once, POLICY, period=2, now=32)


def test_failure_while_half_open_opens_it_again() -> None:
    """For another thirty seconds."""
    once = succeed(half_open(leaves=2), POLICY, period=2, now=31)
    again = fail(once, POLICY, period=2, now=32)

    assert (BreakerState.OPEN, 32) == (again.state, again.since)
    assert (again, False) == ask(again, POLICY, now=61)


@pytest.mark.parametrize("breaker", [opened(), half_open(), Breaker(period=3, failures=4)])
def test_late_outcomes_change_nothing(breaker: Breaker) -> None:
    """A request with the leave of an earlier period tells nothing of the service now."""
    assert breaker == succeed(breaker, POLICY, period=0, now=1) == fail(breaker, POLICY, period=0, now=1)


@given(since=st.floats(0, 1e10), now=st.floats(0, 1e10), state=st.sampled_from(["OPEN", "HALF_OPEN"]))
def test_no_clock_keeps_it_open(since: float, now: float, state: str) -> None:
    """Whatever the clock of the process that opened it showed, another asks in vain for a minute at most."""
    breaker = Breaker(state=BreakerState(state), probes=3, since=since)

    assert 0 <= remaining_seconds(breaker, POLICY, now=now) <= 2 * POLICY.open_seconds
    assert ask(breaker, POLICY, now=now)[1] or ask(breaker, POLICY, now=now + 60.001)[1]


class BreakerMachine(RuleBasedStateMachine):
    """Requests in any order, of which some never tell how they ended."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = 1000.0
        #: Periods of the requests on their way.
        self.running: list[int] = []
        #: Leaves of the half-open breaker since it last had to wait.
        self.given = 0

    @rule(seconds=st.sampled_from([0.0, 1.0, 29.9, 30.0, 100.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule()
    def ask(self) -> None:
        """A request asks for leave."""
        before, is_over = self.breaker, self.now - self.breaker.since >= 30
        self.breaker, leave = ask(before, POLICY, now=self.now)
        if before.state is BreakerState.OPEN or is_over:
            self.given = 0
        if leave:
            self.running.append(self.breaker.period)
            self.given += 1
        if before.state is not BreakerState.CLOSED and is_over:
            assert leave
        if self.breaker.state is BreakerState.HALF_OPEN:
            assert self.given <= POLICY.half_open_requests

    @precondition(lambda self: self.running)
    @rule(data=st.data(), works=st.booleans())
    def end(self, data: st.DataObject, works: bool) -> None:
        """A request tells how it ended; one of another period changes nothing."""
        period = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        before = self.breaker
        outcome = succeed if works else fail
        self.breaker = outcome(before, POLICY, period=period, now=self.now)
        if period != before.period:
            assert self.breaker == before

    @precondition(lambda self: self.running)
    @rule()
    def die(self) -> None:
        """A process ends with its request."""
        self.running.pop()

    @invariant()
    def holds_together(self) -> None:
        """The counts fit the state, and a change of state is a new period."""
        breaker = self.breaker
        assert 0 <= breaker.probes <= POLICY.half_open_requests
        assert 0 <= breaker.successes < POLICY.successes
        assert breaker.state is not BreakerState.CLOSED or breaker.failures < POLICY.failures
        assert breaker.state is BreakerState.HALF_OPEN or (breaker.successes, breaker.probes) == (0, 0)
        # Closed, open, half open, and from there either way: the state of each period follows.
        assert breaker.period > 0 or breaker.state is BreakerState.CLOSED
        assert breaker.is_idle == (replace(breaker, period=0, since=0) == Breaker())


TestBreakerMachine = BreakerMachine.TestCase
