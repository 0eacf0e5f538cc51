"""One poll of one task, by the policies of appendix B; who holds the lease on the task does it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.policies import polling
from asynq_exporter.core.policies.polling import Action, Step
from asynq_exporter.core.records.cancel import Cancellations
from asynq_exporter.core.records.errors import LeaseLostError
from asynq_exporter.core.records.models import Status, TaskRecord
from asynq_exporter.core.records.store import RecordStore

logger = logging.getLogger(__name__)

#: How long a lease lasts, and the part of it that a poll may take: it ends before somebody else may begin.
LEASE_SECONDS = 60.0
POLL_PART = 0.5

#: Why a task failed that polling gave up.
REASONS = {Status.EMPTY: "任务状态为空", Status.UNKNOWN: "任务状态未知，重试次数已用尽"}
TIMEOUT_REASON = "任务超时"

#: Asks the service about a task: its status as a word of appendix B. May take half a lease.
Poll = Callable[[TaskRecord], Awaitable[str]]


class Outcome(StrEnum):
    """What came of working on a task."""

    #: It is to be polled again.
    WAITS = "waits"
    #: The service said that it is finished.
    FINISHED = "finished"
    #: It was marked failed, and its credits go back.
    REFUNDED = "refunded"
    #: It is not polled any more, and stays as it is.
    IGNORED = "ignored"
    #: Somebody else decided meanwhile; what was found out is dropped.
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What came of working on a task; the delay counts for WAITS only."""

    outcome: Outcome
    delay_seconds: float = 0.0


class Poller:
    """Polls tasks."""

    def __init__(
        self,
        store: RecordStore,
        cancellations: Cancellations,
        poll: Poll,
        clock: Clock | None = None,
        *,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        """Takes the records, what refunds, and what asks the service."""
        self._store = store
        self._cancellations = cancellations
        self._poll = poll
        self._clock: Clock = clock or SystemClock()
        #: For who takes leases to hand over.
        self.lease_seconds = lease_seconds

    async def work(self, lease: TaskRecord) -> Worked:
        """Polls a task and does what its status asks for; ends the lease.

        One last poll comes before a timeout: a task that finished meanwhile is not refunded. A poll that
        fails leaves the status as it is and counts, so a service that is away fails no task before its time.

        Raises:
            DatabaseError: the database does not answer; the lease ends by itself.
        """
        status, polls = lease.status, lease.polls
        if polling.documented()[status].is_polled:
            status, polls = await self._ask(lease)
        if status.is_finished:
            done = await self._store.finish(lease.task_id, status, lease=lease)
            return Worked(outcome=Outcome.FINISHED if done else Outcome.LOST)
        step = polling.next_step(
            status,
            polls=polls,
            elapsed_seconds=self._clock.now_ns() / NANOSECONDS - lease.created_at,
            timeout_seconds=lease.timeout_seconds,
        )
        return await self._follow(lease, status, polls, step)

    async def _ask(self, lease: TaskRecord) -> tuple[Status, int]:
        """The status now, and the polls in it."""
        try:
            async with asyncio.timeout(self.lease_seconds * POLL_PART):
                word = await self._poll(lease)
        except Exception as exc:  # noqa: BLE001 - whatever the caller's code raises, the other tasks go on
            logger.warning("A poll failed", extra={"task_id": lease.task_id, "error": repr(exc)})
            return lease.status, lease.polls + 1
        status = Status.of(word)
        return status, lease.polls + 1 if status is lease.status else 0

    async def _follow(self, lease: TaskRecord, status: Status, polls: int, step: Step) -> Worked:
        if step.action is Action.FAIL_AND_REFUND:
            reason = REASONS.get(status, TIMEOUT_REASON)
            settled = await self._cancellations.fail_and_refund(lease.task_id, reason, lease=lease)
            return Worked(outcome=Outcome.REFUNDED if settled else Outcome.LOST)
        is_polled = step.action is Action.POLL
        after = step.delay_seconds if is_polled else None
        try:
            await self._store.advance(lease, status=status, polls=polls, after_seconds=after)
        except LeaseLostError:
            return Worked(outcome=Outcome.LOST)
        if not is_polled:
            return Worked(outcome=Outcome.IGNORED)
        return Worked(outcome=Outcome.WAITS, delay_seconds=step.delay_seconds)
