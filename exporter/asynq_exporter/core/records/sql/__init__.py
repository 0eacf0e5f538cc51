"""Task records in our own tables: the nouns stand in their own modules."""

from asynq_exporter.core.records.sql.attempts import Attempts
from asynq_exporter.core.records.sql.leases import Leases
from asynq_exporter.core.records.sql.ledger import Ledger
from asynq_exporter.core.records.sql.settlements import Settlements
from asynq_exporter.core.records.sql.summaries import Summaries
from asynq_exporter.core.records.sql.tasks import Tasks

__all__ = ["SqlRecords"]


class SqlRecords(Tasks, Leases, Settlements, Attempts, Ledger, Summaries):
    """A `RecordStore` over a `Database`, with a ledger of credits.

    Everything raises AsynqError alone: DatabaseError when the database does not answer, and what the methods
    name.
    """
