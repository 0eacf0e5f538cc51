"""What ends an attempt, as exceptions; the texts are Go's, since they stand in the tasks that both read."""

import traceback
from collections.abc import Iterator
from pathlib import PurePath

from asynq_exporter.core.errors import AsynqError, FailedPreconditionError

#: Built-in exceptions that mean a mistake in the handler, where Go would panic.
MISTAKES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    NotImplementedError,
    RecursionError,
    TypeError,
)


class ServerClosedError(FailedPreconditionError):
    """ErrServerClosed: the server was shut down and does not start again."""

    code = "server_closed"


class SkipRetryError(AsynqError):
    """Raised by a handler, or as the cause of what it raises: the task goes to the archive at once."""

    code = "skip_retry"

    def __init__(self, message: str = "skip retry for the task") -> None:
        super().__init__(message)


class RevokeTaskError(AsynqError):
    """Raised likewise: the task is over, neither retried nor archived, and counts as processed."""

    code = "revoke_task"

    def __init__(self, message: str = "revoke task") -> None:
        super().__init__(message)


class HandlerNotFoundError(AsynqError):
    """ErrHandlerNotFound: no handler is registered for the type of the task."""

    code = "handler_not_found"

    def __init__(self, task_type: str) -> None:
        super().__init__(f'handler not found for task "{task_type}"')


class DeadlineExceededError(AsynqError):
    """The attempt took longer than the task allows."""

    code = "deadline_exceeded"

    def __init__(self, message: str = "context deadline exceeded") -> None:
        super().__init__(message)


class CanceledError(AsynqError):
    """Somebody canceled the attempt."""

    code = "canceled"

    def __init__(self, message: str = "context canceled") -> None:
        super().__init__(message)


class LeaseExpiredError(AsynqError):
    """ErrLeaseExpired: the worker could not keep its lease, so others may have the task by now."""

    code = "lease_expired"

    def __init__(self, message: str = "asynq: task lease expired") -> None:
        super().__init__(message)


class AttemptOverError(FailedPreconditionError):
    """The attempt has ended, so its handler can no longer write a result."""

    code = "attempt_over"


class PanicError(AsynqError):
    """The handler made a mistake, or tried to end the process; the cause is what it raised."""

    code = "panic"


def panic_of(exc: BaseException) -> PanicError:
    """A mistake as Go words it, with the place where it was made."""
    frames = traceback.extract_tb(exc.__traceback__)
    where = f" [{PurePath(frames[-1].filename)}:{frames[-1].lineno}]" if frames else ""
    error = PanicError(f"panic error cause by: panic{where}: {_described(exc)}")
    error.__cause__ = exc
    return error


def is_panic(exc: BaseException) -> bool:
    """Whether a handler raised a mistake rather than an error; for predicates of failure."""
    return isinstance(exc, PanicError)


def as_error(exc: BaseException) -> Exception:
    """What a handler raised, as the error of its attempt."""
    # A class of the user's own says what it means, even if it derives from LookupError.
    is_mistake = isinstance(exc, MISTAKES) and type(exc).__module__ == "builtins"
    if isinstance(exc, Exception) and not is_mistake:
        return exc
    return panic_of(exc)


def text_of(exc: BaseException) -> str:
    """The text of an error that is kept with its task; its type where it has none."""
    return str(exc) or type(exc).__name__


def is_or_wraps(exc: BaseException, kind: type[BaseException]) -> bool:
    """Whether an error is of a kind, is caused by one, or groups one."""
    return any(isinstance(link, kind) for link in _chain(exc))


def _chain(exc: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting = [exc]
    while waiting:
        link = waiting.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        if isinstance(link, BaseExceptionGroup):
            waiting.extend(link.exceptions)
        if link.__cause__ is not None:
            waiting.append(link.__cause__)


def _described(exc: BaseException) -> str:
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
