"""Rows of the reading scripts -> tasks as people look at them; long ones are read one by one, in part."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from redis.exceptions import RedisError

from asynq_exporter.core import keys, messages
from asynq_exporter.core.broker.base import as_asynq_error, asynq_errors
from asynq_exporter.core.errors import CorruptMessageError
from asynq_exporter.core.inspector.base import MESSAGE_LIMIT_BYTES, TEXT_LIMIT_BYTES, Inspection
from asynq_exporter.core.messages import NANOSECONDS, TaskInfo, TaskMessage
from asynq_exporter.core.scripts import Call
from asynq_exporter.core.states import TaskState

#: A message or result up to this length comes with its page.
WHOLE_BYTES = 16 * 1024

#: Bytes of messages and results in one reply of a page.
PAGE_BYTES = 512 * 1024

#: Long messages read in one round trip; each blocks Redis for its own length only.
LONG_AT_ONCE = 8


class Problem(StrEnum):
    """Why a task has no `info`."""

    #: Its ID stands in a collection, but there is no hash (wire trap 12).
    NO_HASH = "no_hash"
    #: The hash holds no message: a ghost (wire trap 12).
    NO_MESSAGE = "no_message"
    #: The message cannot be decoded.
    CORRUPT_MESSAGE = "corrupt_message"
    #: The message is too long to be looked into.
    TOO_LONG = "too_long"
    #: The state in the hash is no word of asynq, or missing.
    UNKNOWN_STATE = "unknown_state"


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedTask:
    """A task found in Redis, sound or not; moments are Unix seconds."""

    #: As in the collection or as asked for, whatever the message says.
    id: str
    queue: str
    #: That of the collection the task was listed in, else the one in its hash; None for an unknown word.
    state: TaskState | None
    #: The word in the hash; empty without one. It differs from `state` where the data contradict themselves.
    state_text: str
    #: The message, its payload and result cut to the limit; None where `problem` says why.
    info: TaskInfo | None
    problem: Problem | None
    message_bytes: int
    #: True length of the payload; None when it is not known.
    payload_bytes: int | None
    #: True length of the result.
    result_bytes: int
    #: Score in the set of the state: when it is due, was archived, expires, joined its group.
    score: float | None
    #: Since when it is pending; may be missing, or stale (wire trap 8).
    pending_since: float | None
    #: When the lease of an active task ends; without one nobody will recover it (wire trap 13).
    lease_expires_at: float | None
    #: Active, and its lease is over.
    orphaned: bool

    @property
    def payload_cut(self) -> bool:
        """Whether `info` holds a part of the payload only."""
        return self.info is not None and len(self.info.payload) != self.payload_bytes

    @property
    def result_cut(self) -> bool:
        """Whether `info` holds a part of the result only."""
        return self.info is not None and len(self.info.result) != self.result_bytes


@dataclass(slots=True)
class Row:
    """A row of _rows.lua, and what read_task.lua puts behind it."""

    id: bytes
    score: bytes | None
    state: bytes | None
    pending_since: bytes | None
    lease: bytes | None
    message_bytes: int
    result_bytes: int
    message: bytes | None
    result: bytes | None
    exists: int
    payload: bytes | None = None
    payload_bytes: int | None = None

    @property
    def is_long(self) -> bool:
        """Whether it did not fit into its page."""
        return (self.message is None and self.message_bytes > 0) or (
            self.result is None and self.result_bytes > 0
        )


class Rows(Inspection):
    """Completes rows and turns them into tasks."""

    async def _tasks(
        self, queue: str, state: TaskState, rows: Sequence[Sequence[Any]], *, limit_bytes: int
    ) -> list[InspectedTask]:
        now = self._now_ns() / NANOSECONDS
        found = await self._complete(queue, rows, limit_bytes=limit_bytes)
        return [task_of(queue, row, state, now=now, limit_bytes=limit_bytes) for row in found]

    async def _complete(self, queue: str, rows: Sequence[Sequence[Any]], *, limit_bytes: int) -> list[Row]:
        """Rows of a page, with the long ones read in part."""
        found = [Row(*row) for row in rows]
        long = [index for index, row in enumerate(found) if row.is_long]
        async for index, row in self._read_long(queue, found, long, limit_bytes):
            # It may be in another state by now: the place in which the page found it holds.
            found[index] = replace(row, score=found[index].score)
        return found

    async def _task(self, queue: str, task_id: str, *, limit_bytes: int) -> InspectedTask | None:
        call = _read(queue, task_id.encode(), limit_bytes)
        row = Row(*await self._run(call.script, call.keys, *call.args))
        if not row.exists:
            return None
        return task_of(queue, row, None, now=self._now_ns() / NANOSECONDS, limit_bytes=limit_bytes)

    async def _read_long(
        self, queue: str, rows: Sequence[Row], long: Sequence[int], limit_bytes: int
    ) -> AsyncIterator[tuple[int, Row]]:
        for start in range(0, len(long), LONG_AT_ONCE):
            some = long[start : start + LONG_AT_ONCE]
            with asynq_errors():
                replies = await self._scripts.run_many(
                    [_read(queue, rows[index].id, limit_bytes) for index in some]
                )
            for index, reply in zip(some, replies, strict=True):
                if isinstance(reply, RedisError):
                    raise as_asynq_error(reply) from reply
                yield index, Row(*reply)


def task_of(
    queue: str, row: Row, listed_in: TaskState | None, *, now: float, limit_bytes: int
) -> InspectedTask:
    """The task of a row; `listed_in` is None when its hash alone says the state."""
    state = listed_in or known_state(row.state)
    score = None if row.score is None else float(row.score)
    lease = None if row.lease is None else float(row.lease)
    message, problem = _message(row, state)
    info, payload_bytes = None, None
    if message is not None and state is not None:
        payload_bytes = len(message.payload) if row.payload_bytes is None else row.payload_bytes
        _show(message, queue, row, limit_bytes)
        info = TaskInfo.of(
            message,
            state,
            next_process_at=_next_process_at(state, now, score),
            result=(row.result or b"")[:limit_bytes],
        )
    return InspectedTask(
        id=messages.clean_text(row.id),
        queue=queue,
        state=state,
        state_text=messages.clean_text(row.state or b""),
        info=info,
        problem=problem,
        message_bytes=row.message_bytes,
        payload_bytes=payload_bytes,
        result_bytes=row.result_bytes,
        score=score,
        pending_since=_nanoseconds(row.pending_since),
        lease_expires_at=lease,
        orphaned=lease is not None and lease <= now,
    )


def known_state(word: bytes | None) -> TaskState | None:
    """The state of a hash; None for a word that asynq does not know."""
    try:
        return TaskState((word or b"").decode("ascii", "replace"))
    except ValueError:
        return None


def _read(queue: str, task_id: bytes, limit_bytes: int) -> Call:
    sets = (keys.scheduled(queue), keys.retry(queue), keys.archived(queue), keys.completed(queue))
    limits = (limit_bytes, MESSAGE_LIMIT_BYTES, TEXT_LIMIT_BYTES)
    return Call(
        script="read_task",
        keys=(keys.lease(queue), *sets),
        args=(task_id, keys.task_prefix(queue), *limits, keys.group_prefix(queue)),
    )


def _message(row: Row, state: TaskState | None) -> tuple[TaskMessage | None, Problem | None]:
    if problem := _problem(row, state):
        return None, problem
    try:
        return messages.decode_task(row.message or b""), None
    except CorruptMessageError:
        return None, Problem.CORRUPT_MESSAGE


def _show(message: TaskMessage, queue: str, row: Row, limit_bytes: int) -> None:
    """Makes a message say what is to be seen: the ID and queue it is found by, a part of its payload."""
    message.id, message.queue = messages.clean_text(row.id), queue
    if row.payload is not None:
        message.payload = row.payload
    elif len(message.payload) > limit_bytes:
        message.payload = message.payload[:limit_bytes]


def _next_process_at(state: TaskState, now: float, score: float | None) -> float | None:
    if state is TaskState.PENDING:
        return now
    return score if state in {TaskState.SCHEDULED, TaskState.RETRY} else None


def _problem(row: Row, state: TaskState | None) -> Problem | None:
    if not row.exists:
        return Problem.NO_HASH
    if state is None:
        return Problem.UNKNOWN_STATE
    if row.message_bytes == 0:
        return Problem.NO_MESSAGE
    if row.payload_bytes == -1:
        return Problem.CORRUPT_MESSAGE
    return Problem.TOO_LONG if row.message is None else None


def _nanoseconds(text: bytes | None) -> float | None:
    try:
        return None if text is None else int(text) / NANOSECONDS
    except ValueError:
        return None
