"""What the rest needs of a place where task records are kept.

`SqlRecords` is ours. A company that has its tasks in a database of its own writes these methods over it,
or keeps our records and has refunds made by a signed message to its own service (`webhook`).

Each method is atomic, in itself and against all others, over all processes. Where a method says "if it is
not finished", the test and the change are one step. Methods raise UnavailableError while the database
does not answer.
"""

from collections.abc import Sequence
from typing import Protocol

from asynq_exporter.core.records.models import Settlement, Status, TaskRecord


class Refunds(Protocol):
    """Gives credits back, outside the records."""

    async def give_back(self, settlement: Settlement) -> None:
        """Gives the credits of a settlement back, once however often it is called with the same `key`.

        Raises:
            AsynqError: it is not certain that they were; called again later.
        """
        ...


class RecordStore(Protocol):
    """Task records, settlements, and who works on what."""

    @property
    def gives_refunds(self) -> bool:
        """Whether `fail` gives the credits back by itself; else a `Refunds` does."""
        ...

    async def get(self, task_id: str) -> TaskRecord | None:
        """The record of a task; None where there is none."""
        ...

    async def finish(self, task_id: str, status: Status, *, lease: TaskRecord | None = None) -> bool:
        """Marks a task SUCCESS or FAILURE if it is not finished, without a refund; whether it did.

        With a lease it does so only while that holds.
        """
        ...

    async def fail(self, task_id: str, reason: str, *, lease: TaskRecord | None = None) -> Settlement | None:
        """Marks a task failed if it is not finished and opens its settlement, both or none; None if not.

        Only one call ever gets the settlement of a task. With a lease it works only while that holds.
        """
        ...

    async def settlement(self, task_id: str) -> Settlement | None:
        """The settlement of a task, open or closed."""
        ...

    async def open_settlements(self, *, opened_before: float, after: str, limit: int) -> list[Settlement]:
        """Settlements with something left to do, by task ID, beginning behind one."""
        ...

    async def mark_refunded(self, task_id: str) -> None:
        """Notes that the credits of a settlement were given back."""
        ...

    async def close_settlement(self, task_id: str) -> None:
        """Notes that a settlement has nothing left to do."""
        ...

    async def claim(self, task_id: str, *, seconds: float) -> TaskRecord | None:
        """A lease on a task if it is not finished and nobody has one; None if not."""
        ...

    async def claim_due(self, *, limit: int, seconds: float) -> list[TaskRecord]:
        """Leases on tasks whose moment to be polled has come, the longest due first."""
        ...

    async def advance(
        self, lease: TaskRecord, *, status: Status, polls: int, after_seconds: float | None
    ) -> None:
        """Notes what a poll said and ends the lease; the next poll is so much later, None for never.

        Raises:
            LeaseLostError: the lease does not hold any more; nothing was written.
        """
        ...

    async def release(self, lease: TaskRecord) -> None:
        """Ends a lease with nothing noted; one that does not hold any more is left alone."""
        ...

    async def overdue(self, *, due_before: float, after: str, limit: int) -> list[TaskRecord]:
        """Tasks that nobody polled though they were due, and that nobody has a lease on, by task ID."""
        ...

    async def next_attempt(self, task_id: str) -> int | None:
        """Counts a job of a task if it is not finished, before the job is put into a queue; None if not."""
        ...

    async def add_dead_letter_retry(self, task_id: str, at_seconds: int) -> bool:
        """Notes a retry out of the dead letters, before its job is enqueued, if the task is not finished."""
        ...

    async def dead_letter_retries(self, task_ids: Sequence[str]) -> list[tuple[str, int]]:
        """Retries out of the dead letters: task ID and Unix second."""
        ...

    async def count_without_job(self) -> int:
        """Unfinished tasks that never had a job in a queue."""
        ...

    async def without_job(self, *, after: str, limit: int) -> list[TaskRecord]:
        """Those tasks by task ID, beginning behind one."""
        ...

    async def mark_queued(self, task_ids: Sequence[str], *, name: str, token: int) -> set[str]:
        """Notes that tasks have their first job, under a lock's fencing token; those that are not finished.

        Raises:
            LeaseLostError: a newer token was seen under that name; nothing was written.
        """
        ...

    async def fence(self, name: str) -> int:
        """The newest fencing token seen under a name; 0 for none."""
        ...
