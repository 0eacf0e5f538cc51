"""The tables, for queries; what makes them is in `migrations`, and a test compares the two."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

metadata = MetaData()

#: SQLite numbers rows by itself only in a column of exactly this type.
_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

task_records = Table(
    "task_records",
    metadata,
    Column("task_id", String(255), primary_key=True),
    Column("user_id", BigInteger, nullable=False),
    Column("credits", BigInteger, nullable=False),
    Column("platform_class", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(255), nullable=False),
    Column("timeout_seconds", Double, nullable=False),
    Column("queue", String(255), nullable=False),
    Column("attempt", BigInteger, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("finished_at", Double),
    Column("polls", Integer, nullable=False),
    Column("next_poll_at", Double),
    Column("lease_until", Double),
    Column("lease_number", BigInteger, nullable=False),
    CheckConstraint("credits >= 0", name="credits_not_negative"),
    CheckConstraint(
        "(status IN ('SUCCESS', 'FAILURE')) = (finished_at IS NOT NULL)", name="finished_has_its_moment"
    ),
    Index("ix_task_records_user", "user_id", "created_at"),
    # To count by: no row has to be read for it.
    Index("ix_task_records_status", "status"),
    # Of the records of years, the few that are worked on.
    Index(
        "ix_task_records_due",
        "next_poll_at",
        sqlite_where=text("finished_at IS NULL"),
        postgresql_where=text("finished_at IS NULL"),
    ),
    Index(
        "ix_task_records_without_job",
        "task_id",
        sqlite_where=text("finished_at IS NULL AND attempt < 0"),
        postgresql_where=text("finished_at IS NULL AND attempt < 0"),
    ),
)

dead_letter_retries = Table(
    "dead_letter_retries",
    metadata,
    Column("task_id", String(255), primary_key=True),
    Column("at_seconds", BigInteger, primary_key=True),
)

settlements = Table(
    "settlements",
    metadata,
    Column("task_id", String(255), primary_key=True),
    Column("user_id", BigInteger, nullable=False),
    Column("credits", BigInteger, nullable=False),
    Column("reason", String(255), nullable=False),
    Column("queue", String(255), nullable=False),
    Column("attempt", BigInteger, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("refunded_at", Double),
    Column("closed_at", Double),
    Index(
        "ix_settlements_open",
        "opened_at",
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
    # To add up: likewise.
    Index(
        "ix_settlements_refunded",
        "refunded_at",
        "credits",
        sqlite_where=text("refunded_at IS NOT NULL"),
        postgresql_where=text("refunded_at IS NOT NULL"),
    ),
)

ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("id", _ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("user_id", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("reference", String(255), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("created_at", Double, nullable=False),
    # What makes a refund happen once, whoever writes.
    UniqueConstraint("kind", "reference", name="uq_ledger_entries_kind_reference"),
    CheckConstraint("kind IN ('grant', 'charge', 'refund')", name="kind_known"),
    CheckConstraint("(kind = 'charge') = (amount < 0) AND amount <> 0", name="amount_has_its_sign"),
    Index("ix_ledger_entries_user", "user_id", "id"),
)

fences = Table(
    "fences",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("token", BigInteger, nullable=False),
)
