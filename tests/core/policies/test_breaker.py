"""The circuit breaker of guide 4.1: 5 failures, 30 s, 3 requests, 2 successes."""

from hypothesis import given
from hypothesis import strategies as st

from asynq_exporter.core.policies.breaker import (
    Breaker,
    BreakerState,
    ask,
    documented,
    fail,
    succeed,
)

POLICY = documented()


def opened(*, now: float = 0.0) -> Breaker:
    """A breaker after five failures in a row."""
    breaker = Breaker()
    for _ in range(5):
        assert breaker.state is BreakerState.CLOSED
        breaker = fail(breaker, POLICY, now)
    return breaker


def test_five_failures_in_a_row_open_it() -> None:
    """Not four, and not five with a success between."""
    breaker = Breaker()
    for _ in range(4):
        breaker = fail(breaker, POLICY, 0)
    breaker = succeed(breaker, POLICY, 0)
    for _ in range(4):
        breaker = fail(breaker, POLICY, 0)

    assert breaker.state is BreakerState.CLOSED
    assert fail(breaker, POLICY, 0).state is BreakerState.OPEN


def test_open_refuses_for_thirty_seconds() -> None:
    """Then it lets one through and is half open."""
    breaker = opened()

    assert (breaker, False) == ask(breaker, POLICY, 29.9)
    after, leave = ask(breaker, POLICY, 30)
    assert (BreakerState.HALF_OPEN, True) == (after.state, leave)


def test_half_open_lets_three_through() -> None:
    """And no more, until they tell their outcome or are given up."""
    breaker, leaves = opened(), []
    for _ in range(5):
        breaker, leave = ask(breaker, POLICY, 30)
        leaves.append(leave)
    given_up, leave = ask(breaker, POLICY, 60)

    assert [True, True, True, False, False] == leaves
    assert (True, 1) == (leave, given_up.probes)


def test_two_successes_close_it() -> None:
    """One is not enough; after two nothing of the failures is left."""
    breaker, _ = ask(opened(), POLICY, 30)
    once = succeed(breaker, POLICY, 31)

    assert once.state is BreakerState.HALF_OPEN
    assert Breaker(since=32) == succeed(once, POLICY, 32)


def test_failure_while_half_open_opens_it_again() -> None:
    """For another thirty seconds."""
    breaker, _ = ask(opened(), POLICY, 30)
    again = fail(succeed(breaker, POLICY, 31), POLICY, 32)

    assert (BreakerState.OPEN, 32) == (again.state, again.since)
    assert (again, False) == ask(again, POLICY, 61)


def test_late_outcomes_change_nothing_while_open() -> None:
    """A request that had leave before tells nothing of the service now."""
    breaker = opened()

    assert breaker == succeed(breaker, POLICY, 1) == fail(breaker, POLICY, 1)


@given(st.lists(st.tuples(st.sampled_from(["ask", "succeed", "fail"]), st.floats(0, 50))))
def test_numbers_stay_within_bounds(moves: list[tuple[str, float]]) -> None:
    """Whatever happens in whatever order: never more than three probes, never five failures while closed."""
    breaker, now = Breaker(), 0.0
    for move, seconds in moves:
        now += seconds
        if move == "ask":
            breaker, _ = ask(breaker, POLICY, now)
        else:
            breaker = {"succeed": succeed, "fail": fail}[move](breaker, POLICY, now)
        assert 0 <= breaker.probes <= POLICY.half_open_requests
        assert breaker.state is not BreakerState.CLOSED or breaker.failures < POLICY.failures
        assert breaker.state is BreakerState.HALF_OPEN or breaker.successes == 0
