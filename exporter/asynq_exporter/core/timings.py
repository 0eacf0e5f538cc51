"""How long tasks take and wait, by type: plain values, and the form in which Redis keeps their sums; pure."""

from collections.abc import Iterable
from dataclasses import dataclass

#: Upper bounds of the buckets of both histograms, seconds; above the last is one more.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)

#: Types that have numbers of their own; types are free text, and a label with no end is a leak.
MAX_TYPES = 100
MAX_TYPE_CHARACTERS = 100

#: The type under which all others are counted.
OTHER = "other"

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Observations by bucket; `counts` has one number per bound, not added up, and one for what is above."""

    counts: tuple[int, ...]
    sum_seconds: float

    @property
    def count(self) -> int:
        """All observations."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTimings:
    """The numbers of one type of task."""

    #: How long handlers ran.
    duration: Histogram
    #: From ready to run until a worker took it; tasks that do not say since when they waited are left out.
    wait: Histogram
    succeeded: int
    failed: int


def numbers(timings: TaskTimings) -> tuple[int, ...]:
    """Timings as whole numbers that can be added up: outcomes, then sum and buckets of both histograms.

    Sums are microseconds: whole numbers stay exact however often something is added to them.
    """
    return (timings.succeeded, timings.failed, *_of(timings.duration), *_of(timings.wait))


def encode(row: Iterable[int]) -> str:
    """Such numbers as text."""
    return " ".join(map(str, row))


def decode(text: bytes) -> TaskTimings:
    """The timings in such a text; raises ValueError when it is none."""
    row = [int(word) for word in text.decode("ascii").split()]
    width = len(BUCKETS) + 2
    if len(row) != 2 + 2 * width or min(row) < 0:
        raise ValueError(f"{text!r:.100} is no row of {2 + 2 * width} numbers")
    return TaskTimings(
        succeeded=row[0],
        failed=row[1],
        duration=_histogram(row[2 : 2 + width]),
        wait=_histogram(row[2 + width :]),
    )


def _of(histogram: Histogram) -> tuple[int, ...]:
    return (round(histogram.sum_seconds * _MICROSECONDS), *histogram.counts)


def _histogram(row: list[int]) -> Histogram:
    return Histogram(sum_seconds=row[0] / _MICROSECONDS, counts=tuple(row[1:]))
