"""Records: created, read, finished; the ledger beside them."""

import asyncio

import pytest

from asynq_exporter.core import FixedClock
from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.records import (
    Database,
    EntryKind,
    NewRecord,
    PlatformClass,
    RecordExistsError,
    SqlRecords,
    Status,
)
from asynq_exporter.core.records.models import MAX_NUMBER, clean_reason
from tests.core.queue_state import T
from tests.core.records.making import CREDITS, USER, make, read


async def test_record_is_read_as_written(store: SqlRecords) -> None:
    """What the caller left out is filled in: timeout of the class, first poll of the status."""
    record = await make(store, "任务:1")
    assert (USER, CREDITS, Status.SUBMITTED) == (record.user_id, record.credits, record.status)
    assert (120 * 30, T + 3, -1) == (record.timeout_seconds, record.next_poll_at, record.attempt)
    assert not record.is_finished


@pytest.mark.parametrize(
    ("platform_class", "seconds"),
    [("long", 3600), ("medium", 2400), ("short", 1800), ("default", 3600)],
)
def test_timeout_is_that_of_the_class(platform_class: str, seconds: int) -> None:
    """Guide 6.2: 120 retries, each at its longest."""
    assert seconds == PlatformClass(platform_class).timeout_seconds


async def test_every_status_of_the_guide_is_kept(store: SqlRecords) -> None:
    """Appendix B; the empty one too. Only two are finished."""
    for status in Status:
        record = await make(store, f"t{status}", status=status)
        assert status is record.status
        assert record.is_finished is (status in {Status.SUCCESS, Status.FAILURE})


@pytest.mark.parametrize(
    "fields",
    [
        {"task_id": ""},
        {"task_id": "a:retry"},
        {"task_id": "a" * 256},
        {"task_id": "a\x00"},
        {"task_id": "\ud800"},
        {"credits": -1},
        {"credits": MAX_NUMBER + 1},
        {"user_id": MAX_NUMBER + 1},
        {"timeout_seconds": 0},
        {"timeout_seconds": float("nan")},
        {"queue": " "},
    ],
)
def test_what_can_never_be_a_record_is_refused(fields: dict[str, object]) -> None:
    """Before the database is asked."""
    values: dict[str, object] = {"task_id": "a", "user_id": 1, "credits": 1, **fields}
    with pytest.raises(InvalidArgumentError):
        NewRecord(**values).check()  # type: ignore[arg-type]


async def test_second_record_of_a_task_is_refused_and_not_charged(store: SqlRecords) -> None:
    """Record and charge are one: neither without the other."""
    await make(store)
    with pytest.raises(RecordExistsError):
        await make(store)
    assert -CREDITS == await store.balance(USER)


async def test_balance_is_the_sum_of_the_ledger(store: SqlRecords) -> None:
    """Granted once for a reference, charged, refunded."""
    assert [True, False] == [await store.grant(USER, 150_000, reference="payment 1") for _ in range(2)]
    await make(store)
    assert 50_000 == await store.balance(USER)
    await store.fail("task_xxx", "why")
    entries = await store.entries(USER)
    assert [EntryKind.GRANT, EntryKind.CHARGE, EntryKind.REFUND] == [entry.kind for entry in entries]
    assert 150_000 == await store.balance(USER) == sum(entry.amount for entry in entries)
    assert entries[1:] == await store.entries(USER, after=entries[0].id)
    assert 0 == await store.balance(USER + 1)


async def test_only_a_positive_number_is_granted(store: SqlRecords) -> None:
    """Nobody takes credits by a negative grant."""
    for amount in (0, -5, MAX_NUMBER + 1):
        with pytest.raises(InvalidArgumentError):
            await store.grant(USER, amount, reference="r")


async def test_large_numbers_are_exact(store: SqlRecords) -> None:
    """Credits up to the end of the column."""
    await make(store, credits_=MAX_NUMBER)
    assert -MAX_NUMBER == await store.balance(USER)


async def test_task_finishes_once(store: SqlRecords) -> None:
    """The first word counts, whatever comes after."""
    await make(store)
    assert await store.finish("task_xxx", Status.SUCCESS)
    assert not await store.finish("task_xxx", Status.FAILURE)
    assert await store.fail("task_xxx", "why") is None
    assert (Status.SUCCESS, T) == ((record := await read(store)).status, record.finished_at)
    assert -CREDITS == await store.balance(USER)


async def test_task_does_not_finish_as_anything_else(store: SqlRecords) -> None:
    """Only SUCCESS and FAILURE end a task."""
    with pytest.raises(InvalidArgumentError):
        await store.finish("task_xxx", Status.UNKNOWN)


async def test_success_or_refund_never_both(store: SqlRecords) -> None:
    """Tasks that finish and fail at the same moment do one of the two."""
    for number in range(20):
        await make(store, f"t{number}", credits_=1)

    async def both(task_id: str) -> None:
        done, failed = await asyncio.gather(store.finish(task_id, Status.SUCCESS), store.fail(task_id, "why"))
        assert done is (failed is None)

    await asyncio.gather(*(both(f"t{number}") for number in range(20)))
    failures = await store.list_records(status=Status.FAILURE)
    assert len(failures) - 20 == await store.balance(USER)


async def test_records_are_listed_in_pages(store: SqlRecords) -> None:
    """By task ID, filtered, each once."""
    for number in range(5):
        await make(store, f"t{number}", status=Status.QUEUED if number % 2 else Status.SUBMITTED)
    first = await store.list_records(user_id=USER, limit=3)
    rest = await store.list_records(user_id=USER, after=first[-1].task_id, limit=3)
    assert [f"t{number}" for number in range(5)] == [record.task_id for record in first + rest]
    assert ["t1", "t3"] == [record.task_id for record in await store.list_records(status=Status.QUEUED)]
    assert [] == await store.list_records(user_id=USER + 1)
    with pytest.raises(InvalidArgumentError):
        await store.list_records(limit=0)


async def test_without_a_ledger_nothing_is_charged(database: Database, clock: FixedClock) -> None:
    """Where a company keeps the credits, ours are not counted beside them."""
    store = SqlRecords(database, clock, keeps_ledger=False)
    await make(store)
    settlement = await store.fail("task_xxx", "why")
    assert settlement is not None
    assert settlement.is_refund_due
    assert [] == await store.entries(USER)


@pytest.mark.parametrize(
    ("reason", "kept"),
    [("用户申请取消", "用户申请取消"), ("a\x00b", "a\ufffdb"), ("\ud800", "?"), ("x" * 300, "x" * 255)],
)
async def test_any_reason_fits(store: SqlRecords, reason: str, kept: str) -> None:
    """A reason comes from people; it must not be what a refund fails of."""
    await make(store)
    await store.fail("task_xxx", reason)
    assert kept == (await read(store)).reason == clean_reason(reason)
