"""The jobs of tasks in Redis: which there are, and removing them.

How they are found: by their IDs, which can be told (guide section 1.5). `job:{taskID}:{n}` runs from 0 to
the number that the record counts, and that is counted before the job is put into a queue; at least to
120, the retries of the guide, for who does not count. `job:{taskID}:retry:{ts}` stands in the database,
again before it is put into a queue. One EXISTS an ID and queue, in a few round trips, whatever number of
tasks the queues hold.

What others put there without a word cannot be told. In a Redis of up to 100,000 keys all are walked
through, so nothing is missed; in a larger one such a job stays. It does no harm: a job whose record is
finished is dropped when it runs (`handler`).
"""

import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, cast

from redis.asyncio import Redis

from asynq_exporter.core import job_id, keys, messages
from asynq_exporter.core.broker.base import Operations, asynq_errors
from asynq_exporter.core.clock import Clock
from asynq_exporter.core.cluster import masters
from asynq_exporter.core.errors import (
    AsynqError,
    InvalidArgumentError,
    NotFoundError,
    TaskActiveError,
    UnavailableError,
)
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.core.policies import retry
from asynq_exporter.core.states import TaskState

logger = logging.getLogger(__name__)

#: Jobs that a task may have had beyond what its record counts.
UNCOUNTED_ATTEMPTS = max(policy.max_retries for policy in retry.documented().values())

#: Keys of a Redis in which all are walked through; some 100 round trips.
WALK_KEYS = 100_000

#: Commands in one round trip, and keys that one SCAN looks at.
AT_ONCE = 1000


class HasJobs(Protocol):
    """What has jobs: a record, or a settlement."""

    @property
    def task_id(self) -> str:
        """ID of the task."""
        ...

    @property
    def queue(self) -> str:
        """Queue of its jobs."""
        ...

    @property
    def attempt(self) -> int:
        """Number of its latest job."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job that is in Redis."""

    task_id: str
    queue: str
    id: str


class Fate(StrEnum):
    """What became of a job that was to be removed."""

    DELETED = "deleted"
    #: A worker runs it, and was asked to stop.
    SIGNALLED = "signalled"
    #: It is where nothing can be done about it now.
    LEFT = "left"
    #: It was gone already.
    GONE = "gone"


class Jobs(Operations):
    """The jobs of tasks; everything raises UnavailableError."""

    def __init__(self, redis: Redis, clock: Clock | None = None, *, walk_keys: int = WALK_KEYS) -> None:
        """Takes a Redis.

        Args:
            redis: client with `decode_responses=False`.
            clock: of the process.
            walk_keys: number of keys up to which all are walked through for jobs; 0 never does.
        """
        super().__init__(redis, clock)
        self._inspector = Inspector(redis, clock)
        self._walk_keys = walk_keys

    async def find(self, tasks: Sequence[HasJobs], *, retries: Sequence[tuple[str, int]] = ()) -> list[Job]:
        """The jobs of some tasks, in whatever queue and state.

        `retries` are those out of the dead letters: task ID and Unix second.
        """
        if not tasks:
            return []
        queues = await self._queues({task.queue for task in tasks})
        owners = {identity: task.task_id for task in tasks for identity in _attempts(task)}
        owners |= {job_id.build_dead_letter_retry(task_id, at): task_id for task_id, at in retries}
        places = [(queue, identity) for identity in owners for queue in queues]
        found = {
            (queue, identity): Job(task_id=owners[identity], queue=queue, id=identity)
            for queue, identity in await self._existing(places)
        }
        async for job in self._walk({task.task_id for task in tasks}, queues):
            found.setdefault((job.queue, job.id), job)
        return list(found.values())

    async def remove(
        self, tasks: Sequence[HasJobs], *, retries: Sequence[tuple[str, int]] = ()
    ) -> dict[str, list[Fate]]:
        """Deletes the jobs of some tasks, and asks workers to stop those that run; the fates by task ID.

        A job that was asked to stop comes back to be retried, so what is not gone is to be removed again.
        """
        fates: dict[str, list[Fate]] = {task.task_id: [] for task in tasks}
        for job in await self.find(tasks, retries=retries):
            fates[job.task_id].append(await self.remove_one(job.queue, job.id))
        return fates

    async def remove_one(self, queue: str, identity: str) -> Fate:
        """Deletes a job, or asks the worker that runs it to stop."""
        try:
            await self._inspector.delete_task(queue, identity)
        except NotFoundError:
            return Fate.GONE
        except TaskActiveError:
            await self._inspector.cancel(identity)
            return Fate.SIGNALLED
        except UnavailableError:
            raise
        except AsynqError as exc:
            why = {"queue": queue, "job": identity, "error": str(exc)}
            logger.warning("A job cannot be removed now", extra=why)
            return Fate.LEFT
        return Fate.DELETED

    async def existing(self, ids: Sequence[str]) -> set[str]:
        """Those of some job IDs that are in any queue, in whatever state."""
        queues = await self._queues(set())
        places = [(queue, identity) for identity in ids for queue in queues]
        return {identity for _, identity in await self._existing(places)}

    async def is_parked_or_waiting(self, task: HasJobs) -> bool:
        """Whether the latest job of a task will run, runs, or waits in the archive for people to look at."""
        if task.attempt < 0:
            return False
        identity = job_id.build(task.task_id, task.attempt)
        queues = await self._queues({task.queue})
        states = await self._pipeline([("HGET", keys.task(queue, identity), "state") for queue in queues])
        return any(state not in {None, TaskState.COMPLETED.encode()} for state in states)

    async def _queues(self, others: set[str]) -> list[str]:
        [names] = await self._pipeline([("SMEMBERS", keys.QUEUES)])
        # A name that is no UTF-8 is none of asynq's.
        known = {name for name in map(messages.clean_text, names) if "\ufffd" not in name}
        return sorted(known | others)

    async def _existing(self, places: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for start in range(0, len(places), AT_ONCE):
            some = places[start : start + AT_ONCE]
            replies = await self._pipeline([("EXISTS", keys.task(*place)) for place in some])
            found += [place for place, exists in zip(some, replies, strict=True) if exists]
        return found

    async def _walk(self, task_ids: set[str], queues: Sequence[str]) -> AsyncIterator[Job]:
        """Jobs found by looking at all keys, in a Redis that has few enough."""
        with asynq_errors():
            nodes = await masters(self._redis)
            if sum([await node.dbsize() for node in nodes]) > self._walk_keys:
                return
        name = _escape(next(iter(task_ids))) if len(task_ids) == 1 else "*"
        pattern = keys.task("*", f"job:{name}:*")
        for node in nodes:
            cursor = 0
            while True:
                with asynq_errors():
                    reply = await node.scan(cursor, match=pattern, count=AT_ONCE)
                cursor, names = cast("tuple[int, list[bytes]]", reply)
                for key in map(messages.clean_text, names):
                    if job := _job_of(key, task_ids, queues):
                        yield job
                if not cursor:
                    break

    async def _pipeline(self, commands: Sequence[Sequence[str]]) -> list[Any]:
        with asynq_errors():
            pipe = self._redis.pipeline(transaction=False)
            for command in commands:
                pipe.execute_command(*command)
            return await pipe.execute()


def _attempts(task: HasJobs) -> Iterator[str]:
    for attempt in range(max(task.attempt, UNCOUNTED_ATTEMPTS) + 1):
        yield job_id.build(task.task_id, attempt)


def _job_of(key: str, task_ids: set[str], queues: Sequence[str]) -> Job | None:
    """The job that a key holds, if it is one of those tasks."""
    for queue in queues:
        prefix = keys.task_prefix(queue)
        if not key.startswith(prefix):
            continue
        identity = key.removeprefix(prefix)
        try:
            task_id = job_id.parse(identity).job
        except InvalidArgumentError:
            continue
        if task_id in task_ids:
            return Job(task_id=task_id, queue=queue, id=identity)
    return None


def _escape(text: str) -> str:
    """A text that matches itself in a pattern of Redis."""
    return "".join(f"\\{c}" if c in "*?[]\\^-" else c for c in text)
