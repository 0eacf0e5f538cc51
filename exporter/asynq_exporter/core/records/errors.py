"""Errors of the task records; they stand in the tree of `core.errors`.

AsynqError
├── NotFoundError
│   └── RecordNotFoundError    no record of that task ID
├── AlreadyExistsError
│   └── RecordExistsError      a record of that task ID is there already
├── FailedPreconditionError
│   ├── RecordFinishedError    the task finished before, so there is nothing to cancel or to refund
│   ├── LeaseHeldError         somebody else works on the record now
│   └── LeaseLostError         somebody else took the record meanwhile, or it is finished: nothing was written
├── UnavailableError
│   ├── DatabaseError          the database cannot be reached, or refuses to work for now
│   └── WebhookUnavailableError  the receiver did not take the message for now
└── WebhookRefusedError        the receiver will never take this message
"""

from asynq_exporter.core.errors import (
    AlreadyExistsError,
    AsynqError,
    FailedPreconditionError,
    NotFoundError,
    UnavailableError,
)


class RecordNotFoundError(NotFoundError):
    """There is no record of that task."""

    code = "record_not_found"


class RecordExistsError(AlreadyExistsError):
    """A record of that task is there already."""

    code = "record_exists"


class RecordFinishedError(FailedPreconditionError):
    """The task finished before; `status` says how."""

    code = "record_finished"

    def __init__(self, message: str, *, status: str) -> None:
        super().__init__(message)
        self.status = status


class LeaseHeldError(FailedPreconditionError):
    """Somebody else works on the record now; a worker that fails with this tries again later."""

    code = "lease_held"


class LeaseLostError(FailedPreconditionError):
    """The lease or lock is somebody else's meanwhile, or the record is finished; nothing was written."""

    code = "lease_lost"


class DatabaseError(UnavailableError):
    """The database cannot be reached, or refuses to work for now."""

    code = "database_unavailable"


class WebhookUnavailableError(UnavailableError):
    """The receiver did not take the message for now."""

    code = "webhook_unavailable"


class WebhookRefusedError(AsynqError):
    """The receiver will never take this message."""

    code = "webhook_refused"
