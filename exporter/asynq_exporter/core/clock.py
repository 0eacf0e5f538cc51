"""Time, taken through the door: the only module that reads the wall clock."""

import time
from datetime import date, timedelta
from functools import lru_cache
from typing import Protocol

_EPOCH = date(1970, 1, 1)
_DAY_NS = 24 * 3600 * 10**9


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
    return _day_text(now_ns // _DAY_NS)


@lru_cache(maxsize=4)
def _day_text(days: int) -> str:
    # Workers ask for each task.
    return (_EPOCH + timedelta(days=days)).isoformat()
