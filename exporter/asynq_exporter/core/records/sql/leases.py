"""Who works on a record: a lease that ends by itself, with a number that fences off who had it before."""

from typing import Any

from sqlalchemy import Update, and_, or_, select, update

from asynq_exporter.core.records.errors import LeaseLostError
from asynq_exporter.core.records.models import Status, TaskRecord
from asynq_exporter.core.records.sql.base import Condition, Queries, held_by, record_of, unfinished
from asynq_exporter.core.records.tables import task_records


class Leases(Queries):
    """Leases on records."""

    async def claim(self, task_id: str, *, seconds: float) -> TaskRecord | None:
        """A lease on a task if it is not finished and nobody has one; None if not."""
        take = self._take(seconds).where(unfinished(task_id), self._is_free())
        async with self._database.write() as connection:
            row = (await connection.execute(take)).mappings().first()
        return record_of(row) if row else None

    async def claim_due(self, *, limit: int, seconds: float) -> list[TaskRecord]:
        """Leases on tasks whose moment to be polled has come, the longest due first."""
        is_due = and_(unfinished(), task_records.c.next_poll_at <= self._now(), self._is_free())
        # In PostgreSQL, what others are just taking is left to them; SQLite lets one write at a time.
        chosen = (
            select(task_records.c.task_id)
            .where(is_due)
            .order_by(task_records.c.next_poll_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
            # On its own, or PostgreSQL may choose anew for each row and take more than the limit.
            .cte("chosen")
        )
        take = self._take(seconds).where(task_records.c.task_id.in_(select(chosen.c.task_id)), is_due)
        async with self._database.write() as connection:
            rows = (await connection.execute(take)).mappings().all()
        return sorted((record_of(row) for row in rows), key=lambda record: record.next_poll_at or 0.0)

    async def advance(
        self, lease: TaskRecord, *, status: Status, polls: int, after_seconds: float | None
    ) -> None:
        """Notes what a poll said and ends the lease; raises LeaseLostError."""
        now = self._now()
        due = None if after_seconds is None else now + after_seconds
        values = {"status": status, "polls": polls, "next_poll_at": due, "updated_at": now}
        if not await self._end(lease, values):
            raise LeaseLostError(f"the lease on task {lease.task_id!r} does not hold any more")

    async def release(self, lease: TaskRecord) -> None:
        """Ends a lease with nothing noted; one that does not hold any more is left alone."""
        await self._end(lease, {})

    async def overdue(self, *, due_before: float, after: str, limit: int) -> list[TaskRecord]:
        """Tasks that nobody polled though they were due, and that nobody has a lease on, by task ID."""
        query = (
            select(task_records)
            .where(
                unfinished(),
                task_records.c.next_poll_at <= due_before,
                self._is_free(),
                task_records.c.task_id > after,
            )
            .order_by(task_records.c.task_id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return [record_of(row) for row in rows.mappings()]

    def _take(self, seconds: float) -> Any:
        number = task_records.c.lease_number + 1
        values = {"lease_until": self._now() + seconds, "lease_number": number}
        return update(task_records).values(values).returning(*task_records.columns)

    def _is_free(self) -> Condition:
        until = task_records.c.lease_until
        return or_(until.is_(None), until <= self._now())

    async def _end(self, lease: TaskRecord, values: dict[str, Any]) -> bool:
        change: Update = update(task_records).where(unfinished(lease.task_id), held_by(lease))
        async with self._database.write() as connection:
            done = await connection.execute(change.values(lease_until=None, **values))
        return done.rowcount == 1
