"""Marks tasks failed with a refund: the settlement is written in the same transaction as the mark."""

from sqlalchemy import select, update

from asynq_exporter.core.records.models import EntryKind, Settlement, Status, TaskRecord, clean_reason
from asynq_exporter.core.records.sql.base import Queries, held_by, settlement_of, unfinished
from asynq_exporter.core.records.tables import settlements, task_records


class Settlements(Queries):
    """The settlements; there is one for each task that failed with a refund."""

    @property
    def gives_refunds(self) -> bool:
        """Whether `fail` gives the credits back by itself."""
        return self._keeps_ledger

    async def fail(self, task_id: str, reason: str, *, lease: TaskRecord | None = None) -> Settlement | None:
        """Marks a task failed if it is not finished, opens its settlement and refunds it; None if not.

        All three are one transaction, and the first takes the row, so of many calls one gets the settlement.
        """
        now, text = self._now(), clean_reason(reason)
        mark = (
            update(task_records)
            .where(unfinished(task_id), held_by(lease))
            .values(
                status=Status.FAILURE,
                reason=text,
                finished_at=now,
                updated_at=now,
                next_poll_at=None,
                lease_until=None,
            )
            .returning(
                task_records.c.user_id, task_records.c.credits, task_records.c.queue, task_records.c.attempt
            )
        )
        async with self._database.write() as connection:
            row = (await connection.execute(mark)).mappings().first()
            if row is None:
                return None
            refunds = self._keeps_ledger and row["credits"] > 0
            if refunds:
                await self._append(
                    connection,
                    user_id=row["user_id"],
                    kind=EntryKind.REFUND,
                    reference=task_id,
                    amount=row["credits"],
                )
            opened = Settlement(
                task_id=task_id,
                reason=text,
                opened_at=now,
                refunded_at=now if refunds else None,
                closed_at=None,
                **row,
            )
            open_it = self._database.insert(settlements).values(_values(opened)).on_conflict_do_nothing()
            # Somebody has opened a failed record again: it was settled before.
            if not (await connection.execute(open_it)).rowcount:
                return None
        return opened

    async def settlement(self, task_id: str) -> Settlement | None:
        """The settlement of a task, open or closed."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(settlements).where(settlements.c.task_id == task_id))
            row = rows.mappings().first()
        return settlement_of(row) if row else None

    async def open_settlements(self, *, opened_before: float, after: str, limit: int) -> list[Settlement]:
        """Settlements with something left to do, by task ID, beginning behind one."""
        query = (
            select(settlements)
            .where(
                settlements.c.closed_at.is_(None),
                settlements.c.opened_at <= opened_before,
                settlements.c.task_id > after,
            )
            .order_by(settlements.c.task_id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return [settlement_of(row) for row in rows.mappings()]

    async def mark_refunded(self, task_id: str) -> None:
        """Notes that the credits of a settlement were given back."""
        await self._note(task_id, "refunded_at")

    async def close_settlement(self, task_id: str) -> None:
        """Notes that a settlement has nothing left to do."""
        await self._note(task_id, "closed_at")

    async def _note(self, task_id: str, column: str) -> None:
        moment = settlements.c[column]
        note = update(settlements).where(settlements.c.task_id == task_id, moment.is_(None))
        async with self._database.write() as connection:
            await connection.execute(note.values({column: self._now()}))


def _values(settlement: Settlement) -> dict[str, object]:
    return {column.name: getattr(settlement, column.name) for column in settlements.columns}
