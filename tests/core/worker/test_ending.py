"""What becomes of a task after an attempt: wire section 5.4."""

import pytest

from asynq_exporter.core.worker import ending
from asynq_exporter.core.worker.ending import Ending
from asynq_exporter.core.worker.errors import (
    HandlerNotFoundError,
    LeaseExpiredError,
    PanicError,
    RevokeTaskError,
    SkipRetryError,
    as_error,
    is_or_wraps,
    is_panic,
    text_of,
)
from tests.core.queue_state import a_task


def caused_by(cause: BaseException) -> RuntimeError:
    """An error that another one caused."""
    error = RuntimeError("boom")
    error.__cause__ = cause
    return error


BOOM = RuntimeError("boom")


@pytest.mark.parametrize(
    ("retention", "retried", "error", "expected"),
    [
        (0, 0, None, Ending.DONE),
        (60, 0, None, Ending.COMPLETE),
        (60, 3, None, Ending.COMPLETE),
        (0, 0, BOOM, Ending.RETRY),
        (60, 2, BOOM, Ending.RETRY),
        (0, 3, BOOM, Ending.ARCHIVE),
        (0, 4, BOOM, Ending.ARCHIVE),
        (0, 0, LeaseExpiredError(), Ending.RETRY),
        (0, 0, HandlerNotFoundError("t"), Ending.RETRY),
        (0, 0, SkipRetryError(), Ending.ARCHIVE),
        (0, 0, caused_by(SkipRetryError()), Ending.ARCHIVE),
        (0, 0, caused_by(caused_by(SkipRetryError())), Ending.ARCHIVE),
        (0, 0, ExceptionGroup("several", [BOOM, SkipRetryError()]), Ending.ARCHIVE),
        (60, 0, RevokeTaskError(), Ending.DONE),
        (60, 3, caused_by(RevokeTaskError()), Ending.DONE),
        # Revoking is looked at first.
        (0, 0, ExceptionGroup("both", [SkipRetryError(), RevokeTaskError()]), Ending.DONE),
    ],
)
def test_ending_of_an_attempt(
    retention: int, retried: int, error: Exception | None, expected: Ending
) -> None:
    """Done or kept after success; revoked, archived or retried after an error, in this order."""
    message = a_task(max_retry=3, retention_seconds=retention)
    message.retried = retried
    assert ending.of(message, error) is expected


def test_context_of_an_error_is_no_cause() -> None:
    """An error raised while another was handled does not wrap it, only one raised from it."""
    error = RuntimeError("boom")
    error.__context__ = SkipRetryError()
    assert not is_or_wraps(error, SkipRetryError)


def test_circle_of_causes_ends() -> None:
    """Whatever a handler made of its exceptions, the server goes on."""
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert not is_or_wraps(first, SkipRetryError)


class NoSuchUserError(KeyError):
    """A user's own error."""


@pytest.mark.parametrize(
    ("raised", "panics"),
    [
        (ValueError("v"), False),
        (OSError("o"), False),
        (NoSuchUserError("n"), False),
        (KeyError("k"), True),
        (ZeroDivisionError("z"), True),
        (TypeError("t"), True),
        (AssertionError(), True),
        (SystemExit(3), True),
    ],
)
def test_mistakes_are_panics(raised: BaseException, panics: bool) -> None:
    """Built-in exceptions of programming mistakes, and leaving the process, are what a panic is in Go."""
    error = as_error(raised)
    assert is_panic(error) is panics
    assert error is raised or isinstance(error, PanicError)


def test_text_of_a_panic_names_the_place() -> None:
    """Go's words, with the line where it happened."""
    try:
        divmod(1, 0)
    except ZeroDivisionError as exc:
        text = text_of(as_error(exc))
    assert text.startswith(f"panic error cause by: panic [{__file__}:")
    assert text.endswith("]: ZeroDivisionError: integer division or modulo by zero")


@pytest.mark.parametrize(
    ("error", "text"), [(RuntimeError("boom"), "boom"), (RuntimeError(), "RuntimeError")]
)
def test_text_of_an_error(error: Exception, text: str) -> None:
    """The text stands in the task; without one its type has to do."""
    assert text_of(error) == text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SkipRetryError(), "skip retry for the task"),
        (RevokeTaskError(), "revoke task"),
        (LeaseExpiredError(), "asynq: task lease expired"),
        (HandlerNotFoundError("a:b"), 'handler not found for task "a:b"'),
    ],
)
def test_texts_are_those_of_go(error: Exception, text: str) -> None:
    """Tools that look for them find them."""
    assert str(error) == text
