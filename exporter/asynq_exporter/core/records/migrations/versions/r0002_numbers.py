"""Indexes that the numbers for the exporter are read from."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_REFUNDED = sa.text("refunded_at IS NOT NULL")


def upgrade() -> None:
    """Makes the indexes."""
    op.create_index("ix_task_records_status", "task_records", ["status"])
    op.create_index(
        "ix_settlements_refunded",
        "settlements",
        ["refunded_at", "credits"],
        sqlite_where=_REFUNDED,
        postgresql_where=_REFUNDED,
    )


def downgrade() -> None:
    """Drops them."""
    op.drop_index("ix_settlements_refunded", "settlements")
    op.drop_index("ix_task_records_status", "task_records")
