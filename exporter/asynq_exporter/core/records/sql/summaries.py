"""The records in numbers, for who watches them: read from indexes alone, or from the few that are open."""

from collections import Counter

from sqlalchemy import Double, Executable, and_, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from asynq_exporter.core.records.models import Status, Summary
from asynq_exporter.core.records.sql.base import Queries, unfinished
from asynq_exporter.core.records.tables import settlements, task_records


class Summaries(Queries):
    """Numbers of all records together."""

    async def summary(self) -> Summary:
        """The numbers of one moment; raises DatabaseError."""
        async with self._database.read() as connection:
            counts = await self._counts(connection)
            oldest = select(func.min(task_records.c.created_at)).where(unfinished())
            made = (await connection.execute(_refunds_made())).one()
            left = (await connection.execute(_left_to_do())).one()
            return Summary(
                counts=counts,
                oldest_unfinished_at=(await connection.execute(oldest)).scalar_one(),
                refunds=made.number,
                refunded_credits=made.credits,
                refunds_due=left.due,
                open_settlements=left.number,
                oldest_open_at=left.oldest,
            )

    async def _counts(self, connection: AsyncConnection) -> Counter[Status]:
        query = select(task_records.c.status, func.count()).group_by(task_records.c.status)
        counts = Counter(dict.fromkeys(Status, 0))
        for status, number in await connection.execute(query):
            counts[Status.of(status)] += number
        return counts


def _refunds_made() -> Executable:
    # Sums of whole numbers may be too large for SQLite, which then answers nothing.
    given = func.coalesce(func.sum(cast(settlements.c.credits, Double)), 0.0).label("credits")
    return select(func.count().label("number"), given).where(settlements.c.refunded_at.is_not(None))


def _left_to_do() -> Executable:
    is_due = and_(settlements.c.credits > 0, settlements.c.refunded_at.is_(None))
    return select(
        func.count().label("number"),
        func.count().filter(is_due).label("due"),
        func.min(settlements.c.opened_at).label("oldest"),
    ).where(settlements.c.closed_at.is_(None))
