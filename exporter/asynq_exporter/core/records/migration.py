"""Puts unfinished tasks that are in the database alone into the queue (guide section 3.7).

    migration = Migration(store, redis)
    report = await migration.complete(progress=print)

Of many processes one does it, under a lock; the others wait, or are told at once. What is done is noted in
batches, so a migration that was killed goes on where it was when it is started again, and one that ran to
its end finds nothing more to do. A job is put into its queue first and noted second: in between, its ID
`job:{taskID}:0` keeps it from being put there twice.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from redis.asyncio import Redis

from asynq_exporter.core import job_id
from asynq_exporter.core.client import Client, Options, Task
from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.core.errors import AsynqError, InvalidArgumentError
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.records.chain import MakeTask, options_of, poll_task
from asynq_exporter.core.records.jobs import Jobs
from asynq_exporter.core.records.lock import Lock, Locks
from asynq_exporter.core.records.models import TaskRecord
from asynq_exporter.core.records.store import RecordStore

logger = logging.getLogger(__name__)

#: Name of the lock, and of the fence in the database.
NAME = "migration"

#: How long the lock lasts; it is renewed after each batch.
LOCK_SECONDS = 60.0

#: Tasks between two notes of what is done.
BATCH_SIZE = 200

#: Time between two lines in the log.
LOG_SECONDS = 5.0

#: Who waits for another process looks again so often.
WAIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """How far a migration is."""

    #: Tasks that there were to be done at the beginning.
    total: int
    #: Jobs put into queues.
    enqueued: int = 0
    #: Jobs that were there already.
    duplicates: int = 0
    #: Tasks that finished while their job was put into its queue, which was removed again.
    finished: int = 0
    #: Tasks whose ID can be in no job ID.
    refused: int = 0

    @property
    def done(self) -> int:
        """Tasks that were looked at."""
        return self.enqueued + self.duplicates + self.finished + self.refused


#: Called after each batch.
Progress = Callable[[Migrated], None]


class Migration:
    """Migrates the tasks of a database."""

    def __init__(
        self,
        store: RecordStore,
        redis: Redis,
        clock: Clock | None = None,
        *,
        client: Client | None = None,
        make_task: MakeTask = poll_task,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        """Takes the records and the Redis of the queues; the rest as in `Chain`."""
        self._store = store
        self._clock: Clock = clock or SystemClock()
        self._client = client or Client(redis, clock)
        self._make_task = make_task
        self._locks = Locks(redis, clock)
        self._jobs = Jobs(redis, clock)
        self._batch_size = batch_size

    async def preview(self) -> Migrated:
        """What a migration would do now; changes nothing. Raises UnavailableError."""
        state, after = Migrated(total=await self._store.count_without_job()), ""
        while page := await self._store.without_job(after=after, limit=self._batch_size):
            ids = [first_job(record) for record in page if _can_have_jobs(record)]
            known = await self._jobs.existing(ids)
            state = replace(
                state,
                enqueued=state.enqueued + len(ids) - len(known),
                duplicates=state.duplicates + len(known),
                refused=state.refused + len(page) - len(ids),
            )
            after = page[-1].task_id
        return state

    async def complete(
        self, *, progress: Progress | None = None, waits: Callable[[str], None] | None = None
    ) -> Migrated:
        """Migrates all there is; before, waits for another process that does it. Raises as `run`.

        `waits` is told who that is, as `host:pid`.
        """
        told = ""
        while (done := await self.run(progress=progress)) is None:
            holder = await self._locks.holder(NAME)
            if holder not in {"", told}:
                logger.info("migrate: Waits for the process that does it", extra={"holder": holder})
                told = holder
                if waits:
                    waits(holder)
            await asyncio.sleep(WAIT_SECONDS)
        return done

    async def run(self, *, progress: Progress | None = None) -> Migrated | None:
        """Migrates all there is; None if another process does it now.

        Raises:
            BackpressureError: the client has an admission, and a queue is full; what was done stays done.
            LeaseLostError: this process stood still, and another went on with it.
            UnavailableError: Redis or the database does not answer.
        """
        lock = await self._locks.acquire(NAME, seconds=LOCK_SECONDS, above=await self._store.fence(NAME))
        if lock is None:
            return None
        try:
            return await self._migrate(lock, progress)
        finally:
            await _release(lock)

    async def _migrate(self, lock: Lock, progress: Progress | None) -> Migrated:
        state = Migrated(total=await self._store.count_without_job())
        logger.info("migrate: Begins", extra=_fields(state))
        after, loop = "", asyncio.get_running_loop()
        told_at = loop.time()
        while page := await self._store.without_job(after=after, limit=self._batch_size):
            state = await self._batch(page, lock.token, state)
            await lock.renew(seconds=LOCK_SECONDS)
            if loop.time() - told_at >= LOG_SECONDS:
                logger.info("migrate: Goes on", extra=_fields(state))
                told_at = loop.time()
            if progress:
                progress(state)
            after = page[-1].task_id
        logger.info("migrate: Is complete", extra=_fields(state))
        return state

    async def _batch(self, page: Sequence[TaskRecord], token: int, state: Migrated) -> Migrated:
        records = {first_job(record): record for record in page if _can_have_jobs(record)}
        # An ID is one of its kind in its queue only; the job may wait in another.
        known = await self._jobs.existing(list(records))
        fresh = [identity for identity in records if identity not in known]
        written = await self._client.enqueue_many(
            self._request(records[identity], identity) for identity in fresh
        )
        new = {identity for identity, info in zip(fresh, written, strict=True) if info}
        for identity in records.keys() - new:
            logger.debug("ErrDuplicateTask: %s is there already", identity)
        ids = [record.task_id for record in records.values()]
        alive = await self._store.mark_queued(ids, name=NAME, token=token)
        stray = [identity for identity in new if records[identity].task_id not in alive]
        for identity in stray:
            await self._jobs.remove_one(records[identity].queue, identity)
        return replace(
            state,
            enqueued=state.enqueued + len(new) - len(stray),
            duplicates=state.duplicates + len(records) - len(new),
            finished=state.finished + len(stray),
            refused=state.refused + len(page) - len(records),
        )

    def _request(self, record: TaskRecord, identity: str) -> tuple[Task, Options]:
        options = options_of(record, identity)
        # A task that was just polled is not polled again before its moment.
        if record.next_poll_at is not None and record.next_poll_at > self._clock.now_ns() / NANOSECONDS:
            options["process_at"] = record.next_poll_at
        return self._make_task(record), options


def first_job(record: TaskRecord) -> str:
    """The ID of the job that a task is migrated as."""
    return job_id.build(record.task_id)


def _can_have_jobs(record: TaskRecord) -> bool:
    try:
        first_job(record)
    except InvalidArgumentError as exc:
        logger.warning("migrate: A task is left out", extra={"task_id": record.task_id, "error": str(exc)})
        return False
    return True


def _fields(state: Migrated) -> dict[str, int]:
    return {
        "total": state.total,
        "done": state.done,
        "enqueued": state.enqueued,
        "duplicates": state.duplicates,
        "finished": state.finished,
        "refused": state.refused,
    }


async def _release(lock: Lock) -> None:
    try:
        await lock.release()
    except AsynqError as exc:
        # It ends by itself.
        logger.warning("migrate: The lock is not released", extra={"error": str(exc)})
