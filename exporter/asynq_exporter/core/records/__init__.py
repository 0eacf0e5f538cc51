"""Task records in a SQL database: who pays for a task, how it stands, and that credits come back once.

    database = Database("sqlite:///records.db")            # or postgresql://...
    await database.prepare()
    store = SqlRecords(database)
    await store.create(NewRecord(task_id="task_xxx", user_id=100, credits=100_000))

    cancellations = Cancellations(store, Jobs(redis))
    await cancellations.recover()
    await cancellations.cancel("task_xxx", reason="用户申请取消")

    await Migration(store, redis).run()                    # tasks of the database into the queue
    await PollingProgram(store, redis, poll).run(stop)     # both sides of polling, as one program

Imported on demand: it needs SQLAlchemy and Alembic, which the rest of the core does not.
"""

from asynq_exporter.core.records.cancel import BatchOutcome, Cancellations, CancelResult
from asynq_exporter.core.records.chain import Chain
from asynq_exporter.core.records.database import Database
from asynq_exporter.core.records.errors import (
    DatabaseError,
    LeaseHeldError,
    LeaseLostError,
    RecordExistsError,
    RecordFinishedError,
    RecordNotFoundError,
    WebhookRefusedError,
    WebhookUnavailableError,
)
from asynq_exporter.core.records.fallback import Fallback, Round
from asynq_exporter.core.records.handler import Handled, Handler
from asynq_exporter.core.records.jobs import Jobs
from asynq_exporter.core.records.live_queue import LiveQueue
from asynq_exporter.core.records.lock import Locks
from asynq_exporter.core.records.migration import Migrated, Migration
from asynq_exporter.core.records.models import (
    EntryKind,
    LedgerEntry,
    NewRecord,
    PlatformClass,
    Settlement,
    Status,
    Summary,
    TaskRecord,
)
from asynq_exporter.core.records.polling import Poll, Poller
from asynq_exporter.core.records.program import PollingConfig, PollingProgram
from asynq_exporter.core.records.sql import SqlRecords
from asynq_exporter.core.records.store import RecordStore, Refunds
from asynq_exporter.core.records.webhook import WebhookRefunds

__all__ = [
    "BatchOutcome",
    "CancelResult",
    "Cancellations",
    "Chain",
    "Database",
    "DatabaseError",
    "EntryKind",
    "Fallback",
    "Handled",
    "Handler",
    "Jobs",
    "LeaseHeldError",
    "LeaseLostError",
    "LedgerEntry",
    "LiveQueue",
    "Locks",
    "Migrated",
    "Migration",
    "NewRecord",
    "PlatformClass",
    "Poll",
    "Poller",
    "PollingConfig",
    "PollingProgram",
    "RecordExistsError",
    "RecordFinishedError",
    "RecordNotFoundError",
    "RecordStore",
    "Refunds",
    "Round",
    "Settlement",
    "SqlRecords",
    "Status",
    "Summary",
    "TaskRecord",
    "WebhookRefunds",
    "WebhookRefusedError",
    "WebhookUnavailableError",
]
