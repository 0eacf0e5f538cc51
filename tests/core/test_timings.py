"""Timings as numbers and text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynq_exporter.core.timings import BUCKETS, Histogram, TaskTimings, decode, encode, numbers

COUNTS = st.integers(0, 2**53)


@st.composite
def timings(draw: st.DrawFn) -> TaskTimings:
    """Any timings, with sums in whole microseconds."""

    def histogram() -> Histogram:
        width = len(BUCKETS) + 1
        counts = tuple(draw(st.lists(COUNTS, min_size=width, max_size=width)))
        return Histogram(counts=counts, sum_seconds=draw(st.integers(0, 10**15)) / 1_000_000)

    return TaskTimings(duration=histogram(), wait=histogram(), succeeded=draw(COUNTS), failed=draw(COUNTS))


@given(timings())
def test_text_holds_everything(given_timings: TaskTimings) -> None:
    """What was written is read."""
    assert given_timings == decode(encode(numbers(given_timings)).encode())


@pytest.mark.parametrize("text", [b"", b"1 2", b"x " * 36, b"\xff", b"-1 " * 36, b"1 " * 37, b"1.5 " * 36])
def test_other_text_is_refused(text: bytes) -> None:
    """Rather than shown as numbers."""
    with pytest.raises(ValueError, match=r"36 numbers|invalid literal|codec"):
        decode(text)
