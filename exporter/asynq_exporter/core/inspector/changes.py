"""Changes one task, or up to a hundred by their IDs (wire sections 4.7 and 3.26)."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from asynq_exporter.core import keys, messages
from asynq_exporter.core.broker.attempts import ARCHIVE_AGE_SECONDS, ARCHIVE_SIZE
from asynq_exporter.core.errors import (
    AlreadyArchivedError,
    AlreadyPendingError,
    AsynqError,
    CorruptMessageError,
    InternalError,
    InvalidArgumentError,
    NotScheduledError,
    TaskActiveError,
    TaskMisplacedError,
    TaskNotActiveError,
    TaskNotFoundError,
    UnavailableError,
    UnknownStateError,
    WrongStateError,
)
from asynq_exporter.core.inspector.base import BATCH_SIZE, Inspection, check_text
from asynq_exporter.core.inspector.rows import known_state
from asynq_exporter.core.scripts import Argument
from asynq_exporter.core.states import Operation, TaskState

#: IDs that a batch may have.
MAX_BATCH_IDS = 100

#: Operation -> states that forbid it, with the error of each; wire section 4.7.
REFUSALS: Mapping[Operation, Mapping[TaskState, tuple[type[WrongStateError], str]]] = MappingProxyType(
    {
        Operation.RUN: {
            TaskState.ACTIVE: (TaskActiveError, "is running already"),
            TaskState.PENDING: (AlreadyPendingError, "is pending already"),
        },
        Operation.ARCHIVE: {
            TaskState.ACTIVE: (TaskActiveError, "is running: cancel it instead"),
            TaskState.ARCHIVED: (AlreadyArchivedError, "is archived already"),
        },
        Operation.DELETE: {TaskState.ACTIVE: (TaskActiveError, "is running: cancel it instead")},
        Operation.CANCEL: {
            state: (TaskNotActiveError, f"is {state}, not running")
            for state in TaskState
            if state is not TaskState.ACTIVE
        },
    }
)

#: Does an operation, or says whether it could be done: operation, queue, task ID, only in this state.
_Change = Callable[[Operation, str, str, TaskState | None], Awaitable[TaskState]]

_DONE = 1
_NO_TASK = 0
_REFUSED = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a batch did to one task, or would do."""

    task_id: str
    #: State before; None of a task that is not there or in no state that asynq knows.
    state: TaskState | None
    #: Why not; None when it was done, or would be.
    error: AsynqError | None


class Changes(Inspection):
    """Changes tasks.

    Every method raises InvalidArgumentError for a blank name or ID, QueueNotFoundError, TaskNotFoundError,
    and for a state that forbids it the WrongStateError that says why. Those that take `only_in` refuse any
    other state too, atomically.

    A pending task can only be taken out of its list by a search, which keeps Redis some 2 ms for each 100,000
    tasks between it and the end nearer to it: up to 10 ms among a million, half of what asynq's Inspector
    takes. The end is guessed from its age.
    """

    async def run_task(self, queue: str, task_id: str, *, only_in: TaskState | None = None) -> TaskState:
        """Makes a task ready to run, behind all others that wait; returns the state before.

        A kept success runs again. The count of retries and the latest error stay.
        """
        await self._require(queue, task_id)
        return await self._do(Operation.RUN, queue, task_id, only_in)

    async def archive_task(self, queue: str, task_id: str, *, only_in: TaskState | None = None) -> TaskState:
        """Puts a task into the archive and trims that; returns the state before.

        Trimmed tasks lose their hashes too, where asynq's Inspector leaves these behind for good. No lock
        is freed and nothing is counted.
        """
        await self._require(queue, task_id)
        return await self._do(Operation.ARCHIVE, queue, task_id, only_in)

    async def delete_task(self, queue: str, task_id: str, *, only_in: TaskState | None = None) -> TaskState:
        """Deletes a task and frees the lock it holds; returns the state before.

        The lock of a task that was added to a group stays, as in asynq (wire section 3.6).
        """
        await self._require(queue, task_id)
        return await self._do(Operation.DELETE, queue, task_id, only_in)

    async def update_payload(self, queue: str, task_id: str, payload: bytes) -> None:
        """Replaces the payload of a scheduled task; its lock keeps the name that came from the old one.

        Raises:
            NotScheduledError: the task is in another state.
            CorruptMessageError: its message cannot be read.
        """
        await self._require(queue, task_id)
        [data] = await self._pipeline([("HGET", keys.task(queue, task_id), "msg")])
        if data is None:
            state = await self._state(queue, task_id)
            raise CorruptMessageError(f"task {task_id!r} is {state or 'in no state'} and has no message")
        message = messages.decode_task(data)
        message.payload = payload
        code, word = await self._run("update_payload", (keys.task(queue, task_id),), messages.encode(message))
        if code == _NO_TASK:
            raise _not_found(queue, task_id)
        if code == _REFUSED:
            state = messages.clean_text(word)
            raise NotScheduledError(f"task {task_id!r} is {state}, not scheduled", state=state)

    async def cancel(self, task_id: str) -> int:
        """Asks every server to cancel a task of this ID in whatever queue, as asynq does; how many listen.

        Nobody tells whether one ran it.
        """
        check_text(task_id, what="task ID")
        [listeners] = await self._pipeline([("PUBLISH", keys.CANCEL_CHANNEL, task_id)])
        return int(listeners)

    async def cancel_task(self, queue: str, task_id: str) -> int:
        """Asks every server to cancel a task that is active; how many listen.

        Servers know the ID alone, so a task of the same ID in another queue is cancelled too (wire trap 24).
        """
        await self._require(queue, task_id)
        await self._check(Operation.CANCEL, queue, task_id, None)
        return await self.cancel(task_id)

    async def batch(
        self,
        operation: Operation,
        queue: str,
        task_ids: Iterable[str],
        *,
        only_in: TaskState | None = None,
        dry_run: bool = False,
    ) -> list[Outcome]:
        """Does the same to up to 100 tasks; one outcome for each ID, in order, repeated ones once.

        Not a transaction: each is done or refused by itself, in any state but `only_in` too. A dry run
        changes nothing and says what the states allow.

        Raises:
            InvalidArgumentError: no ID, more than 100, or a blank one.
            QueueNotFoundError: the queue is not registered.
            UnavailableError: Redis went away; some may be done.
        """
        ids = list(dict.fromkeys(task_ids))
        if not 1 <= len(ids) <= MAX_BATCH_IDS:
            raise InvalidArgumentError(f"a batch has 1 to {MAX_BATCH_IDS} task IDs, not {len(ids)}")
        for task_id in ids:
            check_text(task_id, what="task ID")
        await self._require_queue(queue)
        # One by one: a pipeline would keep Redis from serving others between two searches of a long list.
        change = self._check if dry_run else self._do
        return [await self._outcome(change, operation, queue, task_id, only_in) for task_id in ids]

    async def _outcome(
        self, change: _Change, operation: Operation, queue: str, task_id: str, only_in: TaskState | None
    ) -> Outcome:
        try:
            state = await change(operation, queue, task_id, only_in)
        except UnavailableError:
            raise
        except AsynqError as exc:
            word = exc.state if isinstance(exc, WrongStateError) else ""
            return Outcome(task_id=task_id, state=known_state(word.encode()), error=exc)
        return Outcome(task_id=task_id, state=state, error=None)

    async def _do(
        self, operation: Operation, queue: str, task_id: str, only_in: TaskState | None
    ) -> TaskState:
        match operation:
            case Operation.ARCHIVE:
                return await self._archive(queue, task_id, only_in)
            case Operation.CANCEL:
                state = await self._check(operation, queue, task_id, only_in)
                await self.cancel(task_id)
            case Operation.RUN | Operation.DELETE:
                state, _ = await self._change(operation, queue, task_id, only_in)
        return state

    async def _archive(self, queue: str, task_id: str, only_in: TaskState | None) -> TaskState:
        now = self._now_seconds()
        limits = (now - ARCHIVE_AGE_SECONDS, ARCHIVE_SIZE, BATCH_SIZE)
        state, trimmed = await self._change(Operation.ARCHIVE, queue, task_id, only_in, now, *limits)
        while trimmed >= BATCH_SIZE:
            trimmed = await self._run(
                "trim_archive", (keys.archived(queue),), keys.task_prefix(queue), *limits
            )
        return state

    async def _change(
        self,
        operation: Operation,
        queue: str,
        task_id: str,
        only_in: TaskState | None,
        *args: Argument,
    ) -> tuple[TaskState, int]:
        """The state before, and the number that the script puts behind it."""
        reply = await self._run(
            f"{operation}_task",
            (
                *(keys.task(queue, task_id), keys.pending(queue), keys.scheduled(queue)),
                *(keys.retry(queue), keys.archived(queue), keys.completed(queue), keys.groups(queue)),
            ),
            *(task_id, keys.task_prefix(queue), keys.group_prefix(queue), only_in or ""),
            *args,
        )
        code, word = reply[0], reply[1]
        if code == _DONE:
            return TaskState(word.decode()), sum(reply[2:])
        if code == _NO_TASK:
            raise _not_found(queue, task_id)
        text = messages.clean_text(word)
        if code == _REFUSED:
            raise _refusal(operation, task_id, text, only_in) or InternalError("refused without a reason")
        where = " (is its group being aggregated?)" if text == TaskState.AGGREGATING else ""
        raise TaskMisplacedError(f"task {task_id!r} is {text}, but not found there{where}", state=text)

    async def _check(
        self, operation: Operation, queue: str, task_id: str, only_in: TaskState | None
    ) -> TaskState:
        """The state of a task that allows an operation."""
        word = await self._state(queue, task_id)
        if error := _refusal(operation, task_id, word, only_in):
            raise error
        return TaskState(word)

    async def _state(self, queue: str, task_id: str) -> str:
        key = keys.task(queue, task_id)
        exists, word = await self._pipeline([("EXISTS", key), ("HGET", key, "state")], atomic=True)
        if not exists:
            raise _not_found(queue, task_id)
        return messages.clean_text(word or b"")

    async def _require(self, queue: str, task_id: str) -> None:
        check_text(task_id, what="task ID")
        await self._require_queue(queue)


def _refusal(
    operation: Operation, task_id: str, word: str, only_in: TaskState | None
) -> WrongStateError | None:
    """Why a state forbids an operation; None when it does not."""
    state = known_state(word.encode())
    if state is None:
        return UnknownStateError(f"task {task_id!r} is in the unknown state {word!r}", state=word)
    if only_in is not None and state is not only_in:
        return WrongStateError(f"task {task_id!r} is {state}, not {only_in}", state=word)
    if state not in REFUSALS[operation]:
        return None
    kind, reason = REFUSALS[operation][state]
    return kind(f"task {task_id!r} {reason}", state=word)


def _not_found(queue: str, task_id: str) -> TaskNotFoundError:
    return TaskNotFoundError(f"task {task_id!r} not found in queue {queue!r}")
