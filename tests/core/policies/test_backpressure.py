"""The numbers of backpressure: 70 % and 90 % of the capacity (guide 4.2)."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asynq_exporter.core.catalog import Backpressure, BackpressureState, documented
from asynq_exporter.core.policies import backpressure
from asynq_exporter.core.policies.backpressure import MARGIN, Load

NUMBERS = documented().backpressure
NORMAL, WARNING, CRITICAL = BackpressureState


@pytest.mark.parametrize(
    ("capacity", "size"), [(1, 1), (2, 2), (3, 3), (10, 9), (100, 90), (1000, 900), (10_000, 9000), (7, 7)]
)
def test_refused_from_ninety_percent(capacity: int, size: int) -> None:
    """The smallest whole number that is 90 % or more."""
    assert size == backpressure.refused_from(capacity, NUMBERS)


@example(capacity=100, critical=0.07)  # whose product is a little more than 7
@given(capacity=st.integers(1, 10**12), critical=st.floats(0.01, 1))
def test_refused_where_the_state_is_critical(capacity: int, critical: float) -> None:
    """The size and the state that the exporter shows never differ by a rounding."""
    numbers = Backpressure(warning=critical, critical=critical)
    size = backpressure.refused_from(capacity, numbers)

    assert numbers.state(size / capacity) is CRITICAL
    assert numbers.state((size - 1) / capacity) is NORMAL


@pytest.mark.parametrize(
    ("before", "utilization", "after"),
    [
        (NORMAL, 0.699, NORMAL),
        (NORMAL, 0.70, WARNING),
        (NORMAL, 0.90, CRITICAL),
        (NORMAL, 2.00, CRITICAL),
        (WARNING, 0.899, WARNING),
        (WARNING, 0.90, CRITICAL),
        (WARNING, 0.66, WARNING),
        (WARNING, 0.64, NORMAL),
        (CRITICAL, 0.86, CRITICAL),
        (CRITICAL, 0.84, WARNING),
        (CRITICAL, 0.66, WARNING),
        (CRITICAL, 0.10, NORMAL),
    ],
)
def test_state_is_left_a_margin_below_its_threshold(
    before: BackpressureState, utilization: float, after: BackpressureState
) -> None:
    """Up at once, down only when it is clear."""
    assert after is backpressure.announced(before, utilization, NUMBERS)


@given(start=st.floats(0, 1.2), swings=st.lists(st.floats(0, MARGIN * 0.99)))
def test_small_swings_are_one_message(start: float, swings: list[float]) -> None:
    """A queue that moves by less than the margin changes its announced state at most once a threshold."""
    state, changes = NORMAL, 0
    for swing in [0.0, *swings]:
        after = backpressure.announced(state, start + swing, NUMBERS)
        changes, state = changes + (after is not state), after

    assert changes <= 2


def test_system_is_as_full_as_its_fullest_queue() -> None:
    """A mean would hide it."""
    loads = [Load(queue=name, size=size, capacity=100) for name, size in [("a", 1), ("b", 95), ("c", 2)]]

    full = backpressure.fullest(loads)
    assert full is loads[1]
    assert 0.95 == full.utilization
    assert backpressure.fullest([]) is None
