"""What a check finds: how bad, where, with which numbers; words are put to it in `wording`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

#: A number whose unit is the end of its name (`_seconds`, `_bytes`, `_ratio`, `_per_second`), or a text.
Value = int | float | str | None


class Severity(StrEnum):
    """How bad a finding is, as in the alerts."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


#: From the worst to the harmless.
SEVERITIES = tuple(Severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """Errors that say the same but for numbers and identifiers."""

    message: str
    count: int
    #: One of the tasks, the one that failed last.
    task_id: str
    task_type: str
    last_failed_at_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLine:
    """A task as evidence."""

    task_id: str
    task_type: str
    queue: str
    #: Since when it runs; None when no worker tells.
    running_seconds: float | None = None
    timeout_seconds: float | None = None
    #: How long its deadline is over.
    overdue_seconds: float | None = None
    #: Host and process that run it.
    worker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it should be."""

    severity: Severity
    #: Which of the messages of its check.
    message: str
    queue: str | None = None
    values: Mapping[str, Value] = field(default_factory=dict)
    #: Causes and remedies of the message that apply, by their names; all of them when empty.
    causes: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    errors: tuple[ErrorGroup, ...] = ()
    tasks: tuple[TaskLine, ...] = ()
    #: Type -> how many of the tasks looked at.
    types: Mapping[str, int] = field(default_factory=dict)
    #: Alert that tells of the same, whose runbook says more.
    alert: str | None = None
