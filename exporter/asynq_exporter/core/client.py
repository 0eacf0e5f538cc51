"""Puts tasks into queues, with all of asynq's options (wire section 6)."""

import logging
import math
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict, Unpack

from redis.asyncio import Redis

from asynq_exporter.core import keys, messages
from asynq_exporter.core.admission import Admission
from asynq_exporter.core.broker import Broker, NewTask
from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.core.errors import DuplicateTaskError, InvalidArgumentError
from asynq_exporter.core.messages import NANOSECONDS, TaskInfo, TaskMessage
from asynq_exporter.core.scripts.lanes import gathering
from asynq_exporter.core.states import TaskState

logger = logging.getLogger(__name__)

DEFAULT_QUEUE = "default"
DEFAULT_MAX_RETRY = 25

#: Limit of an attempt where neither timeout nor deadline is given.
DEFAULT_TIMEOUT_SECONDS = 1800

#: Whole numbers of a message fit 64 bits; what is larger is a mistake in the unit.
_MAX_SECONDS = 2**63 // NANOSECONDS


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done: a type that a handler listens to, bytes for it, and headers beside them.

    A payload of None and an empty one are the same to a handler, but not to a uniqueness lock (wire 6.4).
    """

    type: str
    payload: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Options(TypedDict, total=False):
    """How a task is to be run; every option may be left out."""

    #: Name of the queue, kept as it is; `default`.
    queue: str
    #: Retries before the task is archived; 25, and a negative number is 0.
    max_retry: int
    #: ID of the task, one of its kind in the queue; a random UUID.
    task_id: str
    #: Limit of one attempt, whole seconds; 1800 if there is no deadline either.
    timeout_seconds: float
    #: Unix second after which the task is no longer worth doing; 0 is none.
    deadline: float
    #: How long no task of the same type and payload may enter the queue; 1 or more, whole seconds.
    unique_seconds: float
    #: Unix second before which the task does not run; the past is at once.
    process_at: float
    #: The same, counted from now.
    process_in_seconds: float
    #: How long the task is kept after success, whole seconds; 0 deletes it at once.
    retention_seconds: float
    #: Group in which the task waits to be aggregated; without effect on a task that runs later.
    group: str
    #: Headers over those of the task.
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A task with everything decided about it."""

    message: TaskMessage
    state: TaskState
    #: None runs at once.
    process_at_ns: int | None
    #: None is not unique.
    lock_seconds: int | None
    next_process_at: float | None

    @property
    def process_at(self) -> int | None:
        """Unix second at which to run, without its fraction as in asynq."""
        return None if self.process_at_ns is None else self.process_at_ns // NANOSECONDS

    def info(self) -> TaskInfo:
        """What the caller is told."""
        return TaskInfo.of(self.message, self.state, next_process_at=self.next_process_at)


class Client:
    """Enqueues tasks for the workers of this Redis, ours and Go's; with an admission, where there is room."""

    def __init__(
        self, redis: Redis, clock: Clock | None = None, *, admission: Admission | None = None
    ) -> None:
        self._clock: Clock = clock or SystemClock()
        self._broker = Broker(redis, self._clock, scripts=gathering(redis))
        self._admission = admission

    async def enqueue(self, task: Task, **options: Unpack[Options]) -> TaskInfo:
        """Writes a task: scheduled if it runs later, else into its group if it has one, else ready to run.

        Raises:
            InvalidArgumentError: the task or an option can never work; Redis was not asked.
            BackpressureError: the queue is too full; tested before all else, and only by an admission.
            DuplicateTaskError: a task of the same type and payload holds the uniqueness lock; tested first.
            TaskIdConflictError: the ID is taken by a task in whatever state, completed and archived included.
            UnavailableError: Redis does not answer.
        """
        plan = self._plan(task, options)
        fields = {"queue": plan.message.queue, "task_id": plan.message.id, "type": plan.message.type}
        try:
            await self._write(plan)
        except DuplicateTaskError:
            # Nothing is wrong: what is to be done is going to be done (guide appendix A).
            logger.info("[Asynq] ErrDuplicateTask: the task is there already", extra=fields)
            raise
        logger.info("[Asynq] Task enqueued", extra={**fields, "state": plan.state.value})
        return plan.info()

    async def enqueue_many(self, requests: Iterable[tuple[Task, Options]]) -> list[TaskInfo | None]:
        """Writes many tasks in few round trips; for each what was written, or None where its ID was taken.

        Neither unique tasks nor groups, as in asynq's batch. All are checked before the first is written.

        Raises:
            InvalidArgumentError: a task or an option can never work; nothing was written.
            BackpressureError: an admission has no room for all; nothing was written unless others filled it.
            UnavailableError: Redis does not answer; some may have been written.
        """
        plans = []
        for task, options in requests:
            if "unique_seconds" in options or "group" in options:
                raise InvalidArgumentError("a batch takes neither unique tasks nor groups")
            plans.append(self._plan(task, options))
        tasks = [NewTask(message=plan.message, process_at=plan.process_at) for plan in plans]
        if self._admission is not None:
            written = await self._admission.create_many(tasks)
        else:
            written = await self._broker.enqueue_many(tasks)
        # One line: a thousand of them would take longer than the writing.
        logger.info("[Asynq] Task enqueued", extra={"tasks": sum(written), "of": len(written)})
        return [plan.info() if done else None for plan, done in zip(plans, written, strict=True)]

    async def _write(self, plan: _Plan) -> None:
        message, at, lock_seconds = plan.message, plan.process_at, plan.lock_seconds
        if self._admission is not None:
            await self._admission.create(message, process_at=at, lock_seconds=lock_seconds)
        elif at is not None:
            if lock_seconds is None:
                await self._broker.schedule(message, process_at=at)
            else:
                await self._broker.schedule_unique(message, process_at=at, ttl_seconds=lock_seconds)
        elif message.group_key:
            if lock_seconds is None:
                await self._broker.add_to_group(message)
            else:
                await self._broker.add_to_group_unique(message, ttl_seconds=lock_seconds)
        elif lock_seconds is None:
            await self._broker.enqueue(message)
        else:
            await self._broker.enqueue_unique(message, ttl_seconds=lock_seconds)

    def _plan(self, task: Task, options: Options) -> _Plan:
        now_ns = self._clock.now_ns()
        queue = _not_blank("queue", options.get("queue", DEFAULT_QUEUE))
        type_ = _not_blank("type", task.type)
        group = _not_blank("group", options["group"]) if "group" in options else ""
        task_id = _not_blank("task_id", options["task_id"]) if "task_id" in options else str(uuid.uuid4())
        timeout, deadline = _limits(options)
        unique_seconds = _unique_seconds(options)
        process_at_ns = _process_at_ns(options, now_ns)
        message = messages.make_task(
            type_,
            task_id=task_id,
            queue=queue,
            payload=task.payload or b"",
            max_retry=max(options.get("max_retry", DEFAULT_MAX_RETRY), 0),
            timeout_seconds=timeout,
            deadline=deadline,
            unique_key="" if unique_seconds is None else keys.unique(queue, type_, task.payload),
            retention_seconds=int(_seconds("retention_seconds", options.get("retention_seconds", 0))),
            group=group,
            headers={**task.headers, **options.get("headers", {})},
        )
        lock_seconds = None
        if unique_seconds is not None:
            # The lock of a task that runs later counts from then.
            waits_ns = 0 if process_at_ns is None else process_at_ns - now_ns
            lock_seconds = (waits_ns + round(unique_seconds * NANOSECONDS)) // NANOSECONDS
        state, next_ns = _outcome(process_at_ns, group, now_ns)
        return _Plan(
            message=message,
            state=state,
            process_at_ns=process_at_ns,
            lock_seconds=lock_seconds,
            next_process_at=None if next_ns is None else next_ns / NANOSECONDS,
        )


def _outcome(process_at_ns: int | None, group: str, now_ns: int) -> tuple[TaskState, int | None]:
    if process_at_ns is not None:
        return TaskState.SCHEDULED, process_at_ns
    if group:
        return TaskState.AGGREGATING, None
    return TaskState.PENDING, now_ns


def _limits(options: Options) -> tuple[int, int]:
    timeout = _seconds("timeout_seconds", options.get("timeout_seconds", 0))
    deadline = _seconds("deadline", options.get("deadline", 0))
    # Compared before the fraction goes: a timeout of half a second is 0 and not the default, as in asynq.
    if timeout == 0 and int(deadline) == 0:
        timeout = DEFAULT_TIMEOUT_SECONDS
    return int(timeout), int(deadline)


def _unique_seconds(options: Options) -> float | None:
    if "unique_seconds" not in options:
        return None
    seconds = _seconds("unique_seconds", options["unique_seconds"])
    if seconds < 1:
        raise InvalidArgumentError(f"unique_seconds is 1 or more, not {seconds:g}")
    return seconds


def _process_at_ns(options: Options, now_ns: int) -> int | None:
    if "process_at" in options and "process_in_seconds" in options:
        raise InvalidArgumentError("give process_at or process_in_seconds, not both")
    if "process_at" in options:
        at_ns = _nanoseconds("process_at", options["process_at"])
    else:
        at_ns = now_ns + _nanoseconds("process_in_seconds", options.get("process_in_seconds", 0))
    return at_ns if at_ns > now_ns else None


def _not_blank(what: str, text: str) -> str:
    if not text.strip():
        raise InvalidArgumentError(f"{what} is blank")
    return text


def _seconds(what: str, value: float) -> float:
    if not 0 <= value <= _MAX_SECONDS:
        raise InvalidArgumentError(f"{what} is a number of seconds, 0 or more, not {value!r}")
    return value


def _nanoseconds(what: str, value: float) -> int:
    # The past is allowed, and means now.
    if not math.isfinite(value) or abs(value) > _MAX_SECONDS:
        raise InvalidArgumentError(f"{what} is a number of seconds, not {value!r}")
    # The whole seconds apart: their product with 10^9 does not fit a float's 53 bits.
    fraction, whole = math.modf(value)
    return int(whole) * NANOSECONDS + round(fraction * NANOSECONDS)
