"""The ledger: entries that are only ever added, and balances as their sums."""

from sqlalchemy import func, select

from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.records.models import MAX_NUMBER, EntryKind, LedgerEntry, check_text
from asynq_exporter.core.records.sql.base import Queries, entry_of
from asynq_exporter.core.records.tables import ledger_entries


class Ledger(Queries):
    """Credits of users."""

    async def grant(self, user_id: int, credits_: int, *, reference: str) -> bool:
        """Gives a user credits once for a reference, such as a payment's ID; whether this call did.

        Raises:
            InvalidArgumentError: not a positive number, or no reference.
        """
        check_text(reference, what="reference")
        if not 1 <= credits_ <= MAX_NUMBER:
            raise InvalidArgumentError(f"credits to give are 1 or more, not {credits_}")
        async with self._database.write() as connection:
            return await self._append(
                connection, user_id=user_id, kind=EntryKind.GRANT, reference=reference, amount=credits_
            )

    async def balance(self, user_id: int) -> int:
        """What a user has: the sum of all entries, negative if more was charged than given."""
        query = select(func.coalesce(func.sum(ledger_entries.c.amount), 0))
        async with self._database.read() as connection:
            rows = await connection.execute(query.where(ledger_entries.c.user_id == user_id))
            # PostgreSQL adds to a decimal.
            return int(rows.scalar_one())

    async def entries(self, user_id: int, *, after: int = 0, limit: int = 1000) -> list[LedgerEntry]:
        """Entries of a user in their order, beginning behind one."""
        query = (
            select(ledger_entries)
            .where(ledger_entries.c.user_id == user_id, ledger_entries.c.id > after)
            .order_by(ledger_entries.c.id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return [entry_of(row) for row in rows.mappings()]
