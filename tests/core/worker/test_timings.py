"""Counts of how long tasks take and wait."""

import pytest

from asynq_exporter.core.timings import BUCKETS, MAX_TYPE_CHARACTERS, OTHER
from asynq_exporter.core.worker.timings import Timings


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (0.005, 0), (0.0051, 1), (1.0, BUCKETS.index(1.0)), (1e6, len(BUCKETS))],
)
def test_observation_falls_into_one_bucket(seconds: float, bucket: int) -> None:
    """The bound of a bucket belongs to it; what is above all has a bucket of its own."""
    timings = Timings()
    timings.ran("t", seconds, failed=False)
    found = timings.read()["t"].duration
    assert [i for i, number in enumerate(found.counts) if number] == [bucket]
    assert found.sum_seconds == seconds
    assert found.count == 1


def test_outcomes_and_waits_are_counted_apart() -> None:
    """A failure is an attempt too; a wait is seen once per delivery."""
    timings = Timings()
    timings.waited("t", 2.0)
    timings.waited("t", -3.0)
    timings.ran("t", 0.5, failed=True)
    timings.ran("t", 0.5, failed=False)
    found = timings.read()["t"]
    assert (found.succeeded, found.failed) == (1, 1)
    assert (found.wait.count, found.wait.sum_seconds) == (2, 2.0)
    assert (found.duration.count, found.duration.sum_seconds) == (2, 1.0)


def test_number_of_types_is_bounded() -> None:
    """Beyond the limit, and for endless names, all types are one."""
    timings = Timings(max_types=2)
    for task_type in ("a", "b", "c", "d", "x" * (MAX_TYPE_CHARACTERS + 1), "a"):
        timings.ran(task_type, 1.0, failed=False)
    assert {name: found.succeeded for name, found in timings.read().items()} == {"a": 2, "b": 1, OTHER: 3}


def test_what_was_read_does_not_change() -> None:
    """A scrape sees one moment."""
    timings = Timings()
    timings.ran("t", 1.0, failed=False)
    before = timings.read()
    timings.ran("t", 1.0, failed=False)
    assert before["t"].succeeded == 1
