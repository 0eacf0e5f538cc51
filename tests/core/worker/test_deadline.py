"""Until when an attempt may run: wire section 5.5."""

import pytest

from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.worker.deadline import deadline_ns
from tests.core.queue_state import T, a_task

#: A quarter of a second after a whole one.
NOW = T * NANOSECONDS + NANOSECONDS // 4


@pytest.mark.parametrize(
    ("timeout", "deadline", "expected"),
    [
        (0, 0, NOW + 1800 * NANOSECONDS),
        (60, 0, NOW + 60 * NANOSECONDS),
        (0, T + 7, (T + 7) * NANOSECONDS),
        (0, 5, 5 * NANOSECONDS),
        # With both, whole seconds and the earlier one.
        (60, T + 100, (T + 60) * NANOSECONDS),
        (60, T + 7, (T + 7) * NANOSECONDS),
        (60, T - 7, (T - 7) * NANOSECONDS),
    ],
)
def test_deadline_of_an_attempt(timeout: int, deadline: int, expected: int) -> None:
    """30 minutes when the task says nothing, else the earlier of its timeout and its deadline."""
    message = a_task(timeout_seconds=timeout, deadline=deadline)
    assert deadline_ns(message, now_ns=NOW) == expected
