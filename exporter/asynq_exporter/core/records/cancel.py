"""Cancels tasks and gives their credits back (guide section 2.6).

    cancellations = Cancellations(store, Jobs(redis))
    await cancellations.recover()                      # at the start, for what a killed process left
    result = await cancellations.cancel("task_xxx", reason="用户申请取消")

What happens, in this order:

1. In one transaction the record is marked failed and its settlement is written, if it is not finished.
   Who does that is the only one; a task that finished before is not refunded, and one that is cancelled
   cannot finish any more. Our own store refunds in the same transaction.
2. Else the credits are given back by a `Refunds`, told by a key that is the same each time, and that is
   noted.
3. The jobs of the task are removed from Redis.
4. The settlement is closed when no job is left.

A process killed before the end of 1 has done nothing. Afterwards the settlement stays open, and `recover`
does what is left, as often as it takes: each step may be repeated. Redis may be down: the refund does not
wait for it.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.core.errors import (
    AsynqError,
    FailedPreconditionError,
    InvalidArgumentError,
    UnavailableError,
)
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.records import periodic
from asynq_exporter.core.records.errors import RecordFinishedError, RecordNotFoundError
from asynq_exporter.core.records.jobs import Fate, Jobs
from asynq_exporter.core.records.models import Settlement, TaskRecord, check_text
from asynq_exporter.core.records.store import RecordStore, Refunds

logger = logging.getLogger(__name__)

#: Defaults and keywords of the guide.
DEFAULT_REASON = "管理员手动取消"
DEFAULT_BATCH_REASON = "管理员批量取消"
KEYWORD = "[CancelTaskAndRefund]"
BATCH_KEYWORD = "[BatchCancelTaskAndRefund]"

MAX_BATCH_IDS = 100

#: A settlement open for so long was left by a process that is gone, or waits for something.
STALE_SECONDS = 60.0

#: Settlements that `recover` reads at once.
PAGE_SIZE = 100

#: Refunds that a `Refunds` makes at the same time.
REFUNDS_AT_ONCE = 10

_GONE = frozenset({Fate.DELETED, Fate.GONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelResult:
    """The answer to a cancellation, in the shape of the guide."""

    task_id: str
    user_id: int
    credits: int
    #: Whether the credits of this task were given back, by this call or an earlier one.
    refunded: bool
    reason: str

    @classmethod
    def of(cls, settlement: Settlement) -> "CancelResult":
        """What a settlement comes to."""
        return cls(
            task_id=settlement.task_id,
            user_id=settlement.user_id,
            credits=settlement.credits,
            refunded=settlement.refunded_at is not None,
            reason=settlement.reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOutcome:
    """What a batch did about one task: a result, or why not."""

    task_id: str
    result: CancelResult | None
    error: AsynqError | None


class Cancellations:
    """Cancels tasks, and completes what was begun."""

    def __init__(
        self, store: RecordStore, jobs: Jobs, clock: Clock | None = None, *, refunds: Refunds | None = None
    ) -> None:
        """Takes the records and the jobs.

        Raises:
            InvalidArgumentError: nobody would give the credits back, or two would.
        """
        if store.gives_refunds == (refunds is not None):
            raise InvalidArgumentError(
                "credits are given back by the store or by `refunds`, by one of the two"
            )
        self._store = store
        self._jobs = jobs
        self._clock: Clock = clock or SystemClock()
        self._refunds = refunds

    async def cancel(self, task_id: str, *, reason: str = "") -> CancelResult:
        """Cancels a task and gives its credits back; again for a cancelled task, it says what was done then.

        Raises:
            InvalidArgumentError: no task can have that ID.
            RecordNotFoundError: there is no record of it.
            RecordFinishedError: it finished before, and nothing was refunded.
            DatabaseError: the database does not answer; nothing, or all, was or will be done.
        """
        settlement, is_left = await self._begin(task_id, reason.strip() or DEFAULT_REASON)
        if is_left:
            [settlement] = await self._complete([settlement])
        result = CancelResult.of(settlement)
        logger.info("%s Task canceled", KEYWORD, extra=_fields(result))
        return result

    async def cancel_batch(self, task_ids: Iterable[str], *, reason: str = "") -> list[BatchOutcome]:
        """Cancels up to 100 tasks; one outcome for each ID, in order, repeated ones once.

        Not a transaction: each is cancelled or refused by itself.

        Raises:
            InvalidArgumentError: no ID, or more than 100.
        """
        ids = list(dict.fromkeys(task_ids))
        if not 1 <= len(ids) <= MAX_BATCH_IDS:
            raise InvalidArgumentError(f"a batch has 1 to {MAX_BATCH_IDS} task IDs, not {len(ids)}")
        outcomes: dict[str, BatchOutcome] = {}
        unsettled: list[Settlement] = []
        for task_id in ids:
            try:
                settlement, is_left = await self._begin(task_id, reason.strip() or DEFAULT_BATCH_REASON)
            except AsynqError as exc:
                outcomes[task_id] = BatchOutcome(task_id=task_id, result=None, error=exc)
                continue
            outcomes[task_id] = _done(settlement)
            if is_left:
                unsettled.append(settlement)
        outcomes |= {done.task_id: _done(done) for done in await self._complete(unsettled)}
        for outcome in outcomes.values():
            _log_outcome(outcome)
        return [outcomes[task_id] for task_id in ids]

    async def fail_and_refund(
        self, task_id: str, reason: str, *, lease: TaskRecord | None = None
    ) -> Settlement | None:
        """Marks a task failed and gives its credits back, as polling decides; None if it finished before.

        With a lease it works only while that holds.
        """
        settlement = await self._store.fail(task_id, reason, lease=lease)
        if settlement is None:
            return None
        [settlement] = await self._complete([settlement])
        return settlement

    async def recover(self, *, min_age_seconds: float = 0.0) -> int:
        """Completes what was begun so long ago or earlier; how many settlements were closed.

        What cannot be completed now stays for the next time. Raises DatabaseError.
        """
        opened_before = self._now() - min_age_seconds
        closed, after = 0, ""
        while True:
            page = await self._store.open_settlements(
                opened_before=opened_before, after=after, limit=PAGE_SIZE
            )
            if not page:
                return closed
            done = await self._complete(page)
            closed += sum(settlement.closed_at is not None for settlement in done)
            after = page[-1].task_id

    async def keep_recovering(self, stop: asyncio.Event) -> None:
        """Completes at once what a process left, then each minute what was left since; until told to stop."""
        min_age_seconds = 0.0

        async def recover() -> None:
            nonlocal min_age_seconds
            await self.recover(min_age_seconds=min_age_seconds)
            min_age_seconds = STALE_SECONDS

        await periodic.repeat(recover, every_seconds=STALE_SECONDS, stop=stop, what="Recovery of refunds")

    async def _begin(self, task_id: str, reason: str) -> tuple[Settlement, bool]:
        """The settlement of a task, and whether it is on us to complete it."""
        check_text(task_id, what="task ID")
        settlement = await self._store.fail(task_id, reason)
        if settlement is not None:
            return settlement, True
        settlement = await self._store.settlement(task_id)
        if settlement is not None:
            # Somebody is at it, unless it has been left for a long time.
            is_left = settlement.closed_at is None and self._now() - settlement.opened_at >= STALE_SECONDS
            return settlement, is_left
        record = await self._store.get(task_id)
        if record is None:
            raise RecordNotFoundError(f"there is no record of task {task_id!r}")
        raise RecordFinishedError(f"task {task_id!r} is finished: {record.status}", status=record.status)

    async def _complete(self, settlements: Sequence[Settlement]) -> list[Settlement]:
        """Does what is left of settlements, as far as it can be done now; how they are then."""
        await self._refund_all([settlement for settlement in settlements if settlement.is_refund_due])
        gone = await self._remove_jobs(settlements)
        return [
            await self._close(settlement, are_jobs_gone=settlement.task_id in gone)
            for settlement in settlements
        ]

    async def _refund_all(self, settlements: Sequence[Settlement]) -> None:
        for start in range(0, len(settlements), REFUNDS_AT_ONCE):
            some = settlements[start : start + REFUNDS_AT_ONCE]
            answers = await asyncio.gather(*(self._refund(settlement) for settlement in some))
            if not any(answers):
                # Nobody is there: a caller with a hundred tasks does not wait for each to find that out.
                left = settlements[start + REFUNDS_AT_ONCE :]
                if left:
                    logger.error("Refunds are left for the recovery", extra={"refunds": len(left)})
                return

    async def _refund(self, settlement: Settlement) -> bool:
        """Whether there was an answer, be it a refusal."""
        try:
            await self._give_back(settlement)
            await self._store.mark_refunded(settlement.task_id)
        except Exception as exc:  # noqa: BLE001 - whatever the code of others raises, the next ones go on
            # The settlement stays open; the next recovery tries again, under the same key.
            why = {"task_id": settlement.task_id, "error": str(exc) or repr(exc)}
            logger.error("A refund is not made yet", extra=why)  # noqa: TRY400 - the sentence says it all
            return not isinstance(exc, UnavailableError)
        return True

    async def _give_back(self, settlement: Settlement) -> None:
        if self._refunds is None:
            raise FailedPreconditionError("the settlement is from a time when others gave refunds")
        await self._refunds.give_back(settlement)

    async def _remove_jobs(self, settlements: Sequence[Settlement]) -> set[str]:
        """Removes jobs from Redis; the tasks that have none left."""
        try:
            retries = await self._store.dead_letter_retries([one.task_id for one in settlements])
            fates = await self._jobs.remove(settlements, retries=retries)
        except AsynqError as exc:
            logger.warning("Jobs of canceled tasks are not removed yet", extra={"error": str(exc)})
            return set()
        return {task_id for task_id, all_ in fates.items() if _GONE.issuperset(all_)}

    async def _close(self, settlement: Settlement, *, are_jobs_gone: bool) -> Settlement:
        """The settlement as the store has it now, closed if nothing is left to do."""
        task_id = settlement.task_id
        try:
            now = await self._store.settlement(task_id) or settlement
            if now.closed_at is None and are_jobs_gone and not now.is_refund_due:
                await self._store.close_settlement(task_id)
                now = await self._store.settlement(task_id) or now
        except AsynqError as exc:
            why = {"task_id": task_id, "error": str(exc)}
            logger.warning("A settlement is not closed yet", extra=why)
            return settlement
        return now

    def _now(self) -> float:
        return self._clock.now_ns() / NANOSECONDS


def _done(settlement: Settlement) -> BatchOutcome:
    return BatchOutcome(task_id=settlement.task_id, result=CancelResult.of(settlement), error=None)


def _log_outcome(outcome: BatchOutcome) -> None:
    if outcome.result is not None:
        logger.info("%s Task canceled", BATCH_KEYWORD, extra=_fields(outcome.result))
    else:
        why = {"task_id": outcome.task_id, "error": str(outcome.error)}
        logger.warning("%s Task not canceled", BATCH_KEYWORD, extra=why)


def _fields(result: CancelResult) -> dict[str, object]:
    return {
        "task_id": result.task_id,
        "user_id": result.user_id,
        "credits": result.credits,
        "refunded": result.refunded,
        "reason": result.reason,
    }
