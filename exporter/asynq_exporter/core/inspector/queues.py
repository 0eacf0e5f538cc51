"""Which queues there are, what they hold and did; pausing and deleting them (wire 4.2-4.4, 4.9, 4.10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asynq_exporter.core import keys, messages
from asynq_exporter.core.broker.queues import Queues as BrokerQueues
from asynq_exporter.core.clock import utc_day
from asynq_exporter.core.errors import FailedPreconditionError, QueueActiveError, QueueNotEmptyError
from asynq_exporter.core.inspector.base import (
    BATCH_SIZE,
    LIST_STATES,
    check_range,
    check_text,
    collection,
    whole_number,
)
from asynq_exporter.core.inspector.bulk import Bulk, Progress, Source
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.states import SIZE_STATES, TaskState

#: Groups that are counted one by one; the tasks of further ones are estimated.
MAX_GROUPS = 1_000

MAX_HISTORY_DAYS = 366

#: States whose tasks go with a queue deleted by force; completed and grouped ones stay.
_DELETED_WITH_QUEUE = (TaskState.PENDING, TaskState.SCHEDULED, TaskState.RETRY, TaskState.ARCHIVED)

#: How often a queue that keeps growing is emptied before its deletion is given up.
_DELETE_ROUNDS = 10

_GROWN = -1
_ACTIVE = -2

_DAY_SECONDS = 24 * 3600

#: States that have a collection of their own for the whole queue, in the order they are asked for.
_COUNTED = tuple(state for state in TaskState if state is not TaskState.AGGREGATING)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueInfo:
    """What a queue holds and has done."""

    queue: str
    #: State -> number of tasks; aggregating ones without those being aggregated right now.
    tasks: dict[TaskState, int]
    #: False where there are so many groups that the number of aggregating tasks is an estimate.
    aggregating_exact: bool
    groups: int
    #: Active tasks whose lease is over.
    orphaned: int
    #: Attempts of today (UTC), and of all time; failures are among the processed.
    processed_today: int
    failed_today: int
    processed_total: int
    failed_total: int
    #: Unix second; None when the queue is not paused.
    paused_since: int | None
    #: How long the next task to run has waited; 0 when nothing is pending, None when the task does not say.
    latency_seconds: float | None
    #: Unix seconds of this look.
    timestamp: float

    @property
    def paused(self) -> bool:
        """Whether the queue hands out no tasks."""
        return self.paused_since is not None

    @property
    def size(self) -> int:
        """Work to be done: neither archived nor completed tasks."""
        return sum(self.tasks[state] for state in SIZE_STATES)

    @property
    def stored(self) -> int:
        """All tasks; what asynq calls the size."""
        return sum(self.tasks.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The attempts of a UTC day, `YYYY-MM-DD`."""

    date: str
    processed: int
    failed: int


class Queues(Bulk):
    """Reads, pauses and deletes queues."""

    async def queues(self) -> list[str]:
        """Names of the registered queues, in order."""
        return sorted(map(messages.clean_text, await self._registered()))

    async def queue_info(self, queue: str) -> QueueInfo:
        """The numbers of a queue; all but those of its groups are of one moment.

        Raises QueueNotFoundError. Unlike asynq's, it costs the same whatever the queue holds, and memory is
        a question of its own.
        """
        await self._require_queue(queue)
        now_ns = self._now_ns()
        replies = await self._pipeline(_counts(queue, now_ns), atomic=True)
        sizes, [groups, orphaned, paused, tail, *counters] = (
            replies[: len(_COUNTED)],
            replies[len(_COUNTED) :],
        )
        aggregating, exact = await self._aggregating(queue, groups)
        return QueueInfo(
            queue=queue,
            tasks=dict(zip(_COUNTED, sizes, strict=True)) | {TaskState.AGGREGATING: aggregating},
            aggregating_exact=exact,
            groups=groups,
            orphaned=orphaned,
            processed_today=whole_number(counters[0]),
            failed_today=whole_number(counters[1]),
            processed_total=whole_number(counters[2]),
            failed_total=whole_number(counters[3]),
            paused_since=None if paused is None else whole_number(paused),
            latency_seconds=await self._latency(queue, tail, now_ns),
            timestamp=now_ns / NANOSECONDS,
        )

    async def history(self, queue: str, days: int) -> list[Day]:
        """The attempts of the last days, today first; asynq keeps 90.

        Raises:
            InvalidArgumentError: fewer than 1 day, or more than 366.
            QueueNotFoundError: the queue is not registered.
        """
        check_range(days, what="number of days", low=1, high=MAX_HISTORY_DAYS)
        await self._require_queue(queue)
        today = self._now_ns()
        dates = [utc_day(today - back * _DAY_SECONDS * NANOSECONDS) for back in range(days)]
        names = [name(queue, date) for date in dates for name in (keys.processed_on, keys.failed_on)]
        [found] = await self._pipeline([("MGET", *names)])
        values = [whole_number(value) for value in found]
        return [
            Day(date=date, processed=processed, failed=failed)
            for date, processed, failed in zip(dates, values[::2], values[1::2], strict=True)
        ]

    async def pause(self, queue: str) -> None:
        """Stops the queue from handing out tasks; FailedPreconditionError when it is paused.

        It need not be registered.
        """
        check_text(queue, what="queue name")
        await BrokerQueues(self._redis, self._clock).pause(queue)

    async def unpause(self, queue: str) -> None:
        """Lets the queue hand out tasks again; FailedPreconditionError when it is not paused."""
        check_text(queue, what="queue name")
        await BrokerQueues(self._redis, self._clock).unpause(queue)

    async def delete_queue(self, queue: str, *, force: bool = False, progress: Progress | None = None) -> int:
        """Deletes a queue that is empty, or by force one without active tasks; how many tasks that deleted.

        By force it deletes in batches first, where asynq blocks Redis with one script; a queue that turns
        out active meanwhile has lost those. As in asynq completed and grouped tasks are neither looked at
        nor deleted, and with the paused flag, the counters and all locks they wait for a queue of that
        name.

        Raises:
            QueueNotFoundError: the queue is not registered.
            QueueNotEmptyError: it holds tasks, without force.
            QueueActiveError: some of them are running.
        """
        await self._require_queue(queue)
        if not force:
            if await self._delete_collections(queue, limit=0) < 0:
                raise QueueNotEmptyError(f"queue {queue!r} is not empty")
            deleted = 0
        else:
            deleted = await self._delete_by_force(queue, progress)
        # In a cluster this key lies elsewhere.
        await self._pipeline([("SREM", keys.QUEUES, queue)])
        return deleted

    async def _delete_by_force(self, queue: str, progress: Progress | None) -> int:
        deleted = 0
        for _ in range(_DELETE_ROUNDS):
            [active] = await self._pipeline([("LLEN", keys.active(queue))])
            # Asked before anything is deleted, and by the last script once more.
            last = _ACTIVE if active else await self._delete_collections(queue, limit=BATCH_SIZE)
            if last == _ACTIVE:
                raise QueueActiveError(f"queue {queue!r} has active tasks; cancel them first")
            if last != _GROWN:
                return deleted + last
            for state in _DELETED_WITH_QUEUE:
                deleted += await self._delete_first(
                    Source.of(queue, state), limit=None, unlock=False, progress=progress
                )
        raise FailedPreconditionError(f"queue {queue!r} grows faster than it can be deleted")

    async def _delete_collections(self, queue: str, *, limit: int) -> int:
        deleted: int = await self._run(
            "delete_queue",
            (
                *(keys.pending(queue), keys.active(queue), keys.lease(queue)),
                *(keys.scheduled(queue), keys.retry(queue), keys.archived(queue)),
            ),
            *(keys.task_prefix(queue), limit),
        )
        return deleted

    async def _latency(self, queue: str, tail: bytes | None, now_ns: int) -> float | None:
        if tail is None:
            return 0.0
        [since] = await self._pipeline([("HGET", keys.task_prefix(queue).encode() + tail, "pending_since")])
        return None if since is None else (now_ns - whole_number(since)) / NANOSECONDS

    async def _aggregating(self, queue: str, groups: int) -> tuple[int, bool]:
        """Tasks in the groups; with very many groups the mean of some of them times their number."""
        # Of a smaller set all.
        [names] = await self._pipeline([("SRANDMEMBER", keys.groups(queue), MAX_GROUPS)])
        prefix = keys.group_prefix(queue).encode()
        sizes = await self._pipeline([("ZCARD", prefix + name) for name in names])
        if groups <= MAX_GROUPS:
            return sum(sizes), True
        return round(sum(sizes) / max(len(sizes), 1) * groups), False


def _counts(queue: str, now_ns: int) -> list[Sequence[Any]]:
    today = utc_day(now_ns)
    names = (keys.processed_on(queue, today), keys.failed_on(queue, today))
    return [
        *(_size(queue, state) for state in _COUNTED),
        ("SCARD", keys.groups(queue)),
        ("ZCOUNT", keys.lease(queue), "-inf", now_ns // NANOSECONDS),
        ("GET", keys.paused(queue)),
        ("LINDEX", keys.pending(queue), -1),
        *(("GET", name) for name in (*names, keys.processed(queue), keys.failed(queue))),
    ]


def _size(queue: str, state: TaskState) -> Sequence[Any]:
    return ("LLEN" if state in LIST_STATES else "ZCARD", collection(queue, state, ""))
