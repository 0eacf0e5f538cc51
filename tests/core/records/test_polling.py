"""Polls by the policies of appendix B, and leases."""

import asyncio

import pytest

from asynq_exporter.core import FixedClock
from asynq_exporter.core.records import (
    Cancellations,
    Database,
    Fallback,
    LeaseLostError,
    Poller,
    SqlRecords,
    Status,
    TaskRecord,
)
from tests.core.queue_state import T
from tests.core.records.making import CREDITS, LEASE, USER, make, read, refunds
from tests.core.records.service import Service


@pytest.mark.parametrize(
    ("status", "delays"),
    [
        ("IN_PROGRESS", [3, 3, 3, 3]),
        ("SUBMITTED", [3, 6, 12, 24, 30, 30]),
        ("QUEUED", [3, 6, 12, 24, 30, 30]),
        ("NOT_START", [10, 20, 30, 30]),
    ],
)
async def test_delays_are_those_of_the_guide(
    store: SqlRecords,
    disabled: Fallback,
    service: Service,
    clock: FixedClock,
    status: str,
    delays: list[int],
) -> None:
    """Appendix B: each poll is due after the next delay and not before."""
    service.answers = [status]
    await make(store, status=Status(status))
    for number, delay in enumerate(delays):
        clock.advance(delay - 0.001)
        assert 0 == (await disabled.round()).polled
        clock.advance(0.001)
        assert 1 == (await disabled.round()).polled
        assert number + 1 == service.asked["task_xxx"] == (await read(store)).polls


async def test_delays_begin_anew_with_another_status(
    store: SqlRecords, disabled: Fallback, service: Service, clock: FixedClock
) -> None:
    """The count is of polls in this status."""
    service.answers = ["SUBMITTED", "QUEUED", "IN_PROGRESS"]
    await make(store)
    due = []
    for _ in range(3):
        clock.advance(60)
        await disabled.round()
        due.append((await read(store)).next_poll_at)
    assert [T + 60 + 6, T + 120 + 3, T + 180 + 3] == due


@pytest.mark.parametrize("answer", ["SUCCESS", "FAILURE"])
async def test_finished_task_is_not_refunded(
    store: SqlRecords, disabled: Fallback, service: Service, clock: FixedClock, answer: str
) -> None:
    """Appendix B: it leaves the queue, and that is all."""
    service.answers = [answer]
    await make(store)
    clock.advance(3)
    await disabled.round()
    assert Status(answer) is (await read(store)).status
    assert {} == await refunds(store)


@pytest.mark.parametrize(
    ("status", "answers", "seconds", "reason"),
    [
        ("SUBMITTED", ["SUBMITTED"], 200, "任务超时"),
        ("IN_PROGRESS", ["IN_PROGRESS"], 200, "任务超时"),
        ("QUEUED", [RuntimeError("away")], 200, "任务超时"),
        ("SUBMITTED", ["UNKNOWN"], 3 + 5 + 10 + 20, "任务状态未知，重试次数已用尽"),
        ("SUBMITTED", ["no word of the guide"], 3 + 5 + 10 + 20, "任务状态未知，重试次数已用尽"),
        ("SUBMITTED", [""], 3, "任务状态为空"),
        ("", [], 0, "任务状态为空"),
    ],
)
async def test_exits_refund(
    store: SqlRecords,
    disabled: Fallback,
    service: Service,
    clock: FixedClock,
    status: str,
    answers: list[str | Exception],
    seconds: float,
    reason: str,
) -> None:
    """Appendix B: the timeout of the task, three polls of UNKNOWN, and no status at all."""
    service.answers = answers
    await make(store, status=Status(status), timeout_seconds=200)
    while not (await read(store)).is_finished:
        due = (await read(store)).next_poll_at
        assert due is not None
        clock.advance(max(due - clock.now_ns() / 1e9, 0))
        await disabled.round()
    record = await read(store)
    assert record.finished_at is not None
    assert T + seconds <= record.finished_at < T + seconds + 30
    assert (Status.FAILURE, reason) == (record.status, record.reason)
    assert {"task_xxx": CREDITS} == await refunds(store)


async def test_last_poll_comes_before_the_timeout(
    store: SqlRecords, disabled: Fallback, service: Service, clock: FixedClock
) -> None:
    """A task that finished while nobody looked is not refunded."""
    service.answers = ["SUCCESS"]
    await make(store)
    clock.advance(100_000)
    await disabled.round()
    assert Status.SUCCESS is (await read(store)).status
    assert {} == await refunds(store)


async def test_not_started_task_is_left_after_its_retries(
    store: SqlRecords, disabled: Fallback, service: Service, clock: FixedClock
) -> None:
    """Appendix B: neither failed nor refunded, and not polled any more."""
    service.answers = ["NOT_START"]
    await make(store, status=Status.NOT_START)
    for _ in range(130):
        clock.advance(30)
        await disabled.round()
    assert 120 == service.asked["task_xxx"]
    record = await read(store)
    assert (Status.NOT_START, None, None) == (record.status, record.next_poll_at, record.lease_until)
    assert {} == await refunds(store)


async def test_slow_poll_ends_before_its_lease(
    store: SqlRecords, cancellations: Cancellations, clock: FixedClock
) -> None:
    """Or somebody else would begin while it still runs."""

    async def hang(_: TaskRecord) -> str:
        await asyncio.Event().wait()
        return ""

    poller = Poller(store, cancellations, hang, clock, lease_seconds=0.02)
    await make(store)
    clock.advance(3)
    await Fallback(store, poller, clock).round()
    record = await read(store)
    assert (Status.SUBMITTED, 1, None) == (record.status, record.polls, record.lease_until)


async def test_cancellation_during_a_poll_wins(
    store: SqlRecords, disabled: Fallback, service: Service, cancellations: Cancellations, clock: FixedClock
) -> None:
    """What the poll found out comes too late, success or not."""
    service.answers = ["SUCCESS"]
    service.meanwhile = lambda: cancellations.cancel("task_xxx")
    await make(store)
    clock.advance(3)
    await disabled.round()
    assert Status.FAILURE is (await read(store)).status
    assert 0 == await store.balance(USER)


@pytest.mark.parametrize("answer", ["SUCCESS", "", "SUBMITTED"])
async def test_late_holder_is_fenced_off(
    store: SqlRecords, poller: Poller, service: Service, clock: FixedClock, answer: str
) -> None:
    """A process that stood still for longer than its lease changes nothing, whatever it found out."""
    service.answers = [answer]
    await make(store)
    old = await store.claim("task_xxx", seconds=LEASE)
    clock.advance(LEASE)
    new = await store.claim("task_xxx", seconds=LEASE)
    assert old
    assert new
    await poller.work(old)
    await store.release(old)
    assert new == await read(store)
    with pytest.raises(LeaseLostError):
        await store.advance(old, status=Status.QUEUED, polls=1, after_seconds=1)
    assert {} == await refunds(store)


async def test_one_of_many_gets_a_lease(store: SqlRecords, database_url: str, clock: FixedClock) -> None:
    """By ID and in the order of what is due; in several pools, as in several processes."""
    for number in range(12):
        await make(store, f"t{number}")
    clock.advance(3)
    databases = [Database(database_url) for _ in range(3)]
    stores = [SqlRecords(database, clock) for database in databases]
    one = await asyncio.gather(*(stores[i % 3].claim("t0", seconds=LEASE) for i in range(30)))
    assert 1 == sum(lease is not None for lease in one)
    due = await asyncio.gather(*(stores[i % 3].claim_due(limit=2, seconds=LEASE) for i in range(12)))
    taken = [lease.task_id for leases in due for lease in leases]
    assert len(taken) == len(set(taken))
    while more := await store.claim_due(limit=2, seconds=LEASE):
        taken += [lease.task_id for lease in more]
    assert {f"t{number}" for number in range(1, 12)} == set(taken)
    for database in databases:
        await database.close()
