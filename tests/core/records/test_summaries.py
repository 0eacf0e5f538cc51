"""The records in numbers."""

from sqlalchemy import text

from asynq_exporter.core import FixedClock
from asynq_exporter.core.records import Database, SqlRecords, Status
from tests.core.queue_state import T
from tests.core.records.making import make


async def test_no_records_are_zeros(store: SqlRecords) -> None:
    """Every status is there, and no moment is made up."""
    found = await store.summary()

    assert dict.fromkeys(Status, 0) == found.counts
    assert (0, 0, 0, 0) == (found.refunds, found.refunded_credits, found.refunds_due, found.open_settlements)
    assert (None, None) == (found.oldest_unfinished_at, found.oldest_open_at)


async def test_numbers_are_those_of_the_records(
    store: SqlRecords, database: Database, clock: FixedClock
) -> None:
    """Counts by status, refunds with their credits, what is still to be done, and since when."""
    await make(store, "done", credits_=1)
    await store.finish("done", Status.SUCCESS)
    clock.advance(seconds=10)
    await make(store, "going", status=Status.IN_PROGRESS)
    await make(store, "odd", status=Status.EMPTY)
    for task_id, credits_ in (("refunded", 2**62), ("settled", 2**62), ("free", 0)):
        await make(store, task_id, credits_=credits_)
        clock.advance(seconds=10)
        await store.fail(task_id, "why")
    await store.close_settlement("settled")
    # Credits that somebody else gives back, and did not yet.
    elsewhere = SqlRecords(database, clock, keeps_ledger=False)
    await make(elsewhere, "due", credits_=7)
    await elsewhere.fail("due", "why")

    found = await store.summary()

    expected = {Status.SUCCESS: 1, Status.IN_PROGRESS: 1, Status.EMPTY: 1, Status.FAILURE: 4}
    assert dict.fromkeys(Status, 0) | expected == found.counts
    assert (2, 2**63) == (found.refunds, found.refunded_credits)
    assert (1, 3) == (found.refunds_due, found.open_settlements)
    assert (T + 10, T + 20) == (found.oldest_unfinished_at, found.oldest_open_at)


async def test_strange_words_are_unknown(store: SqlRecords, database: Database) -> None:
    """An application that writes its own status makes no label of it."""
    await make(store, "a", status=Status.UNKNOWN)
    await make(store, "b")
    async with database.write() as connection:
        await connection.execute(text("UPDATE task_records SET status = 'my own' WHERE task_id = 'b'"))

    assert 2 == (await store.summary()).counts[Status.UNKNOWN]


async def test_counts_read_indexes_alone(database: Database) -> None:
    """However many records there are, none of them is read to be counted."""
    if not database.is_embedded:
        return  # its planner decides by how much there is
    counts = "SELECT status, count(*) FROM task_records GROUP BY status"
    refunds = "SELECT count(*), sum(CAST(credits AS DOUBLE)) FROM settlements WHERE refunded_at IS NOT NULL"
    async with database.read() as connection:
        for query, index in ((counts, "ix_task_records_status"), (refunds, "ix_settlements_refunded")):
            plan = (await connection.execute(text(f"EXPLAIN QUERY PLAN {query}"))).all()
            assert f"COVERING INDEX {index}" in str(plan)
