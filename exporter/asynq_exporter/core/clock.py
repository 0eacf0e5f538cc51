"""Time, taken through the door: the only module that reads the wall clock."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the wall-clock time in Unix nanoseconds, as the writers of asynq data do."""

    def now_ns(self) -> int:
        """Unix time in nanoseconds."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now_ns(self) -> int:
        """Unix time in nanoseconds."""
        return time.time_ns()


class FixedClock:
    """A clock that stands still until it is moved; for tests and replays."""

    def __init__(self, *, seconds: float = 0.0) -> None:
        self._ns = int(seconds * 1_000_000_000)

    def now_ns(self) -> int:
        """Unix time in nanoseconds."""
        return self._ns

    def advance(self, seconds: float) -> None:
        """Moves the clock forward by a number of seconds."""
        self._ns += int(seconds * 1_000_000_000)


def utc_day(now_ns: int) -> str:
    """The UTC date of a moment as asynq writes it into its daily counters, `YYYY-MM-DD`."""
    return datetime.fromtimestamp(now_ns // 1_000_000_000, tz=UTC).strftime("%Y-%m-%d")
