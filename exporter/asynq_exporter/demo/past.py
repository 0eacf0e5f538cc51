"""A clock that can go back, so that the core itself makes a past for the demo."""

from asynq_exporter.core.clock import SystemClock


class PastClock:
    """The clock of this machine, some seconds late."""

    def __init__(self, *, seconds_ago: float = 0.0) -> None:
        self.seconds_ago = seconds_ago
        self._system = SystemClock()

    def now_ns(self) -> int:
        """Unix time in nanoseconds."""
        return self._system.now_ns() - int(self.seconds_ago * 1_000_000_000)
