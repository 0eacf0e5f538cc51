"""Polls tasks without the queue, while that is disabled or down (guide sections 3.6, 4.3 and 6.1).

    poller = Poller(store, cancellations, poll)
    fallback = Fallback(store, poller, is_queue_usable=LiveQueue(redis), jobs=Jobs(redis), chain=chain)
    await fallback.run(stop)

Both sides take a lease on a record before they work on it, so they may overlap at will: which of them is
in charge is a matter of who is there, not of who is right.

Into the fallback: while the queue is not usable, each round polls the tasks that are due. Their jobs, if
any, stay in Redis; when they run, they find their task finished, or not due, and go on from there.

Back to the queue: while it is usable, each round looks for tasks that should have been polled and were
not, because their chain of jobs broke or they never had one, and puts their next job into the queue. A
task with a job that waits, or that people parked in the archive, is left to that, until its time is over:
then it is polled here one last time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from asynq_exporter.core import keys
from asynq_exporter.core.broker.base import Operations, asynq_errors
from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.core.errors import AsynqError
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.records import periodic
from asynq_exporter.core.records.chain import Chain
from asynq_exporter.core.records.jobs import Jobs
from asynq_exporter.core.records.models import TaskRecord
from asynq_exporter.core.records.polling import Outcome, Poller
from asynq_exporter.core.records.store import RecordStore

logger = logging.getLogger(__name__)

#: Keyword of the guide (appendix A).
KEYWORD = "[兜底轮询]"

#: Default of TASK_POLL_INTERVAL.
INTERVAL_SECONDS = 15.0

#: Tasks polled at the same time.
CONCURRENCY = 10

#: A task that is due for so long has been left by the queue.
OVERDUE_SECONDS = 60.0

#: Records read at once.
PAGE_SIZE = 100

IsUsable = Callable[[], Awaitable[bool]]


class LiveQueue(Operations):
    """Whether the queue works: Redis answers, and a worker is alive."""

    async def __call__(self) -> bool:
        """Whether it does; raises UnavailableError."""
        with asynq_errors():
            return bool(await self._redis.zcount(keys.SERVERS, self._now_seconds(), "+inf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What a round did."""

    #: Whether the queue is in charge.
    is_queue_usable: bool
    polled: int = 0
    refunded: int = 0
    #: Tasks given back to the queue.
    handed_over: int = 0


class Fallback:
    """Polls what the queue does not."""

    def __init__(
        self,
        store: RecordStore,
        poller: Poller,
        clock: Clock | None = None,
        *,
        is_queue_usable: IsUsable | None = None,
        jobs: Jobs | None = None,
        chain: Chain | None = None,
        concurrency: int = CONCURRENCY,
    ) -> None:
        """Takes the records and what polls.

        Args:
            store: the records.
            poller: what polls a task.
            clock: of the process.
            is_queue_usable: asked in each round; None where the queue is disabled.
            jobs: to see which tasks have a job; with `chain`, to give tasks back to the queue.
            chain: what puts jobs into the queue.
            concurrency: tasks polled at the same time.
        """
        self._store = store
        self._poller = poller
        self._clock: Clock = clock or SystemClock()
        self._ask_usable = is_queue_usable
        self._jobs = jobs
        self._chain = chain
        self._concurrency = concurrency
        self._was_usable: bool | None = None

    async def run(
        self, stop: asyncio.Event, *, enabled: bool = True, interval_seconds: float = INTERVAL_SECONDS
    ) -> None:
        """A round every interval until it is told to stop; at once where it is not enabled (UPDATE_TASK)."""
        if not enabled:
            logger.info("%s Is switched off", KEYWORD)
            return
        await periodic.repeat(self.round, every_seconds=interval_seconds, stop=stop, what=KEYWORD)

    async def round(self) -> Round:
        """Polls what is due if the queue is not usable; else gives back to it what it lost.

        Raises:
            UnavailableError: the database does not answer, or Redis not any more.
        """
        is_usable = await self._is_usable()
        done = Round(is_queue_usable=is_usable)
        done = await (self._give_back(done) if is_usable else self._poll_due(done))
        if done.polled or done.handed_over:
            counts = {"polled": done.polled, "refunded": done.refunded, "handed_over": done.handed_over}
            logger.info("%s Round", KEYWORD, extra=counts)
        return done

    async def _is_usable(self) -> bool:
        try:
            is_usable = self._ask_usable is not None and await self._ask_usable()
        except AsynqError as exc:
            logger.debug("%s The queue does not answer", KEYWORD, extra={"error": str(exc)})
            is_usable = False
        if is_usable is not self._was_usable:
            line = "%s The queue is in charge" if is_usable else "%s Polls in place of the queue"
            logger.warning(line, KEYWORD)
        self._was_usable = is_usable
        return is_usable

    async def _poll_due(self, done: Round) -> Round:
        # No more at once than are polled at once, or leases would end while their tasks wait.
        while leases := await self._store.claim_due(
            limit=self._concurrency, seconds=self._poller.lease_seconds
        ):
            worked = await asyncio.gather(*(self._poller.work(lease) for lease in leases))
            refunded = sum(one.outcome is Outcome.REFUNDED for one in worked)
            done = replace(done, polled=done.polled + len(worked), refunded=done.refunded + refunded)
        return done

    async def _give_back(self, done: Round) -> Round:
        due_before, after = self._now() - OVERDUE_SECONDS, ""
        while page := await self._store.overdue(due_before=due_before, after=after, limit=PAGE_SIZE):
            for record in page:
                done = await self._give_one_back(record, done)
            after = page[-1].task_id
        return done

    async def _give_one_back(self, record: TaskRecord, done: Round) -> Round:
        if self._now() - record.created_at >= record.timeout_seconds:
            return await self._poll_last(record, done)
        if self._jobs is None or self._chain is None or await self._jobs.is_parked_or_waiting(record):
            return done
        # Of several processes that see the same, one hands over.
        lease = await self._store.claim(record.task_id, seconds=self._poller.lease_seconds)
        if lease is None:
            return done
        await self._store.release(lease)
        if lease.attempt != record.attempt or not await self._chain.enqueue_next(lease):
            return done
        return replace(done, handed_over=done.handed_over + 1)

    async def _poll_last(self, record: TaskRecord, done: Round) -> Round:
        lease = await self._store.claim(record.task_id, seconds=self._poller.lease_seconds)
        if lease is None:
            return done
        worked = await self._poller.work(lease)
        is_refunded = worked.outcome is Outcome.REFUNDED
        return replace(done, polled=done.polled + 1, refunded=done.refunded + is_refunded)

    def _now(self) -> float:
        return self._clock.now_ns() / NANOSECONDS
