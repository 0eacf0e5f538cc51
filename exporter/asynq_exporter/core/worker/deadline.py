"""Until when an attempt may run (wire section 5.5); pure."""

from asynq_exporter.core.messages import NANOSECONDS, TaskMessage

#: Limit of an attempt whose task names neither timeout nor deadline.
DEFAULT_SECONDS = 1800


def deadline_ns(message: TaskMessage, *, now_ns: int) -> int:
    """The moment at which an attempt that starts now must be over, Unix nanoseconds."""
    timeout, deadline = message.timeout, message.deadline
    if timeout and deadline:
        # Whole seconds here, as in asynq; with a timeout alone the fraction stays.
        return min(now_ns // NANOSECONDS + timeout, deadline) * NANOSECONDS
    if deadline:
        return deadline * NANOSECONDS
    return now_ns + (timeout or DEFAULT_SECONDS) * NANOSECONDS
