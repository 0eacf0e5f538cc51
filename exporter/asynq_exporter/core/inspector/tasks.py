"""Reads tasks: pages of each state, one task, a task by its ID alone (wire sections 4.5 and 4.6)."""

from dataclasses import dataclass

from asynq_exporter.core import keys, messages
from asynq_exporter.core.errors import TaskNotFoundError
from asynq_exporter.core.inspector.base import (
    MESSAGE_LIMIT_BYTES,
    PAYLOAD_LIMIT_BYTES,
    check_range,
    check_text,
    collection,
)
from asynq_exporter.core.inspector.rows import PAGE_BYTES, WHOLE_BYTES, InspectedTask, Rows
from asynq_exporter.core.states import TaskState

PAGE_SIZE = 30
MAX_PAGE_SIZE = 200

#: Beyond any collection; the product with a page size is a whole number in Lua's doubles.
MAX_PAGE = 10**9

#: Limit of payload and result in a page; together with its size it bounds what a page takes in memory.
MAX_PAGE_PAYLOAD_BYTES = 64 * 1024

#: Queues that a search by ID asks in one round trip.
QUEUES_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """A page of the tasks in one state."""

    tasks: list[InspectedTask]
    page: int
    size: int
    #: Tasks in that state, at the moment the page was read.
    total: int


class Tasks(Rows):
    """Reads tasks.

    Unlike asynq's Inspector, a page shows tasks that cannot be read, as such.
    """

    async def list_tasks(
        self,
        queue: str,
        state: TaskState,
        *,
        group: str = "",
        page: int = 1,
        size: int = PAGE_SIZE,
        payload_limit_bytes: int = PAYLOAD_LIMIT_BYTES,
    ) -> TaskPage:
        """A page of the tasks in a state; aggregating ones of one group.

        First comes what runs next (pending), has run longest (active), is due earliest (scheduled, retry),
        was archived first, expires first (completed), or has waited longest (aggregating); equal times go
        by ID. The page is read at one moment, in time that does not depend on where it lies: a sorted set
        is entered by rank and a list by skipping whole nodes of some 200 IDs, from its nearer end on Redis
        7.

        Raises:
            InvalidArgumentError: a page or size out of range, a blank name, a group where none belongs.
            QueueNotFoundError: the queue is not registered.
        """
        check_range(page, what="page", low=1, high=MAX_PAGE)
        check_range(size, what="page size", low=1, high=MAX_PAGE_SIZE)
        check_range(payload_limit_bytes, what="payload limit", low=0, high=MAX_PAGE_PAYLOAD_BYTES)
        key = collection(queue, state, group)
        await self._require_queue(queue)
        total, rows = await self._run(
            "list_tasks",
            (key, keys.lease(queue)),
            *(str(state), size * (page - 1), size, keys.task_prefix(queue), WHOLE_BYTES, PAGE_BYTES),
        )
        tasks = await self._tasks(queue, state, rows, limit_bytes=payload_limit_bytes)
        return TaskPage(tasks=tasks, page=page, size=size, total=total)

    async def get_task(
        self, queue: str, task_id: str, *, payload_limit_bytes: int = PAYLOAD_LIMIT_BYTES
    ) -> InspectedTask:
        """One task, in whatever state; also one that cannot be read.

        Raises:
            InvalidArgumentError: a blank name or ID, a limit out of range.
            QueueNotFoundError: the queue is not registered.
            TaskNotFoundError: no hash of that ID in the queue.
        """
        check_text(task_id, what="task ID")
        check_range(payload_limit_bytes, what="payload limit", low=0, high=MESSAGE_LIMIT_BYTES)
        await self._require_queue(queue)
        task = await self._task(queue, task_id, limit_bytes=payload_limit_bytes)
        if task is None:
            raise TaskNotFoundError(f"task {task_id!r} not found in queue {queue!r}")
        return task

    async def find_task(
        self, task_id: str, *, payload_limit_bytes: int = PAYLOAD_LIMIT_BYTES
    ) -> list[InspectedTask]:
        """The tasks of an ID in all registered queues; IDs are unique per queue only (wire trap 24).

        One EXISTS a queue, whatever number of tasks these hold.

        Raises:
            InvalidArgumentError: a blank ID, a limit out of range.
        """
        check_text(task_id, what="task ID")
        check_range(payload_limit_bytes, what="payload limit", low=0, high=MESSAGE_LIMIT_BYTES)
        return [
            task
            for queue in await self._queues_with(task_id)
            if (task := await self._task(queue, task_id, limit_bytes=payload_limit_bytes))
        ]

    async def _queues_with(self, task_id: str) -> list[str]:
        # A name that is no UTF-8 is none of asynq's.
        names = map(messages.clean_text, await self._registered())
        queues = sorted(name for name in names if "\ufffd" not in name)
        holders: list[str] = []
        for start in range(0, len(queues), QUEUES_AT_ONCE):
            some = queues[start : start + QUEUES_AT_ONCE]
            replies = await self._pipeline([("EXISTS", keys.task(queue, task_id)) for queue in some])
            holders += [queue for queue, exists in zip(some, replies, strict=True) if exists]
        return holders
