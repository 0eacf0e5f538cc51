"""How long a worker may believe that a task is its own (wire sections 5.4 and 5.7); pure."""


class Lease:
    """The lease on one task; moments are Unix seconds."""

    __slots__ = ("expires_at",)

    def __init__(self, expires_at: float) -> None:
        self.expires_at = expires_at

    def is_valid(self, now: float) -> bool:
        """Whether nobody else can have taken the task."""
        return self.expires_at >= now

    def extend(self, expires_at: float, *, now: float) -> bool:
        """Moves the end, unless the lease is over already; whether it did."""
        if not self.is_valid(now):
            return False
        self.expires_at = expires_at
        return True

    def lose(self) -> None:
        """Somebody else has the task, whatever the clock says."""
        self.expires_at = 0.0
