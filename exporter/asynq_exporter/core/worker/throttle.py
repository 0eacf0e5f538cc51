"""How many tasks a server takes at the same time, and whether it takes any; pure."""

from asynq_exporter.core.control import Control


class Throttle:
    """A server's own values, and what is asked of all workers through Redis, which goes before.

    Until Redis was heard nothing is taken: a worker that starts during an emergency stop must not begin.
    """

    def __init__(self, *, concurrency: int, polling: bool) -> None:
        #: The server's own.
        self.concurrency = concurrency
        self.polling = polling
        #: None until it was read.
        self.asked: Control | None = None

    @property
    def slots(self) -> int:
        """Tasks at the same time."""
        asked = self.asked.concurrency if self.asked else None
        return self.concurrency if asked is None else asked

    @property
    def is_stopped(self) -> bool:
        """Whether somebody wants no tasks to be taken."""
        return not self.polling or (self.asked is not None and self.asked.polling is False)

    @property
    def is_open(self) -> bool:
        """Whether tasks are taken."""
        return self.asked is not None and not self.is_stopped
