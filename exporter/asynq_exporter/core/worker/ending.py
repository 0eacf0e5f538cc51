"""What becomes of a task after an attempt (wire section 5.4); pure."""

from enum import StrEnum

from asynq_exporter.core.messages import TaskMessage
from asynq_exporter.core.worker.errors import RevokeTaskError, SkipRetryError, is_or_wraps


class Ending(StrEnum):
    """What is written about an attempt."""

    #: The task is deleted and counts as processed.
    DONE = "done"
    #: The same, but it is kept for its retention.
    COMPLETE = "complete"
    #: It waits for its next attempt.
    RETRY = "retry"
    #: It is given up.
    ARCHIVE = "archive"


def of(message: TaskMessage, error: Exception | None) -> Ending:
    """The ending of an attempt that ended with an error, or None for a success."""
    if error is None:
        return Ending.COMPLETE if message.retention > 0 else Ending.DONE
    if is_or_wraps(error, RevokeTaskError):
        return Ending.DONE
    if message.retried >= message.retry or is_or_wraps(error, SkipRetryError):
        return Ending.ARCHIVE
    return Ending.RETRY
