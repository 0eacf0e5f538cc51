"""Appendix B of the guide, row by row."""

import pytest

from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.policies.polling import Action, documented, next_step

#: Status, its first delays, what follows, and whether the timeout or the number of polls ends it.
TABLE = [
    ("SUCCESS", [], Action.DEQUEUE, None),
    ("FAILURE", [], Action.DEQUEUE, None),
    ("IN_PROGRESS", [3, 3, 3, 3], Action.FAIL_AND_REFUND, None),
    ("SUBMITTED", [3, 6, 12, 24, 30, 30], Action.FAIL_AND_REFUND, None),
    ("QUEUED", [3, 6, 12, 24, 30, 30], Action.FAIL_AND_REFUND, None),
    ("UNKNOWN", [5, 10, 20], Action.FAIL_AND_REFUND, 3),
    ("", [], Action.FAIL_AND_REFUND, None),
    ("NOT_START", [], Action.IGNORE, None),
]


@pytest.mark.parametrize(("status", "delays", "then", "max_polls"), TABLE)
def test_status_is_polled_as_documented(
    status: str, delays: list[float], then: Action, max_polls: int | None
) -> None:
    """Delays in order, and then the exit: at the timeout, after some polls, or at once."""
    steps = [
        next_step(status, polls=polls, elapsed_seconds=0, timeout_seconds=60) for polls in range(len(delays))
    ]
    late = next_step(
        status, polls=99 if max_polls else 1, elapsed_seconds=0 if max_polls else 60, timeout_seconds=60
    )

    assert [(Action.POLL, delay) for delay in delays] == [(step.action, step.delay_seconds) for step in steps]
    assert then is late.action


def test_unknown_status_ends_after_three_polls_whatever_the_timeout() -> None:
    """Three tries, not the task's timeout."""
    step = next_step("UNKNOWN", polls=2, elapsed_seconds=10**6, timeout_seconds=60)

    assert Action.POLL is step.action


def test_all_statuses_are_in_the_table() -> None:
    """No row of the catalogue is untested, and a strange status is refused."""
    assert documented().keys() == {status for status, *_ in TABLE}
    with pytest.raises(InvalidArgumentError, match="appendix B"):
        next_step("DONE", polls=0, elapsed_seconds=0, timeout_seconds=1)
