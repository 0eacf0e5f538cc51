"""How long a background collector waits between two rounds."""

from collections.abc import Awaitable, Callable

#: Pause after a round that failed; twice as long after each further one, and never longer than the interval.
FIRST_RETRY_SECONDS = 5.0

#: Waits so many seconds.
Sleep = Callable[[float], Awaitable[None]]


def pause_seconds(interval_seconds: float, failures: int) -> float:
    """Until the next round, after so many in a row in which something failed."""
    if not failures:
        return interval_seconds
    # Beyond some doublings it is the interval anyway, and a float has an end.
    return min(interval_seconds, FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 30))
