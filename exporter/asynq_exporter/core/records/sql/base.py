"""What all queries share: the database, the clock, rows that become values."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, RowMapping, and_
from sqlalchemy.ext.asyncio import AsyncConnection

from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.records.database import Database
from asynq_exporter.core.records.models import (
    EntryKind,
    LedgerEntry,
    PlatformClass,
    Settlement,
    Status,
    TaskRecord,
)
from asynq_exporter.core.records.tables import ledger_entries, task_records

#: What is true or false of a row.
Condition: TypeAlias = ColumnElement[bool]

#: Task IDs in one statement; SQLite takes 32,766 values, older ones 999.
IDS_AT_ONCE = 500


class Queries:
    """A database, a clock, and whether the ledger is kept here."""

    def __init__(self, database: Database, clock: Clock | None = None, *, keeps_ledger: bool = True) -> None:
        """Takes a database that is up to date.

        Args:
            database: where the tables are.
            clock: of the process.
            keeps_ledger: charge and refund here; else a `Refunds` gives credits back, and nothing is charged.
        """
        self._database = database
        self._clock: Clock = clock or SystemClock()
        self._keeps_ledger = keeps_ledger

    def _now(self) -> float:
        return self._clock.now_ns() / NANOSECONDS

    async def _append(
        self, connection: AsyncConnection, *, user_id: int, kind: EntryKind, reference: str, amount: int
    ) -> bool:
        """Adds an entry to the ledger unless that kind has one of that reference; whether it did."""
        statement = self._database.insert(ledger_entries).values(
            user_id=user_id, kind=kind, reference=reference, amount=amount, created_at=self._now()
        )
        done = await connection.execute(statement.on_conflict_do_nothing())
        return bool(done.rowcount)


def unfinished(task_id: str | None = None) -> Condition:
    """That a record is not finished; of one task, or of all."""
    is_open = task_records.c.finished_at.is_(None)
    return is_open if task_id is None else and_(task_records.c.task_id == task_id, is_open)


def held_by(lease: TaskRecord | None) -> Condition:
    """That a record is not finished and a lease on it, where there is one, holds; nothing without a lease."""
    number = task_records.c.lease_number
    # Its end does not matter: until somebody else takes the record, the work of the holder is good.
    return number == (number if lease is None else lease.lease_number)


def batches(task_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many IDs at a time as fit one statement."""
    for start in range(0, len(task_ids), IDS_AT_ONCE):
        yield task_ids[start : start + IDS_AT_ONCE]


def record_of(row: RowMapping) -> TaskRecord:
    """The record of a row."""
    fields: dict[str, Any] = dict(row)
    fields["status"] = Status.of(row["status"])
    fields["platform_class"] = _platform_class(row["platform_class"])
    return TaskRecord(**fields)


def settlement_of(row: RowMapping) -> Settlement:
    """The settlement of a row."""
    return Settlement(**row)


def entry_of(row: RowMapping) -> LedgerEntry:
    """The ledger entry of a row."""
    fields: dict[str, Any] = dict(row)
    return LedgerEntry(**{**fields, "kind": EntryKind(row["kind"])})


def _platform_class(text: str) -> PlatformClass:
    try:
        return PlatformClass(text)
    except ValueError:
        return PlatformClass.DEFAULT
