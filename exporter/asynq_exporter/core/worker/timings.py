"""How long tasks take and wait, by type, as plain counts; whoever serves metrics reads them."""

import bisect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

#: Upper bounds of the buckets of both histograms, seconds; above the last is one more.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)

#: Types that have numbers of their own; types are free text, and a label with no end is a leak.
MAX_TYPES = 100
MAX_TYPE_CHARACTERS = 100

#: The type under which all others are counted.
OTHER = "other"


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


#: What a server hands to whoever shows its numbers.
ReadTimings = Callable[[], Mapping[str, TaskTimings]]


class Timings:
    """Counts the attempts of one process."""

    def __init__(self, *, max_types: int = MAX_TYPES) -> None:
        self._max_types = max_types
        self._types: dict[str, _Counts] = {}

    def waited(self, task_type: str, seconds: float) -> None:
        """Counts how long a task was ready to run."""
        # Clocks of machines differ; less than nothing is nothing.
        self._of(task_type).wait.add(max(seconds, 0.0))

    def ran(self, task_type: str, seconds: float, *, failed: bool) -> None:
        """Counts an attempt."""
        counts = self._of(task_type)
        counts.duration.add(seconds)
        if failed:
            counts.failed += 1
        else:
            counts.succeeded += 1

    def read(self) -> Mapping[str, TaskTimings]:
        """The numbers so far by type."""
        return MappingProxyType({name: counts.frozen() for name, counts in self._types.items()})

    def _of(self, task_type: str) -> "_Counts":
        counts = self._types.get(task_type)
        if counts is None:
            is_room = len(self._types) < self._max_types and len(task_type) <= MAX_TYPE_CHARACTERS
            counts = self._types.setdefault(task_type if is_room else OTHER, _Counts())
        return counts


class _Counts:
    __slots__ = ("duration", "failed", "succeeded", "wait")

    def __init__(self) -> None:
        self.duration = _Buckets()
        self.wait = _Buckets()
        self.succeeded = 0
        self.failed = 0

    def frozen(self) -> TaskTimings:
        return TaskTimings(
            duration=self.duration.frozen(),
            wait=self.wait.frozen(),
            succeeded=self.succeeded,
            failed=self.failed,
        )


class _Buckets:
    __slots__ = ("_counts", "_sum")

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect.bisect_left(BUCKETS, seconds)] += 1
        self._sum += seconds

    def frozen(self) -> Histogram:
        return Histogram(counts=tuple(self._counts), sum_seconds=self._sum)
