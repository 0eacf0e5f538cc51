"""The task IDs of the operations guide (section 1.5): which job, and the how-manieth try of it.

    first run            job:{taskID}:0                 job:task_abc:0
    retry                job:{taskID}:{n}               job:task_abc:3
    dead-letter retry    job:{taskID}:retry:{ts}        job:task_abc:retry:1642000000

The ID of the job itself may hold any characters, colons included: text is read from its right end. Two
things are refused because they would not come back the same: a job ID that ends in `:retry` (its retries
would look like dead-letter retries), and numbers that Python writes in another way (`007`, `+1`).
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from asynq_exporter.core.errors import InvalidArgumentError

_PREFIX = "job:"
_NUMBER = r"0|[1-9][0-9]*"
_DEAD_LETTER_INFIX = ":retry"


class JobKind(StrEnum):
    """Why a task with such an ID was enqueued."""

    INITIAL = "initial"
    RETRY = "retry"
    DEAD_LETTER_RETRY = "dead_letter_retry"


#: Tried in this order; the first that matches the whole text decides.
_FORMS = (
    (JobKind.DEAD_LETTER_RETRY, re.compile(rf"job:(?P<id>.+):retry:(?P<number>{_NUMBER})", re.DOTALL)),
    (JobKind.INITIAL, re.compile(r"job:(?P<id>.+):(?P<number>0)", re.DOTALL)),
    (JobKind.RETRY, re.compile(rf"job:(?P<id>.+):(?P<number>{_NUMBER})", re.DOTALL)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobId:
    """A task ID taken apart; `str()` puts it together again."""

    #: ID of the job, the same for all its tries.
    job: str
    kind: JobKind
    #: The try, 0 for the first; of a dead-letter retry the Unix second at which it was asked for.
    number: int

    def __str__(self) -> str:
        infix = _DEAD_LETTER_INFIX if self.kind is JobKind.DEAD_LETTER_RETRY else ""
        return f"{_PREFIX}{self.job}{infix}:{self.number}"


def build(job: str, attempt: int = 0) -> str:
    """The task ID of a try of a job, 0 for the first.

    Raises:
        InvalidArgumentError: the job ID is blank, ends in `:retry` or is no UTF-8, or the try is negative.
    """
    kind = JobKind.RETRY if attempt else JobKind.INITIAL
    return str(JobId(job=_checked(job), kind=kind, number=_counted(attempt)))


def build_dead_letter_retry(job: str, at_seconds: int) -> str:
    """The task ID of a job taken out of the dead letters at a Unix second; raises as `build`."""
    return str(JobId(job=_checked(job), kind=JobKind.DEAD_LETTER_RETRY, number=_counted(at_seconds)))


def parse(text: str) -> JobId:
    """The parts of such a task ID; `str()` of the answer is the text again.

    Raises:
        InvalidArgumentError: the text has none of the three forms.
    """
    for kind, form in _FORMS:
        if match := form.fullmatch(text):
            return JobId(job=_checked(match["id"]), kind=kind, number=int(match["number"]))
    raise InvalidArgumentError(
        f"not a job ID: {text!r}; expected job:ID:0, job:ID:N or job:ID:retry:UNIXTIME"
    )


def _checked(job: str) -> str:
    if not job.strip():
        raise InvalidArgumentError("the job ID is blank")
    if job.endswith(_DEAD_LETTER_INFIX):
        raise InvalidArgumentError(
            f"the job ID {job!r} ends in {_DEAD_LETTER_INFIX!r}, which marks dead letters"
        )
    try:
        job.encode()
    except UnicodeEncodeError as exc:
        raise InvalidArgumentError(f"the job ID {job!r} is no UTF-8 text") from exc
    return job


def _counted(number: int) -> int:
    if number < 0:
        raise InvalidArgumentError(f"the number of a job ID is 0 or more, not {number}")
    return number
