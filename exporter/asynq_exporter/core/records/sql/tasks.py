"""Creates records, reads them, and marks them finished."""

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.records.errors import RecordExistsError
from asynq_exporter.core.records.models import (
    NO_ATTEMPT,
    EntryKind,
    NewRecord,
    Status,
    TaskRecord,
    first_poll_seconds,
)
from asynq_exporter.core.records.sql.base import Queries, held_by, record_of, unfinished
from asynq_exporter.core.records.tables import task_records

MAX_PAGE_SIZE = 1000


class Tasks(Queries):
    """The records."""

    async def create(self, record: NewRecord) -> None:
        """Writes a record and charges its credits to the user, both or none.

        Raises:
            InvalidArgumentError: it can never be a record.
            RecordExistsError: there is one of that task ID.
            DatabaseError: the database does not answer.
        """
        record.check()
        values = self._values(record)
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(task_records).values(values))
                if self._keeps_ledger and record.credits:
                    await self._append(
                        connection,
                        user_id=record.user_id,
                        kind=EntryKind.CHARGE,
                        reference=record.task_id,
                        amount=-record.credits,
                    )
        except IntegrityError as exc:
            raise RecordExistsError(f"there is a record of task {record.task_id!r}") from exc

    async def get(self, task_id: str) -> TaskRecord | None:
        """The record of a task; None where there is none."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(task_records).where(task_records.c.task_id == task_id))
            row = rows.mappings().first()
        return record_of(row) if row else None

    async def list_records(
        self,
        *,
        user_id: int | None = None,
        status: Status | None = None,
        after: str = "",
        limit: int = MAX_PAGE_SIZE,
    ) -> list[TaskRecord]:
        """Records by task ID, beginning behind one; raises InvalidArgumentError for a limit out of range."""
        if not 1 <= limit <= MAX_PAGE_SIZE:
            raise InvalidArgumentError(f"a limit is 1 to {MAX_PAGE_SIZE}, not {limit}")
        query = select(task_records).where(task_records.c.task_id > after)
        if user_id is not None:
            query = query.where(task_records.c.user_id == user_id)
        if status is not None:
            query = query.where(task_records.c.status == status)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(task_records.c.task_id).limit(limit))
            return [record_of(row) for row in rows.mappings()]

    async def finish(self, task_id: str, status: Status, *, lease: TaskRecord | None = None) -> bool:
        """Marks a task SUCCESS or FAILURE if it is not finished, without a refund; whether it did."""
        if not status.is_finished:
            raise InvalidArgumentError(f"a task does not finish as {status!r}")
        now = self._now()
        change = (
            update(task_records)
            .where(unfinished(task_id), held_by(lease))
            .values(status=status, finished_at=now, updated_at=now, next_poll_at=None, lease_until=None)
        )
        async with self._database.write() as connection:
            done = await connection.execute(change)
        return done.rowcount == 1

    def _values(self, record: NewRecord) -> dict[str, object]:
        now = self._now()
        timeout = record.timeout_seconds or record.platform_class.timeout_seconds
        is_finished = record.status.is_finished
        return {
            "task_id": record.task_id,
            "user_id": record.user_id,
            "credits": record.credits,
            "platform_class": record.platform_class,
            "status": record.status,
            "reason": "",
            "timeout_seconds": timeout,
            "queue": record.queue,
            "attempt": NO_ATTEMPT,
            "created_at": now,
            "updated_at": now,
            "finished_at": now if is_finished else None,
            "polls": 0,
            "next_poll_at": None if is_finished else now + first_poll_seconds(record),
            "lease_until": None,
            "lease_number": 0,
        }
