"""What to do next about a task whose work an external service does, by its status (guide appendix B)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any

from asynq_exporter.core import catalog
from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.policies import retry
from asynq_exporter.core.policies.retry import DelayPolicy


class Action(StrEnum):
    """What follows."""

    #: Ask the service again after a delay.
    POLL = "poll"
    #: Take the task out of the queue; the record stands as it is.
    DEQUEUE = "dequeue"
    #: Mark the record failed and give the resources back.
    FAIL_AND_REFUND = "fail_and_refund"
    #: Polling decides nothing, neither about the record nor about the task.
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A decision; the delay counts for POLL only."""

    action: Action
    delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PollingRule:
    """A row of appendix B."""

    #: What happens when no more is polled, or at once where nothing is polled.
    then: Action
    #: Delays in order; the last one repeats.
    delays_seconds: tuple[float, ...] = ()
    #: Delays of a retry policy instead.
    backoff: DelayPolicy | None = None
    #: Polls before the exit; None leaves it to the task's timeout.
    max_polls: int | None = None

    @property
    def is_polled(self) -> bool:
        """Whether the service is asked again at all."""
        return self.backoff is not None or bool(self.delays_seconds)

    def delay_seconds(self, polls: int) -> float:
        """The wait before the next poll of a task that was polled so often in this status."""
        if self.backoff is not None:
            return self.backoff.delay_seconds(polls)
        return self.delays_seconds[min(max(polls, 0), len(self.delays_seconds) - 1)]


@cache
def documented() -> Mapping[str, PollingRule]:
    """The rules of the guide by status of the record."""
    rows = catalog.document()["polling"]
    return MappingProxyType({status: _rule(row) for status, row in rows.items()})


def next_step(status: str, *, polls: int, elapsed_seconds: float, timeout_seconds: float) -> Step:
    """What to do about a task of a status.

    Args:
        status: of the record, spelled as in appendix B; empty is a status too.
        polls: how often it was asked for in this status.
        elapsed_seconds: since the task was submitted.
        timeout_seconds: the task's own limit.

    Raises:
        InvalidArgumentError: the status is none of appendix B.
    """
    rule = documented().get(status)
    if rule is None:
        raise InvalidArgumentError(f"{status!r} is no status of a task; see appendix B of the guide")
    if not rule.is_polled:
        return Step(action=rule.then)
    is_over = elapsed_seconds >= timeout_seconds if rule.max_polls is None else polls >= rule.max_polls
    if is_over:
        return Step(action=rule.then)
    return Step(action=Action.POLL, delay_seconds=rule.delay_seconds(polls))


def _rule(row: Mapping[str, Any]) -> PollingRule:
    then = Action(row["then"])
    if "retry" in row:
        backoff = retry.documented()[row["retry"]]
        return PollingRule(then=then, backoff=backoff, max_polls=backoff.max_retries)
    delays = tuple(row.get("delays_seconds", ()))
    return PollingRule(then=then, delays_seconds=delays, max_polls=row.get("max_polls"))
