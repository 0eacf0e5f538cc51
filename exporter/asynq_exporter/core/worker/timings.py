"""Counts how long tasks take and wait, by type; whoever serves metrics reads the numbers."""

import bisect
from collections.abc import Callable, Mapping
from types import MappingProxyType

from asynq_exporter.core.timings import (
    BUCKETS,
    MAX_TYPE_CHARACTERS,
    MAX_TYPES,
    OTHER,
    Histogram,
    TaskTimings,
)

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
