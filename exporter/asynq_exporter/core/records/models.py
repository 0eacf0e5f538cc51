"""The values of the task records; moments are Unix seconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from asynq_exporter.core import job_id
from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.policies import polling, retry

#: Queue of the jobs of a task, unless its record names another: the guide's for asynchronous callbacks.
DEFAULT_QUEUE = "scheduled"

#: No job was put into a queue yet.
NO_ATTEMPT = -1

MAX_TEXT_CHARACTERS = 255

#: The largest number of the columns for users and credits.
MAX_NUMBER = 2**63 - 1


class Status(StrEnum):
    """Status of a task, in the words of appendix B of the guide."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    IN_PROGRESS = "IN_PROGRESS"
    SUBMITTED = "SUBMITTED"
    QUEUED = "QUEUED"
    UNKNOWN = "UNKNOWN"
    EMPTY = ""
    NOT_START = "NOT_START"

    @property
    def is_finished(self) -> bool:
        """Whether nothing more happens to the task."""
        return self in FINISHED

    @classmethod
    def of(cls, text: str) -> Self:
        """The status of a text, which somebody else may have written; UNKNOWN for a word of none."""
        try:
            return cls(text)
        except ValueError:
            return cls("UNKNOWN")


FINISHED = frozenset({Status.SUCCESS, Status.FAILURE})


class PlatformClass(StrEnum):
    """How long the platform of a task takes (guide section 1.4)."""

    LONG = "long"
    MEDIUM = "medium"
    SHORT = "short"
    DEFAULT = "default"

    @property
    def timeout_seconds(self) -> float:
        """How long a task may take if its record says nothing: all retries of its class, at their longest."""
        policy = retry.for_class(self)
        return policy.max_retries * policy.max_seconds


class EntryKind(StrEnum):
    """Why credits moved."""

    #: Given to a user from outside, such as a payment.
    GRANT = "grant"
    #: Taken for a task.
    CHARGE = "charge"
    #: Given back for a task.
    REFUND = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """A task that was taken on, as the caller knows it."""

    task_id: str
    user_id: int
    #: What the task costs, charged when the record is created; 0 or more.
    credits: int
    platform_class: PlatformClass = PlatformClass.DEFAULT
    status: Status = Status.SUBMITTED
    #: None is the default of the class.
    timeout_seconds: float | None = None
    #: Queue of its jobs.
    queue: str = DEFAULT_QUEUE

    def check(self) -> None:
        """Raises InvalidArgumentError for what can never be a record."""
        # Jobs are named after the task, so what cannot be in a job ID cannot be a task ID.
        job_id.build(self.task_id)
        for what, text in (("task ID", self.task_id), ("queue", self.queue)):
            check_text(text, what=what)
        if not 0 <= self.credits <= MAX_NUMBER:
            raise InvalidArgumentError(f"credits are 0 or more, not {self.credits}")
        if not -MAX_NUMBER <= self.user_id <= MAX_NUMBER:
            raise InvalidArgumentError(f"{self.user_id} is too large for a user ID")
        if self.timeout_seconds is not None and not 0 < self.timeout_seconds < float("inf"):
            raise InvalidArgumentError(f"timeout_seconds is more than 0, not {self.timeout_seconds}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """A task as the database knows it."""

    task_id: str
    user_id: int
    credits: int
    platform_class: PlatformClass
    status: Status
    #: Why it failed; empty otherwise.
    reason: str
    timeout_seconds: float
    queue: str
    #: Number of the latest job put into a queue; NO_ATTEMPT for none.
    attempt: int
    created_at: float
    updated_at: float
    finished_at: float | None
    #: Polls in this status.
    polls: int
    #: When it is to be polled; None for never.
    next_poll_at: float | None
    #: Until when somebody works on it; None for nobody.
    lease_until: float | None
    #: Grows with each lease: the fencing token of who holds it.
    lease_number: int

    @property
    def is_finished(self) -> bool:
        """Whether nothing more happens to the task."""
        return self.finished_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """That a task failed and its credits go back: written first, closed when nothing is left to do."""

    task_id: str
    user_id: int
    credits: int
    reason: str
    queue: str
    attempt: int
    opened_at: float
    #: When the credits were given back; None when they are still to be.
    refunded_at: float | None
    #: When its jobs were gone; None while some may be left.
    closed_at: float | None

    @property
    def is_refund_due(self) -> bool:
        """Whether credits are still to be given back."""
        return self.credits > 0 and self.refunded_at is None

    @property
    def key(self) -> str:
        """The same for every try to refund this task: what a receiver tells repetitions by."""
        return f"refund:{self.task_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The records as a whole, in numbers."""

    #: Records of every status, also where there are none.
    counts: Mapping[Status, int]
    #: When the oldest record that is not finished was created; None where all are.
    oldest_unfinished_at: float | None
    #: Refunds that were made, and what they gave back.
    refunds: int
    refunded_credits: float
    #: Settlements with credits that are still to be given back.
    refunds_due: int
    #: Settlements with something left to do, refund or jobs.
    open_settlements: int
    #: When the oldest of those was opened; None where there is none.
    oldest_open_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """Credits that moved; never changed and never deleted."""

    id: int
    user_id: int
    kind: EntryKind
    #: The task, or what a grant is known by; unique in its kind.
    reference: str
    #: Positive for what the user got, negative for what was taken.
    amount: int
    created_at: float


def check_text(text: str, *, what: str) -> None:
    """Raises InvalidArgumentError for a text that does not fit its column."""
    if not text.strip() or len(text) > MAX_TEXT_CHARACTERS or "\x00" in text:
        raise InvalidArgumentError(f"a {what} has 1 to {MAX_TEXT_CHARACTERS} characters: {text!r:.80}")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise InvalidArgumentError(f"the {what} is not valid Unicode") from exc


def clean_reason(reason: str) -> str:
    """A reason that fits its column: cut to its length, and without what PostgreSQL refuses, such as NUL."""
    valid = reason.encode("utf-8", errors="replace").decode()
    return valid.replace("\x00", "\ufffd")[:MAX_TEXT_CHARACTERS]


def first_poll_seconds(record: NewRecord) -> float:
    """How long after its creation a task is polled for the first time; 0 for a status that is not polled."""
    rule = polling.documented()[record.status]
    return rule.delay_seconds(0) if rule.is_polled else 0.0
