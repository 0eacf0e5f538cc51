"""What a worker does with the job of a task: the side of the queue.

A job is one poll. It is dropped when its record is finished, or when the task has a later job, so that a
task never has two chains of jobs. A later job that was counted and never enqueued, since a process was
killed in between, is made up for. The fallback polling may work on the same records at the same time: a
lease decides.
"""

from enum import StrEnum
from typing import Protocol

from asynq_exporter.core import job_id
from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.core.job_id import JobId, JobKind
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.records.chain import Chain
from asynq_exporter.core.records.errors import LeaseHeldError
from asynq_exporter.core.records.models import TaskRecord
from asynq_exporter.core.records.polling import Outcome, Poller
from asynq_exporter.core.records.store import RecordStore

#: A job may run so much before its task is due: queues keep whole seconds.
EARLY_SECONDS = 1.0


class Running(Protocol):
    """A job that a worker runs, such as its `Attempt`."""

    @property
    def id(self) -> str:
        """ID of the job."""
        ...


class Handled(StrEnum):
    """What came of a job."""

    #: The task was polled; its next job is in the queue, if there is to be one.
    POLLED = "polled"
    #: The task was not due; its next job is in the queue.
    EARLY = "early"
    #: The task should have a later job and had none; its next job is in the queue.
    MENDED = "mended"
    #: The task is finished, unknown, or has a later job.
    DROPPED = "dropped"


class Handler:
    """Handles the jobs of tasks; a worker calls it with each."""

    def __init__(self, store: RecordStore, poller: Poller, chain: Chain, clock: Clock | None = None) -> None:
        self._store = store
        self._poller = poller
        self._chain = chain
        self._clock: Clock = clock or SystemClock()

    async def __call__(self, attempt: Running) -> None:
        """Handles a job that a worker runs; raises as `handle`."""
        await self.handle(attempt.id)

    async def handle(self, identity: str) -> Handled:
        """Handles a job, by its ID.

        Raises:
            InvalidArgumentError: it is no job ID.
            LeaseHeldError: somebody else works on the task; the worker is to try again later.
            UnavailableError: Redis or the database does not answer.
        """
        job = job_id.parse(identity)
        lease = await self._store.claim(job.job, seconds=self._poller.lease_seconds)
        if lease is None:
            return await self._not_claimed(job)
        if _has_later_job(job, lease):
            await self._store.release(lease)
            return await self._mend(lease)
        wait = self._wait_seconds(lease)
        if wait > EARLY_SECONDS:
            await self._store.release(lease)
            await self._chain.enqueue_next(lease, in_seconds=wait)
            return Handled.EARLY
        worked = await self._poller.work(lease)
        if worked.outcome is Outcome.WAITS:
            await self._chain.enqueue_next(lease, in_seconds=worked.delay_seconds)
        return Handled.POLLED

    async def _not_claimed(self, job: JobId) -> Handled:
        record = await self._store.get(job.job)
        if record is None or record.is_finished or _has_later_job(job, record):
            return Handled.DROPPED
        raise LeaseHeldError(f"somebody else works on task {job.job!r}")

    async def _mend(self, record: TaskRecord) -> Handled:
        if record.next_poll_at is None or not await self._chain.is_broken(record):
            return Handled.DROPPED
        await self._chain.enqueue_next(record, in_seconds=self._wait_seconds(record))
        return Handled.MENDED

    def _wait_seconds(self, record: TaskRecord) -> float:
        if record.next_poll_at is None:
            return 0.0
        return record.next_poll_at - self._clock.now_ns() / NANOSECONDS


def _has_later_job(job: JobId, record: TaskRecord) -> bool:
    """Whether a task had a job after this one; a retry out of the dead letters was asked for by people."""
    return job.kind is not JobKind.DEAD_LETTER_RETRY and job.number < record.attempt
