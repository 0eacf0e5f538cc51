"""Changes all tasks of a state, in batches that do not block Redis (wire section 4.8)."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Self

from asynq_exporter.core import keys
from asynq_exporter.core.broker.attempts import ARCHIVE_AGE_SECONDS, ARCHIVE_SIZE
from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.inspector.base import BATCH_SIZE, LIST_STATES, Inspection, collection
from asynq_exporter.core.states import TaskState

#: States that each operation takes its tasks from.
RUNNABLE = frozenset({TaskState.SCHEDULED, TaskState.RETRY, TaskState.ARCHIVED, TaskState.AGGREGATING})
ARCHIVABLE = frozenset({TaskState.PENDING, TaskState.SCHEDULED, TaskState.RETRY, TaskState.AGGREGATING})
DELETABLE = frozenset(TaskState) - {TaskState.ACTIVE}

#: States whose tasks give up their locks when all are deleted; in asynq the others keep them.
UNLOCKED = frozenset({TaskState.SCHEDULED, TaskState.RETRY, TaskState.ARCHIVED, TaskState.COMPLETED})

#: Called after each batch with the number of tasks done so far and the number there is to do.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """What became of the tasks of a state."""

    #: Tasks run, archived or deleted.
    done: int
    #: Tasks that the archive lost to its size and age, some perhaps among those just archived.
    trimmed: int
    #: Tasks in the state afterwards: beyond the limit, or come meanwhile.
    remaining: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the tasks of a bulk operation come from."""

    queue: str
    key: str
    #: Empty for none.
    group: str
    is_list: bool

    @classmethod
    def of(cls, queue: str, state: TaskState, group: str = "") -> Self:
        """The collection of a state; raises InvalidArgumentError."""
        key = collection(queue, state, group)
        return cls(queue=queue, key=key, group=group, is_list=state in LIST_STATES)


class Bulk(Inspection):
    """Changes all tasks of a state.

    asynq does it in one script, which blocks Redis while it runs. Here it is many of up to 100 tasks, with
    the same end result on a queue at rest; while others work on the queue, each batch is atomic and the
    whole is not. As many tasks are touched as there are at the beginning, or `limit`, so that a queue that
    keeps growing ends it too. An ID without a hash is dropped, not moved on as a ghost (wire trap 12).

    Every method raises InvalidArgumentError for a state it is not made for, and QueueNotFoundError.
    """

    async def run_all(
        self,
        queue: str,
        state: TaskState,
        *,
        group: str = "",
        limit: int | None = None,
        progress: Progress | None = None,
    ) -> BulkResult:
        """Makes all scheduled, retry or archived tasks, or those of a group, ready to run, earliest first.

        A task that fails again meanwhile is not run twice: the IDs that were run are remembered, some 100
        bytes each.
        """
        source = await self._source(queue, state, group, RUNNABLE, "run")
        total = await self._total(source, limit)
        done = taken = 0
        async for ids in self._first_of(source, total):
            done += await self._run(
                "run_many",
                (source.key, keys.pending(queue), keys.groups(queue)),
                keys.task_prefix(queue),
                group,
                *ids,
            )
            taken += len(ids)
            if progress:
                progress(taken, total)
        return BulkResult(done=done, trimmed=0, remaining=await self._total(source, None))

    async def archive_all(
        self,
        queue: str,
        state: TaskState,
        *,
        group: str = "",
        limit: int | None = None,
        progress: Progress | None = None,
    ) -> BulkResult:
        """Archives all pending, scheduled or retry tasks, or those of a group.

        The archive keeps 9,999 tasks: of more, those with the lowest IDs are gone afterwards, hashes and all.
        """
        source = await self._source(queue, state, group, ARCHIVABLE, "archived")
        total = await self._total(source, limit)
        # One moment for all, or those of the first batch would be the first to be trimmed.
        now = self._now_seconds()
        cutoff = now - ARCHIVE_AGE_SECONDS
        taken = done = trimmed = 0
        while taken < total:
            count, archived, lost = await self._run(
                "archive_many",
                (source.key, keys.archived(queue), keys.groups(queue)),
                *(keys.task_prefix(queue), group, min(BATCH_SIZE, total - taken), now, cutoff, ARCHIVE_SIZE),
            )
            if not count:
                break
            taken, done, trimmed = taken + count, done + archived, trimmed + lost
            if progress:
                progress(taken, total)
        trimmed += await self._trim(queue, cutoff)
        return BulkResult(done=done, trimmed=trimmed, remaining=await self._total(source, None))

    async def delete_all(
        self,
        queue: str,
        state: TaskState,
        *,
        group: str = "",
        limit: int | None = None,
        progress: Progress | None = None,
    ) -> BulkResult:
        """Deletes all tasks of a state other than active.

        Scheduled, retry, archived and completed tasks free their locks; pending and aggregating ones do
        not, as in asynq.
        """
        source = await self._source(queue, state, group, DELETABLE, "deleted")
        done = await self._delete_first(source, limit=limit, unlock=state in UNLOCKED, progress=progress)
        return BulkResult(done=done, trimmed=0, remaining=await self._total(source, None))

    async def _source(
        self, queue: str, state: TaskState, group: str, allowed: frozenset[TaskState], done: str
    ) -> Source:
        if state not in allowed:
            raise InvalidArgumentError(f"{state} tasks cannot all be {done}")
        source = Source.of(queue, state, group)
        await self._require_queue(queue)
        return source

    async def _total(self, source: Source, limit: int | None) -> int:
        if limit is not None and limit < 1:
            raise InvalidArgumentError(f"a limit is 1 or more, not {limit}")
        [size] = await self._pipeline([("LLEN" if source.is_list else "ZCARD", source.key)])
        return int(size) if limit is None else min(size, limit)

    async def _first_of(self, source: Source, total: int) -> AsyncIterator[list[bytes]]:
        """IDs of a sorted set in batches, the lowest first, each once though it may come back."""
        seen: set[bytes] = set()
        skip, found = 0, False
        while len(seen) < total:
            count = min(BATCH_SIZE, total - len(seen))
            [ids] = await self._pipeline([("ZRANGE", source.key, skip, skip + count - 1)])
            fresh = [task_id for task_id in ids if task_id not in seen]
            # Those that came back stand before what is left.
            skip += len(ids) - len(fresh)
            if fresh:
                found = True
                seen.update(fresh)
                yield fresh
            elif not ids and not found:
                return
            elif not ids:
                # Some of those that came back may have left again, and others stand in their ranks.
                skip, found = 0, False

    async def _delete_first(
        self, source: Source, *, limit: int | None, unlock: bool, progress: Progress | None
    ) -> int:
        total = await self._total(source, limit)
        done = 0
        while done < total:
            count = await self._run(
                "delete_many",
                (source.key, keys.groups(source.queue)),
                *(keys.task_prefix(source.queue), source.group, min(BATCH_SIZE, total - done), int(unlock)),
            )
            if not count:
                break
            done += count
            if progress:
                progress(done, total)
        return done

    async def _trim(self, queue: str, cutoff: int) -> int:
        trimmed = 0
        while count := await self._run(
            "trim_archive",
            (keys.archived(queue),),
            *(keys.task_prefix(queue), cutoff, ARCHIVE_SIZE, BATCH_SIZE),
        ):
            trimmed += int(count)
        return trimmed
