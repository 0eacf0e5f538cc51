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
│   ├── QueueNotEmptyError   ErrQueueNotEmpty
│   ├── QueueActiveError     tasks of the queue are running
│   └── WrongStateError      the task is in another state than the operation needs
│       ├── TaskActiveError      a worker has it: cancel it instead
│       ├── TaskNotActiveError   no worker has it: there is nothing to cancel
│       ├── AlreadyPendingError  it waits to run already
│       ├── AlreadyArchivedError it is in the archive already
│       ├── NotScheduledError    only a scheduled task may change
│       ├── UnknownStateError    its state is no word of asynq, or missing
│       └── TaskMisplacedError   it is not where its state says, such as in a set being aggregated
├── BackpressureError        a queue, or the system, is too full to take more
├── CircuitOpenError         a circuit breaker refuses requests for now
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


class QueueActiveError(FailedPreconditionError):
    """Tasks of the queue are running, so it cannot be deleted, not even by force."""

    code = "queue_active"


class WrongStateError(FailedPreconditionError):
    """The task is in another state than the operation needs; `state` is the word in its hash."""

    code = "wrong_state"

    def __init__(self, message: str, *, state: str) -> None:
        super().__init__(message)
        self.state = state


class TaskActiveError(WrongStateError):
    """A worker has the task: cancel it instead."""

    code = "task_active"


class TaskNotActiveError(WrongStateError):
    """No worker has the task, so there is nothing to cancel."""

    code = "task_not_active"


class AlreadyPendingError(WrongStateError):
    """The task waits to run already."""

    code = "already_pending"


class AlreadyArchivedError(WrongStateError):
    """The task is in the archive already."""

    code = "already_archived"


class NotScheduledError(WrongStateError):
    """Only the payload of a scheduled task may change."""

    code = "not_scheduled"


class UnknownStateError(WrongStateError):
    """The state in the hash is no word of asynq, or there is none."""

    code = "unknown_state"


class TaskMisplacedError(WrongStateError):
    """The task is not where its state says, such as in a set that is being aggregated."""

    code = "task_misplaced"


class BackpressureError(AsynqError):
    """A queue is too full to take more for now (guide section 4.2).

    `queue` is the full one, `size` its tasks that wait or run, `capacity` what it is meant to hold at most.
    """

    code = "backpressure"

    def __init__(self, message: str, *, queue: str, size: int, capacity: int) -> None:
        super().__init__(message)
        self.queue = queue
        self.size = size
        self.capacity = capacity


class CircuitOpenError(AsynqError):
    """A circuit breaker refuses requests for now (guide section 4.1).

    `scope` and `name` are those of the breaker; it may give leave again after `retry_in_seconds`.
    """

    code = "circuit_open"

    def __init__(self, message: str, *, scope: str, name: str, retry_in_seconds: float) -> None:
        super().__init__(message)
        self.scope = scope
        self.name = name
        self.retry_in_seconds = retry_in_seconds


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
