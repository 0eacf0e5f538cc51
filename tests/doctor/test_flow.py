"""What moved between two scans."""

from typing import Any

import pytest

from asynq_exporter.doctor.flow import between
from tests.doctor.cases import NOW, queues, snapshot


def flow(before: dict[str, Any], after: dict[str, Any], *, seconds: float = 2) -> Any:
    """The flow of queue `default` between two scans."""
    first = snapshot(at=NOW - seconds, queues=queues(default=before))
    return between(first, snapshot(queues=queues(default=after)), "default")


def test_tasks_come_and_go() -> None:
    """Of ten attempts four failed and two of these tasks died: eight tasks left, and eighteen came."""
    moved = flow(
        {"processed": 100, "failed": 10, "archived": 1, "size": 50, "pending": 40},
        {"processed": 110, "failed": 14, "archived": 3, "size": 60, "pending": 45},
    )

    assert (10, 4, 8, 18, 5) == (moved.processed, moved.failed, moved.left, moved.arrived, moved.pending)
    assert (9.0, 4.0) == (moved.in_per_second, moved.out_per_second)
    assert moved.empty_in_seconds(45) is None


def test_time_to_empty() -> None:
    """Ten fewer in two seconds: forty are gone in eight."""
    assert 8 == flow({"pending": 50, "size": 50}, {"pending": 40, "size": 40}).empty_in_seconds(40)


def test_cleared_archive_is_no_arrival() -> None:
    """Deleted dead letters did not come back as work."""
    moved = flow({"archived": 500}, {"archived": 0})

    assert (0, 0) == (moved.arrived, moved.left)


@pytest.mark.parametrize(
    ("before", "after", "seconds"),
    [
        ({"processed": 100}, {"processed": 3}, 2),
        ({"failed": None}, {"failed": 3}, 2),
        ({"size": 3}, {"size": None}, 2),
        ({}, {}, 0),
        ({}, {}, -60),
    ],
)
def test_unknown_change_is_none(before: dict[str, Any], after: dict[str, Any], seconds: float) -> None:
    """A counter that began anew, a number that is not known, a clock that was set back."""
    assert flow(before, after, seconds=seconds) is None


def test_queue_of_one_scan_only() -> None:
    """A queue that came in between has no pace yet."""
    assert between(snapshot(at=NOW - 2), snapshot(queues=queues(new={})), "new") is None
    assert between(None, snapshot(), "default") is None
