"""Refunds made elsewhere, and completing what a process left."""

import asyncio

import pytest
from sqlalchemy import text

from asynq_exporter.core import FixedClock
from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.records import (
    Cancellations,
    Database,
    Jobs,
    Settlement,
    SqlRecords,
)
from asynq_exporter.core.records.cancel import STALE_SECONDS
from asynq_exporter.core.records.errors import WebhookUnavailableError
from tests.core.records.making import CREDITS, make, open_settlements, refunds


class Elsewhere:
    """Refunds outside, which may fail."""

    def __init__(self) -> None:
        self.fails = False
        self.made: list[str] = []

    async def give_back(self, settlement: Settlement) -> None:
        """Notes it."""
        if self.fails:
            raise WebhookUnavailableError("not now")
        self.made.append(settlement.key)


async def test_refund_elsewhere_is_made_by_one_and_tried_again(
    database: Database, jobs: Jobs, clock: FixedClock
) -> None:
    """One call of many makes it; one that failed is made by the recovery, or by a call after a while."""
    store = SqlRecords(database, clock, keeps_ledger=False)
    elsewhere_ = Elsewhere()
    cancellations = Cancellations(store, jobs, clock, refunds=elsewhere_)
    for task_id in ("a", "b", "c"):
        await make(store, task_id)
    await asyncio.gather(*(cancellations.cancel("a") for _ in range(20)))
    elsewhere_.fails = True
    assert not (await cancellations.cancel("b")).refunded
    assert not (await cancellations.cancel("c")).refunded
    elsewhere_.fails = False
    assert not (await cancellations.cancel("c")).refunded, "the first call may still be at it"
    clock.advance(STALE_SECONDS)
    assert (await cancellations.cancel("c")).refunded
    assert 1 == await cancellations.recover()
    assert (await cancellations.cancel("b")).refunded
    assert ["refund:a", "refund:c", "refund:b"] == elsewhere_.made


async def test_recovery_leaves_what_is_fresh(
    store: SqlRecords, cancellations: Cancellations, clock: FixedClock
) -> None:
    """From time to time it looks at what has been open for a while alone."""
    await make(store)
    await store.fail("task_xxx", "killed after this")
    assert 0 == await cancellations.recover(min_age_seconds=STALE_SECONDS)
    clock.advance(STALE_SECONDS)
    assert 1 == await cancellations.recover(min_age_seconds=STALE_SECONDS)


async def test_recovery_goes_through_all_pages(
    store: SqlRecords, cancellations: Cancellations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, and whatever stays open."""
    monkeypatch.setattr("asynq_exporter.core.records.cancel.PAGE_SIZE", 2)
    for number in range(5):
        await make(store, f"t{number}")
        await store.fail(f"t{number}", "killed after this")
    assert 5 == await cancellations.recover()
    assert [] == await open_settlements(store)


def test_one_of_two_gives_refunds(store: SqlRecords, jobs: Jobs) -> None:
    """Neither nobody nor both."""
    with pytest.raises(InvalidArgumentError):
        Cancellations(store, jobs, refunds=Elsewhere())


async def test_receiver_that_is_away_is_not_asked_for_all(
    database: Database, jobs: Jobs, clock: FixedClock
) -> None:
    """A caller with a hundred tasks waits for ten; the recovery makes the rest."""
    store, asked = SqlRecords(database, clock, keeps_ledger=False), []

    class Away:
        async def give_back(self, settlement: Settlement) -> None:
            asked.append(settlement.key)
            raise WebhookUnavailableError("not now")

    ids = [f"t{number}" for number in range(100)]
    for task_id in ids:
        await make(store, task_id)
    outcomes = await Cancellations(store, jobs, clock, refunds=Away()).cancel_batch(ids)
    assert {False} == {outcome.result.refunded for outcome in outcomes if outcome.result}
    assert 10 == len(asked)
    elsewhere_ = Elsewhere()
    assert 100 == await Cancellations(store, jobs, clock, refunds=elsewhere_).recover()
    assert sorted(f"refund:{task_id}" for task_id in ids) == sorted(elsewhere_.made)


async def test_refund_that_breaks_ends_no_other(
    database: Database, jobs: Jobs, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Code of others may raise anything; its settlement stays open, and the log says why."""
    store, made = SqlRecords(database, clock, keeps_ledger=False), []

    class Broken:
        async def give_back(self, settlement: Settlement) -> None:
            if settlement.task_id == "a":
                raise ValueError("a mistake of ours")
            made.append(settlement.key)

    for task_id in ("a", "b"):
        await make(store, task_id)
    outcomes = await Cancellations(store, jobs, clock, refunds=Broken()).cancel_batch(["a", "b"])
    assert [False, True] == [outcome.result.refunded for outcome in outcomes if outcome.result]
    assert ["refund:b"] == made
    assert ["a"] == [settlement.task_id for settlement in await open_settlements(store)]
    assert ["a mistake of ours"] == [
        record.__dict__["error"] for record in caplog.records if record.levelname == "ERROR"
    ]


async def test_recovery_goes_on_until_told_to_stop(
    store: SqlRecords, cancellations: Cancellations, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start it completes whatever is open, later what has been open for a while alone."""
    monkeypatch.setattr("asynq_exporter.core.records.cancel.STALE_SECONDS", 0.01)
    stop, ages, real = asyncio.Event(), [], cancellations.recover

    async def recover(*, min_age_seconds: float = 0.0) -> int:
        ages.append(min_age_seconds)
        if len(ages) == 1:
            raise WebhookUnavailableError("the database is away")
        if len(ages) == 3:
            stop.set()
        return await real(min_age_seconds=min_age_seconds)

    monkeypatch.setattr(cancellations, "recover", recover)
    await make(store)
    await store.fail("task_xxx", "killed after this")
    await asyncio.wait_for(cancellations.keep_recovering(stop), 25)
    assert [0.0, 0.0, 0.01] == ages
    assert [] == await open_settlements(store)


async def test_record_that_somebody_opened_again_is_not_refunded_twice(
    store: SqlRecords, database: Database, cancellations: Cancellations
) -> None:
    """By hand, in the database: the cancellation says what was done the first time."""
    await make(store)
    first = await cancellations.cancel("task_xxx", reason="first")
    async with database.write() as connection:
        await connection.execute(text("UPDATE task_records SET status = 'QUEUED', finished_at = NULL"))
    assert first == await cancellations.cancel("task_xxx", reason="second")
    assert {"task_xxx": CREDITS} == await refunds(store)
