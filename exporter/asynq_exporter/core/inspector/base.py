"""What all inspections share: names that are checked, queues that exist, limits of what is read."""

from collections.abc import Sequence
from typing import Any

from asynq_exporter.core import keys
from asynq_exporter.core.broker.base import Operations, asynq_errors
from asynq_exporter.core.errors import InvalidArgumentError, QueueNotFoundError
from asynq_exporter.core.scripts import Argument
from asynq_exporter.core.states import TaskState

#: Tasks that one script call changes at most, so that it does not block Redis.
BATCH_SIZE = 100

#: Bytes of a payload or result that are shown unless the caller asks for another number.
PAYLOAD_LIMIT_BYTES = 16 * 1024

#: Bytes of an error or another text beside the payload that are shown of a message too long to be read whole.
TEXT_LIMIT_BYTES = 16 * 1024

#: A longer message is not looked into: even copying it inside Redis takes milliseconds.
MESSAGE_LIMIT_BYTES = 8 * 1024 * 1024

#: States whose tasks stand in lists, read from their tail; the others' stand in sorted sets.
LIST_STATES = frozenset({TaskState.PENDING, TaskState.ACTIVE})


class Inspection(Operations):
    """A client, a clock, the scripts, and the checks of wire section 4.1."""

    async def _require_queue(self, queue: str) -> None:
        check_text(queue, what="queue name")
        [known] = await self._pipeline([("SISMEMBER", keys.QUEUES, queue)])
        if not known:
            raise QueueNotFoundError(f"queue {queue!r} not found")

    async def _registered(self) -> list[bytes]:
        [names] = await self._pipeline([("SMEMBERS", keys.QUEUES)])
        return list(names)

    async def _pipeline(self, commands: Sequence[Sequence[Argument]], *, atomic: bool = False) -> list[Any]:
        """The replies of plain commands in one round trip; the first that fails is raised."""
        with asynq_errors():
            pipe = self._redis.pipeline(transaction=atomic)
            for command in commands:
                pipe.execute_command(*command)
            return await pipe.execute()


def check_text(text: str, *, what: str) -> None:
    """Raises InvalidArgumentError for a name that is blank or cannot be written as UTF-8."""
    if not text.strip():
        raise InvalidArgumentError(f"a {what} must not be blank")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise InvalidArgumentError(f"the {what} is not valid Unicode") from exc


def check_range(value: int, *, what: str, low: int, high: int) -> None:
    """Raises InvalidArgumentError for a number outside its range."""
    if not low <= value <= high:
        raise InvalidArgumentError(f"{what} must be {low} to {high}, not {value}")


def collection(queue: str, state: TaskState, group: str) -> str:
    """The key that holds the IDs of the tasks in a state; raises InvalidArgumentError."""
    if state is TaskState.AGGREGATING:
        check_text(group, what="group name")
        return keys.group(queue, group)
    if group:
        raise InvalidArgumentError(f"only aggregating tasks are listed by group, not {state} ones")
    return {
        TaskState.PENDING: keys.pending,
        TaskState.ACTIVE: keys.active,
        TaskState.SCHEDULED: keys.scheduled,
        TaskState.RETRY: keys.retry,
        TaskState.ARCHIVED: keys.archived,
        TaskState.COMPLETED: keys.completed,
    }[state](queue)


def whole_number(text: bytes | None) -> int:
    """A counter or a moment as it stands in Redis; 0 where there is none, or something else."""
    try:
        return int(text or 0)
    except ValueError:
        return 0
