"""Appendix B of the guide, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.policies.polling import Action, documented, next_step

TIMEOUT = 60.0
FAR = 10.0**6

#: Status, its first delays, what follows, and the number of polls that end it where the timeout does not.
TABLE = [
    ("SUCCESS", [], Action.DEQUEUE, None),
    ("FAILURE", [], Action.DEQUEUE, None),
    ("IN_PROGRESS", [3, 3, 3, 3], Action.FAIL_AND_REFUND, None),
    ("SUBMITTED", [3, 6, 12, 24, 30, 30], Action.FAIL_AND_REFUND, None),
    ("QUEUED", [3, 6, 12, 24, 30, 30], Action.FAIL_AND_REFUND, None),
    ("UNKNOWN", [5, 10, 20], Action.FAIL_AND_REFUND, 3),
    ("", [], Action.FAIL_AND_REFUND, None),
    ("NOT_START", [10, 20, 30, 30], Action.IGNORE, 120),
]


@pytest.mark.parametrize(("status", "delays", "then", "max_polls"), TABLE)
def test_status_is_polled_as_documented(
    status: str, delays: list[float], then: Action, max_polls: int | None
) -> None:
    """Delays in order, and then the exit: at the timeout, after some polls, or at once."""
    steps = [
        next_step(status, polls=polls, elapsed_seconds=0, timeout_seconds=TIMEOUT)
        for polls in range(len(delays))
    ]
    last = next_step(
        status,
        polls=1 if max_polls is None else max_polls,
        elapsed_seconds=TIMEOUT if max_polls is None else 0,
        timeout_seconds=TIMEOUT,
    )

    assert [(Action.POLL, delay) for delay in delays] == [(step.action, step.delay_seconds) for step in steps]
    assert (then, 0) == (last.action, last.delay_seconds)


@pytest.mark.parametrize("status", ["IN_PROGRESS", "SUBMITTED", "QUEUED"])
def test_timeout_is_the_tasks_own(status: str) -> None:
    """To the moment, and however often it was polled."""
    just_before = next_step(status, polls=10**6, elapsed_seconds=599.9, timeout_seconds=600)
    at = next_step(status, polls=0, elapsed_seconds=600, timeout_seconds=600)

    assert (Action.POLL, Action.FAIL_AND_REFUND) == (just_before.action, at.action)


@pytest.mark.parametrize(("status", "polls"), [("UNKNOWN", 2), ("NOT_START", 119)])
def test_number_of_polls_ends_it_whatever_the_timeout(status: str, polls: int) -> None:
    """Three tries of an unknown task, and the default policy of one that has not started."""
    step = next_step(status, polls=polls, elapsed_seconds=FAR, timeout_seconds=TIMEOUT)

    assert Action.POLL is step.action


def test_all_statuses_are_in_the_table() -> None:
    """No row of the catalogue is untested, and a strange status is refused."""
    assert documented().keys() == {status for status, *_ in TABLE}
    with pytest.raises(InvalidArgumentError, match="appendix B"):
        next_step("DONE", polls=0, elapsed_seconds=0, timeout_seconds=1)


@given(status=st.sampled_from([status for status, *_ in TABLE]), timeout=st.floats(0, 3600))
def test_every_task_comes_to_an_end(status: str, timeout: float) -> None:
    """Polling ends with the exit of the row, half a minute after the timeout or 120 polls at the latest."""
    elapsed, polls = 0.0, 0
    while (
        step := next_step(status, polls=polls, elapsed_seconds=elapsed, timeout_seconds=timeout)
    ).action is Action.POLL:
        assert step.delay_seconds > 0
        elapsed, polls = elapsed + step.delay_seconds, polls + 1
        assert elapsed <= max(timeout, 120 * 30) + 30

    assert step.action is documented()[status].then
