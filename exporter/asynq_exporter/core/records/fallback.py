"""Polls tasks without the queue, while that is disabled or down (guide sections 3.6, 4.3 and 6.1).

    poller = Poller(store, cancellations, poll)
    fallback = Fallback(store, poller, is_queue_usable=LiveQueue(redis), chain=chain)
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

from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.core.errors import AsynqError
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.records import periodic
from asynq_exporter.core.records.chain import Chain
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
        chain: Chain | None = None,
        concurrency: int = CONCURRENCY,
    ) -> None:
        """Takes the records and what polls.

        Args:
            store: the records.
            poller: what polls a task.
            clock: of the process.
            is_queue_usable: asked in each round; None where the queue is disabled.
            chain: what gives tasks back to the queue.
            concurrency: tasks polled at the same time.
        """
        self._store = store
        self._poller = poller
        self._clock: Clock = clock or SystemClock()
        self._ask_usable = is_queue_usable
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
        loop = asyncio.get_running_loop()

        async def one_round() -> None:
            # However much is due, who is in charge is asked again after an interval.
            ends = loop.time() + interval_seconds
            await self.round(is_over=lambda: stop.is_set() or loop.time() >= ends)

        await periodic.repeat(one_round, every_seconds=interval_seconds, stop=stop, what=KEYWORD)

    async def round(self, *, is_over: Callable[[], bool] = lambda: False) -> Round:
        """Polls what is due if the queue is not usable; else gives back to it what it lost.

        Begins nothing more once it is over.

        Raises:
            UnavailableError: the database does not answer, or Redis not any more.
        """
        is_usable = await self._is_usable()
        done = await (self._give_back(is_over) if is_usable else self._poll_due(is_over))
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

    async def _poll_due(self, is_over: Callable[[], bool]) -> Round:
        polled: list[Outcome] = []

        async def poll_one_by_one() -> None:
            # Each takes the next when it is done with one: leases do not end while their tasks wait.
            while not is_over() and (
                leases := await self._store.claim_due(limit=1, seconds=self._poller.lease_seconds)
            ):
                polled.append((await self._poller.work(leases[0])).outcome)

        at_once = (poll_one_by_one() for _ in range(self._concurrency))
        ends = await asyncio.gather(*at_once, return_exceptions=True)
        for error in filter(None, ends):
            raise error
        return Round(is_queue_usable=False, polled=len(polled), refunded=polled.count(Outcome.REFUNDED))

    async def _give_back(self, is_over: Callable[[], bool]) -> Round:
        done = Round(is_queue_usable=True)
        due_before, after = self._now() - OVERDUE_SECONDS, ""
        while page := await self._store.overdue(due_before=due_before, after=after, limit=PAGE_SIZE):
            for record in page:
                if is_over():
                    return done
                done = await self._give_one_back(record, done)
            after = page[-1].task_id
        return done

    async def _give_one_back(self, record: TaskRecord, done: Round) -> Round:
        if self._now() - record.created_at >= record.timeout_seconds:
            return await self._poll_last(record, done)
        if self._chain is None or not await self._chain.is_broken(record):
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
