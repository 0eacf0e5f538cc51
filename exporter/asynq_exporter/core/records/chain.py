"""Puts the next job of a task into its queue: a job is one poll, and enqueues the one after it."""

import json
import logging
from collections.abc import Callable

from redis.asyncio import Redis

from asynq_exporter.core import job_id
from asynq_exporter.core.client import Client, Options, Task
from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.core.errors import AlreadyExistsError
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.policies import retry
from asynq_exporter.core.records.jobs import Jobs
from asynq_exporter.core.records.models import TaskRecord
from asynq_exporter.core.records.store import RecordStore

logger = logging.getLogger(__name__)

#: Type of the job that polls a task.
TASK_TYPE = "task:poll"

MakeTask = Callable[[TaskRecord], Task]


def poll_task(record: TaskRecord) -> Task:
    """The job of a task: a payload that names it."""
    return Task(TASK_TYPE, json.dumps({"task_id": record.task_id}).encode())


def options_of(record: TaskRecord, identity: str) -> Options:
    """How a job of a task is put into its queue."""
    max_retry = retry.for_class(record.platform_class).max_retries
    return Options(task_id=identity, queue=record.queue, max_retry=max_retry)


class Chain:
    """Enqueues the jobs of tasks, one after the other."""

    def __init__(
        self,
        redis: Redis,
        store: RecordStore,
        clock: Clock | None = None,
        *,
        client: Client | None = None,
        make_task: MakeTask = poll_task,
    ) -> None:
        """Takes a Redis and the records.

        Args:
            redis: client with `decode_responses=False`.
            store: the records.
            clock: of the process.
            client: what enqueues, such as one with an admission.
            make_task: the job of a record.
        """
        self._store = store
        self._clock: Clock = clock or SystemClock()
        self._client = client or Client(redis, clock)
        self._make_task = make_task
        self._jobs = Jobs(redis, clock)

    async def enqueue_next(self, record: TaskRecord, *, in_seconds: float = 0.0) -> str | None:
        """Puts the next job of a task into its queue and returns its ID; None if the task is finished.

        Raises:
            BackpressureError: the client has an admission, and the queue is full.
            UnavailableError: Redis or the database does not answer.
        """
        attempt = await self._store.next_attempt(record.task_id)
        if attempt is None:
            return None
        return await self._enqueue(record, job_id.build(record.task_id, attempt), in_seconds)

    async def is_broken(self, record: TaskRecord) -> bool:
        """Whether a task has no job that will run, runs, or waits in the archive for people to look at.

        So it is when a process was killed between counting a job and enqueuing it, or Redis lost its data.
        Raises UnavailableError.
        """
        return not await self._jobs.is_parked_or_waiting(record)

    async def retry_dead_letter(self, record: TaskRecord) -> str | None:
        """Puts a job into its queue that is named after this second; else as `enqueue_next`."""
        now = self._clock.now_ns() // NANOSECONDS
        if not await self._store.add_dead_letter_retry(record.task_id, now):
            return None
        return await self._enqueue(record, job_id.build_dead_letter_retry(record.task_id, now), 0.0)

    async def _enqueue(self, record: TaskRecord, identity: str, in_seconds: float) -> str | None:
        options = options_of(record, identity)
        options["process_in_seconds"] = max(in_seconds, 0.0)
        try:
            await self._client.enqueue(self._make_task(record), **options)
        except AlreadyExistsError as exc:
            logger.debug("ErrDuplicateTask: %s is there already", identity, extra={"error": str(exc)})
        # A cancellation between the count and now has looked for jobs before this one was there.
        now = await self._store.get(record.task_id)
        if now is None or not now.is_finished:
            return identity
        await self._jobs.remove_one(record.queue, identity)
        return None
