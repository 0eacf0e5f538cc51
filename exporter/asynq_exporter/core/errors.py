"""Every error of the queue core.

AsynqError
├── InvalidArgumentError     the caller gave something that can never work
│   └── CatalogError         a queue catalogue does not hold together
├── AlreadyExistsError
│   ├── DuplicateTaskError   ErrDuplicateTask: the uniqueness lock is held
│   └── TaskIdConflictError  ErrTaskIDConflict: a task of that ID exists, in whatever state
├── NotFoundError
│   ├── QueueNotFoundError   ErrQueueNotFound
│   └── TaskNotFoundError    ErrTaskNotFound
├── FailedPreconditionError  the thing exists but its state forbids the operation
│   └── QueueNotEmptyError   ErrQueueNotEmpty
├── CorruptMessageError      bytes in Redis that are no message of asynq
├── UnavailableError         Redis cannot be reached, or refuses to work for now
└── InternalError            a script met a state that asynq never makes
"""


class AsynqError(Exception):
    """Something about the queue went wrong."""

    #: Canonical word for the class of error, stable for logs and answers.
    code = "unknown"


class InvalidArgumentError(AsynqError, ValueError):
    """The argument can never work."""

    code = "invalid_argument"


class CatalogError(InvalidArgumentError):
    """The queue catalogue does not hold together."""


class AlreadyExistsError(AsynqError):
    """The thing to be made is there already."""

    code = "already_exists"


class DuplicateTaskError(AlreadyExistsError):
    """ErrDuplicateTask: another task holds the uniqueness lock (wire section 6.3)."""

    code = "duplicate_task"

    def __init__(self, message: str = "task already exists") -> None:
        super().__init__(message)


class TaskIdConflictError(AlreadyExistsError):
    """ErrTaskIDConflict: a task of that ID exists in some state (wire section 6.3)."""

    code = "task_id_conflict"

    def __init__(self, message: str = "task ID conflicts with another task") -> None:
        super().__init__(message)


class NotFoundError(AsynqError):
    """The thing is not there, or no longer."""

    code = "not_found"


class QueueNotFoundError(NotFoundError):
    """ErrQueueNotFound: the name is not in `asynq:queues`."""

    code = "queue_not_found"


class TaskNotFoundError(NotFoundError):
    """ErrTaskNotFound: no hash of that ID in the queue."""

    code = "task_not_found"


class FailedPreconditionError(AsynqError):
    """The state of the thing forbids the operation."""

    code = "failed_precondition"


class QueueNotEmptyError(FailedPreconditionError):
    """ErrQueueNotEmpty: the queue still holds tasks."""

    code = "queue_not_empty"


class CorruptMessageError(AsynqError):
    """The bytes are no message of asynq; `data` keeps them."""

    code = "corrupt_message"

    def __init__(self, message: str, *, data: bytes = b"") -> None:
        super().__init__(message)
        self.data = data


class UnavailableError(AsynqError):
    """Redis cannot be reached, or refuses to work for now; trying again later may help."""

    code = "unavailable"


class InternalError(AsynqError):
    """A script met a state that asynq never makes."""

    code = "internal"
