"""Looks for tasks by type and error text, a bounded stretch at a time."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from asynq_exporter.core import keys, messages
from asynq_exporter.core.errors import CorruptMessageError, InvalidArgumentError
from asynq_exporter.core.inspector.base import LIST_STATES, PAYLOAD_LIMIT_BYTES, check_range, collection
from asynq_exporter.core.inspector.rows import PAGE_BYTES, WHOLE_BYTES, InspectedTask, Row, Rows, task_of
from asynq_exporter.core.inspector.tasks import MAX_PAGE_PAYLOAD_BYTES, MAX_PAGE_SIZE, PAGE_SIZE
from asynq_exporter.core.messages import NANOSECONDS, TaskMessage
from asynq_exporter.core.states import TaskState

#: Tasks that a call looks at, unless told otherwise, and at most.
BUDGET = 2_000
MAX_BUDGET = 20_000

#: Tasks that one script call reads.
STRETCH = 100

#: How many tasks may leave a list between two calls before some of those that stay are skipped.
REACH = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks to find; what is empty matches all."""

    #: The whole type, or its beginning with `*` at the end.
    type: str = ""
    #: A part of the latest error, in any case of letters.
    error: str = ""

    def matches(self, row: Row) -> bool:
        """Whether a task is meant; one that cannot be read is not, unless everything is."""
        if not self.type and not self.error:
            return True
        try:
            message = messages.decode_task(row.message or b"")
        except CorruptMessageError:
            return False
        return bool(row.message) and self._matches(message)

    def _matches(self, message: TaskMessage) -> bool:
        if self.type.endswith("*"):
            of_type = message.type.startswith(self.type[:-1])
        else:
            of_type = self.type in {"", message.type}
        return of_type and self.error.casefold() in message.error_msg.casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """What a call found."""

    tasks: list[InspectedTask]
    #: To be handed to the next call; None when the end is reached.
    cursor: str | None
    #: Tasks that this call looked at.
    scanned: int
    #: Tasks in the collection.
    total: int


@dataclass(frozen=True, slots=True)
class _Place:
    """Behind which task a search goes on."""

    offset: int = 0
    task_id: bytes = b""
    score: str = ""

    def token(self) -> str:
        text = json.dumps([self.offset, self.task_id.hex(), self.score], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode()


class Search(Rows):
    """Finds tasks."""

    async def search_tasks(
        self,
        queue: str,
        state: TaskState,
        wanted: TaskFilter,
        *,
        group: str = "",
        size: int = PAGE_SIZE,
        budget: int = BUDGET,
        cursor: str | None = None,
        payload_limit_bytes: int = PAYLOAD_LIMIT_BYTES,
    ) -> SearchPage:
        """Up to `size` tasks that match, among the next `budget` ones in the order of `list_tasks`.

        The cursor says which task was looked at last, so that tasks which come and go between two calls
        hide none that stays. In a list that holds while no more than 5,000 tasks leave it between two
        calls; after it some may also be seen twice.

        Raises:
            InvalidArgumentError: a number out of range, a cursor of something else.
            QueueNotFoundError: the queue is not registered.
        """
        check_range(size, what="page size", low=1, high=MAX_PAGE_SIZE)
        check_range(budget, what="search budget", low=1, high=MAX_BUDGET)
        check_range(payload_limit_bytes, what="payload limit", low=0, high=MAX_PAGE_PAYLOAD_BYTES)
        key = collection(queue, state, group)
        place = _place(cursor, is_list=state in LIST_STATES)
        await self._require_queue(queue)
        now = self._now_ns() / NANOSECONDS
        found: list[InspectedTask] = []
        scanned = 0
        while True:
            count = min(STRETCH, budget - scanned)
            total, rows, offset = await self._stretch(queue, state, key, place, count)
            read = await self._complete(queue, rows, limit_bytes=payload_limit_bytes)
            matching = [index for index, row in enumerate(read) if wanted.matches(row)]
            del matching[size - len(found) :]
            found += [
                task_of(queue, read[index], state, now=now, limit_bytes=payload_limit_bytes)
                for index in matching
            ]
            # A full page ends with its last task, so that the next one begins behind it.
            looked = matching[-1] + 1 if len(found) == size else len(rows)
            scanned += looked
            if offset + looked >= total:
                return SearchPage(tasks=found, cursor=None, scanned=scanned, total=total)
            place = _Place(offset + looked, rows[looked - 1][0], (rows[looked - 1][1] or b"").decode())
            if len(found) == size or scanned >= budget:
                return SearchPage(tasks=found, cursor=place.token(), scanned=scanned, total=total)

    async def _stretch(
        self, queue: str, state: TaskState, key: str, place: _Place, count: int
    ) -> tuple[int, list[list[Any]], int]:
        total, rows, offset = await self._run(
            "scan_tasks",
            (key, keys.lease(queue)),
            *(str(state), place.offset, count, keys.task_prefix(queue), WHOLE_BYTES, PAGE_BYTES),
            *(place.task_id, place.score, REACH),
        )
        return total, rows, offset


def _place(cursor: str | None, *, is_list: bool) -> _Place:
    if cursor is None:
        return _Place()
    try:
        offset, task_id, score = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
        # Through a float, so that Lua need not understand what Python does.
        place = _Place(int(offset), bytes.fromhex(task_id), "" if is_list else repr(float(score)))
    except (ValueError, TypeError, OverflowError, RecursionError) as exc:
        raise InvalidArgumentError("this is no cursor of a search") from exc
    if not 0 < place.offset < 2**53 or not place.task_id or place.score == "nan" or (is_list and score):
        raise InvalidArgumentError("this is no cursor of such a search")
    return place
