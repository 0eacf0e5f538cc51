"""Lets tasks into their queues as long as there is room: backpressure (guide section 4.2).

    admission = Admission(redis)
    client = Client(redis, admission=admission)

Counting and creating are one script, so however many clients there are, none fills a queue beyond the size
from which on it refuses. All processes share the state that was last announced, in a small hash beside the
queue, so each change is logged by exactly one: the one whose task came upon it. That one announces before its
next task, so no state is skipped while the clients at work are fewer than the tasks between two thresholds.

Groups are counted one by one up to 32 of a queue; beyond, 32 of them by chance stand for all.
"""

import contextlib
import itertools
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from asynq_exporter.core import catalog, keys, messages
from asynq_exporter.core.broker.base import Operations, as_asynq_error, asynq_errors
from asynq_exporter.core.broker.tasks import BATCH_SIZE, NewTask
from asynq_exporter.core.catalog import BackpressureState, Catalog
from asynq_exporter.core.clock import Clock
from asynq_exporter.core.errors import (
    BackpressureError,
    DuplicateTaskError,
    InvalidArgumentError,
    TaskIdConflictError,
    UnavailableError,
)
from asynq_exporter.core.messages import NANOSECONDS, TaskMessage
from asynq_exporter.core.policies import backpressure
from asynq_exporter.core.policies.backpressure import Load
from asynq_exporter.core.scripts import Argument, Call
from asynq_exporter.core.states import TaskState

logger = logging.getLogger(__name__)

#: What is known of the whole system may be so old.
SYSTEM_NS = 1 * NANOSECONDS

#: Field of the hash that holds the state last announced.
STATE = "state"

#: Larger than every queue, and exact as a number of Lua.
_NO_LIMIT = 2**53

_WRITTEN = 1
_ID_TAKEN = 0
_LOCK_HELD = -1
_NO_ROOM = -2


class Admission(Operations):
    """Creates tasks where there is room; a queue that is not in the catalogue takes everything."""

    def __init__(
        self,
        redis: Redis,
        clock: Clock | None = None,
        *,
        queues: Catalog | None = None,
        whole_system: bool = False,
    ) -> None:
        """Creates the door.

        Args:
            redis: client with `decode_responses=False`.
            clock: of the process.
            queues: capacities and thresholds; those of the guide.
            whole_system: refuse every task while any queue is CRITICAL, as it was seen to be within the last
                second. Else a full queue refuses its own tasks alone.
        """
        super().__init__(redis, clock)
        self._catalog = queues or catalog.documented()
        self._whole_system = whole_system
        self._refused_from = {
            name: backpressure.refused_from(profile.capacity, self._catalog.backpressure)
            for name, profile in self._catalog.queues.items()
        }
        self._fullest: Load | None = None
        self._looked_ns = -SYSTEM_NS

    async def create(
        self, message: TaskMessage, *, process_at: int | None = None, lock_seconds: int | None = None
    ) -> None:
        """Creates a task: scheduled if it has a Unix second to run at, else in its group, else ready to run.

        Raises:
            BackpressureError: no room; tested before all else, and nothing was written.
            DuplicateTaskError: the uniqueness lock is held.
            TaskIdConflictError: the ID is taken.
            UnavailableError: Redis does not answer.
        """
        call = self._call(message, process_at, lock_seconds)
        await self._refuse_if_system_is_full()
        [(outcome, size, said)] = await self._run_all([call], [message.queue])
        await self._announce(message.queue, size, said)
        if outcome == _NO_ROOM:
            raise _refusal(self._load(message.queue, size))
        if outcome == _LOCK_HELD:
            raise DuplicateTaskError
        if outcome == _ID_TAKEN:
            raise TaskIdConflictError

    async def create_many(self, tasks: Iterable[NewTask]) -> list[bool]:
        """Whether each task was written, in order; False where its ID was taken.

        Raises:
            BackpressureError: a queue has no room for all of them. Nothing was written, unless others filled
                the queue between the first task and the last.
            UnavailableError: Redis does not answer; some may have been written.
        """
        await self._refuse_if_system_is_full()
        remaining = list(tasks)
        await self._refuse_if_too_many([task.message.queue for task in remaining])
        written: list[bool] = []
        batches = iter(remaining)
        while batch := list(itertools.islice(batches, BATCH_SIZE)):
            queues = [task.message.queue for task in batch]
            calls = [self._call(task.message, task.process_at, None) for task in batch]
            replies = await self._run_all(calls, queues)
            for queue, (_, size, said) in dict(zip(queues, replies, strict=True)).items():
                await self._announce(queue, size, said)
            for queue, (outcome, size, _) in zip(queues, replies, strict=True):
                if outcome == _NO_ROOM:
                    raise _refusal(self._load(queue, size))
                written.append(outcome == _WRITTEN)
        return written

    async def loads(self, queues: Sequence[str] | None = None) -> tuple[Load, ...]:
        """How full the queues of the catalogue are, or those named of them; raises UnavailableError."""
        wanted = self._catalog.queues if queues is None else queues
        names = [queue for queue in wanted if queue in self._catalog.queues]
        calls = [
            Call(script="queue_size", keys=_size_keys(queue), args=(keys.group_prefix(queue),))
            for queue in names
        ]
        with asynq_errors():
            sizes = await self._scripts.run_many(calls)
            return tuple(self._load(queue, _reply(size)) for queue, size in zip(names, sizes, strict=True))

    async def state(self) -> BackpressureState:
        """The state of the system: that of its fullest queue; raises UnavailableError."""
        full = backpressure.fullest(await self.loads())
        return self._catalog.backpressure.state(full.utilization if full else 0.0)

    def _call(self, message: TaskMessage, process_at: int | None, lock_seconds: int | None) -> Call:
        queue = message.queue
        state, at, group = TaskState.PENDING, self._now_ns(), ""
        if process_at is not None:
            state, at = TaskState.SCHEDULED, process_at
        elif message.group_key:
            state, at, group = TaskState.AGGREGATING, self._now_seconds(), message.group_key
        names = [*_size_keys(queue), keys.backpressure(queue), keys.task(queue, message.id)]
        args: list[Argument] = [
            keys.group_prefix(queue),
            self._refused_from.get(queue, _NO_LIMIT),
            messages.encode(message),
            message.id,
            state,
            at,
            group,
        ]
        if lock_seconds is not None:
            if not message.unique_key or lock_seconds < 1:
                raise InvalidArgumentError("a unique task names its lock, which lives 1 second or more")
            names.append(message.unique_key)
            args.append(lock_seconds)
        return Call(script="create_if_room", keys=names, args=args)

    async def _run_all(self, calls: Sequence[Call], queues: Iterable[str]) -> list[tuple[int, int, bytes]]:
        """Runs creating scripts: the outcome of each, the size before, the state last announced."""
        with asynq_errors():
            register = ("SADD", keys.QUEUES, *dict.fromkeys(queues))
            replies = await self._scripts.run_many(calls, before=[register])
        return [tuple(_reply(reply)) for reply in replies]

    async def _announce(self, queue: str, size: int, said: bytes) -> None:
        """Logs the state of a queue unless it is the one last announced; of all who try one does."""
        if queue not in self._catalog.queues:
            return
        load = self._load(queue, size)
        before = _decode(said)
        after = backpressure.announced(before, load.utilization, self._catalog.backpressure)
        if after is before:
            return
        value = "" if after is BackpressureState.NORMAL else after
        # The task is written, or refused, already; what is not announced now is announced with the next.
        with contextlib.suppress(UnavailableError):
            if await self._run("swap_field", (keys.backpressure(queue),), STATE, said, value, 0):
                # The keyword is the guide's (appendix A).
                logger.warning(
                    "[Backpressure] %s: %s -> %s (utilization=%.1f%%)",
                    queue,
                    before,
                    after,
                    load.utilization * 100,
                    extra={"queue": queue, "state": after.value, "size": size},
                )

    async def _refuse_if_system_is_full(self) -> None:
        if not self._whole_system:
            return
        now_ns = self._now_ns()
        if abs(now_ns - self._looked_ns) >= SYSTEM_NS:
            # First, so that of many who come at once only one looks.
            self._looked_ns = now_ns
            self._fullest = backpressure.fullest(await self.loads())
        full = self._fullest
        if full is not None and full.size >= self._refused_from[full.queue]:
            raise _refusal(full)

    async def _refuse_if_too_many(self, queues: Sequence[str]) -> None:
        for load in await self.loads(tuple(dict.fromkeys(queues))):
            if load.size + queues.count(load.queue) > self._refused_from[load.queue]:
                raise _refusal(load, tasks=queues.count(load.queue))

    def _load(self, queue: str, size: int) -> Load:
        return Load(queue=queue, size=size, capacity=self._catalog.queues[queue].capacity)


def _size_keys(queue: str) -> tuple[str, ...]:
    return (
        keys.pending(queue),
        keys.active(queue),
        keys.scheduled(queue),
        keys.retry(queue),
        keys.groups(queue),
    )


def _reply(reply: Any) -> Any:
    if isinstance(reply, RedisError):
        raise as_asynq_error(reply) from reply
    return reply


def _decode(said: bytes) -> BackpressureState:
    try:
        return BackpressureState(said.decode())
    except ValueError:
        return BackpressureState.NORMAL


def _refusal(load: Load, *, tasks: int = 1) -> BackpressureError:
    many = "no more tasks" if tasks == 1 else f"no {tasks} more tasks"
    return BackpressureError(
        f"queue {load.queue!r} takes {many} for now: "
        f"it holds {load.size}, {load.utilization:.1%} of its capacity",
        queue=load.queue,
        size=load.size,
        capacity=load.capacity,
    )
