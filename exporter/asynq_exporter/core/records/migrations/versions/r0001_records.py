"""Records, settlements, the ledger."""

from importlib.resources import files

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_OPEN_RECORD = sa.text("finished_at IS NULL")
_WITHOUT_JOB = sa.text("finished_at IS NULL AND attempt < 0")
_OPEN_SETTLEMENT = sa.text("closed_at IS NULL")


def upgrade() -> None:
    """Makes the tables."""
    _make_records()
    _make_settlements()
    _make_ledger()
    op.create_table(
        "fences",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("token", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drops the tables, and all that is in them."""
    for table in ("fences", "ledger_entries", "settlements", "dead_letter_retries", "task_records"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        _run("append_only_off")


def _make_records() -> None:
    op.create_table(
        "task_records",
        sa.Column("task_id", sa.String(255), primary_key=True),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("credits", sa.BigInteger, nullable=False),
        sa.Column("platform_class", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(255), nullable=False),
        sa.Column("timeout_seconds", sa.Double, nullable=False),
        sa.Column("queue", sa.String(255), nullable=False),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("finished_at", sa.Double),
        sa.Column("polls", sa.Integer, nullable=False),
        sa.Column("next_poll_at", sa.Double),
        sa.Column("lease_until", sa.Double),
        sa.Column("lease_number", sa.BigInteger, nullable=False),
        sa.CheckConstraint("credits >= 0", name="credits_not_negative"),
        sa.CheckConstraint(
            "(status IN ('SUCCESS', 'FAILURE')) = (finished_at IS NOT NULL)", name="finished_has_its_moment"
        ),
    )
    op.create_index("ix_task_records_user", "task_records", ["user_id", "created_at"])
    _make_partial_index("ix_task_records_due", "task_records", "next_poll_at", _OPEN_RECORD)
    _make_partial_index("ix_task_records_without_job", "task_records", "task_id", _WITHOUT_JOB)
    op.create_table(
        "dead_letter_retries",
        sa.Column("task_id", sa.String(255), primary_key=True),
        sa.Column("at_seconds", sa.BigInteger, primary_key=True),
    )


def _make_settlements() -> None:
    op.create_table(
        "settlements",
        sa.Column("task_id", sa.String(255), primary_key=True),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("credits", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(255), nullable=False),
        sa.Column("queue", sa.String(255), nullable=False),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sa.Column("opened_at", sa.Double, nullable=False),
        sa.Column("refunded_at", sa.Double),
        sa.Column("closed_at", sa.Double),
    )
    _make_partial_index("ix_settlements_open", "settlements", "opened_at", _OPEN_SETTLEMENT)


def _make_ledger() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "ledger_entries",
        sa.Column("id", number, primary_key=True, autoincrement=True),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("reference", sa.String(255), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.UniqueConstraint("kind", "reference", name="uq_ledger_entries_kind_reference"),
        sa.CheckConstraint("kind IN ('grant', 'charge', 'refund')", name="kind_known"),
        sa.CheckConstraint("(kind = 'charge') = (amount < 0) AND amount <> 0", name="amount_has_its_sign"),
    )
    op.create_index("ix_ledger_entries_user", "ledger_entries", ["user_id", "id"])
    _run("append_only")


def _make_partial_index(name: str, table: str, column: str, where: sa.TextClause) -> None:
    op.create_index(name, table, [column], sqlite_where=where, postgresql_where=where)


def _run(name: str) -> None:
    folder = files("asynq_exporter.core.records.migrations").joinpath("sql")
    text = folder.joinpath(f"{name}.{op.get_bind().dialect.name}.sql").read_text(encoding="utf-8")
    for statement in text.split("\n--\n"):
        op.execute(statement)
