"""The fallback polling, and handing over in both directions."""

import asyncio
import logging
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis

from asynq_exporter.core import FixedClock, job_id, keys
from asynq_exporter.core.errors import UnavailableError
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.core.records import (
    Cancellations,
    Chain,
    Fallback,
    Handled,
    Handler,
    Jobs,
    LeaseHeldError,
    Migration,
    Poller,
    Round,
    SqlRecords,
    Status,
    TaskRecord,
)
from tests.core.records.making import CREDITS, jobs_of, make, read, refunds
from tests.core.records.service import Service, usable


async def test_queue_in_charge_is_left_alone(
    store: SqlRecords, beside: Fallback, redis_client: Redis, clock: FixedClock, service: Service
) -> None:
    """A task with a job that waits, however long it is overdue, is not polled and gets no other job."""
    await make(store)
    await Migration(store, redis_client, clock).run()
    clock.advance(3000)
    assert Round(is_queue_usable=True) == await beside.round()
    assert ["scheduled job:task_xxx:0"] == await jobs_of(redis_client)
    assert not service.asked


@pytest.mark.parametrize("put", ["nothing", "completed"])
async def test_task_that_the_queue_lost_is_given_back(
    store: SqlRecords, beside: Fallback, redis_client: Redis, clock: FixedClock, put: str
) -> None:
    """Its chain broke, or it never had a job; it gets the next one, once."""
    await make(store)
    if put == "completed":
        await Migration(store, redis_client, clock).run()
        await redis_client.hset(keys.task("scheduled", "job:task_xxx:0"), "state", "completed")
    clock.advance(59)
    assert 0 == (await beside.round()).handed_over
    clock.advance(60)
    assert 1 == (await beside.round()).handed_over
    assert 0 == (await beside.round()).handed_over
    number = 1 if put == "completed" else 0
    assert f"scheduled job:task_xxx:{number}" in await jobs_of(redis_client)


async def test_many_processes_give_back_once(
    store: SqlRecords,
    poller: Poller,
    jobs: Jobs,
    chain: Chain,
    beside: Fallback,
    redis_client: Redis,
    clock: FixedClock,
) -> None:
    """All see the same; one job comes of it, or older ones that are dropped when they run."""
    for number in range(5):
        await make(store, f"t{number}")
    clock.advance(100)
    others = [Fallback(store, poller, clock, is_queue_usable=usable, chain=chain) for _ in range(4)]
    await asyncio.gather(*(one.round() for one in [beside, *others]))
    for number in range(5):
        latest = (await read(store, f"t{number}")).attempt
        assert f"scheduled job:t{number}:{latest}" in await jobs_of(redis_client, f"t{number}")
    assert 0 == (await beside.round()).handed_over


async def test_parked_job_is_left_until_the_task_is_over(
    store: SqlRecords,
    beside: Fallback,
    inspector: Inspector,
    redis_client: Redis,
    clock: FixedClock,
) -> None:
    """People put it into the archive; when its time is over, the credits come back even so."""
    await make(store)
    await Migration(store, redis_client, clock).run()
    await inspector.archive_task("scheduled", "job:task_xxx:0")
    clock.advance(3599)
    assert Round(is_queue_usable=True) == await beside.round()
    clock.advance(1)
    assert Round(is_queue_usable=True, polled=1, refunded=1) == await beside.round()
    assert {"task_xxx": CREDITS} == await refunds(store)
    assert [] == await jobs_of(redis_client)


async def test_hand_over_in_both_directions(
    store: SqlRecords,
    poller: Poller,
    handler: Handler,
    jobs: Jobs,
    chain: Chain,
    redis_client: Redis,
    service: Service,
    clock: FixedClock,
) -> None:
    """Queue, fallback, queue: each poll is made once, by who is in charge."""
    is_up = True

    async def is_usable() -> bool:
        if not is_up:
            raise UnavailableError("Redis is not available")
        return True

    fallback = Fallback(store, poller, clock, is_queue_usable=is_usable, chain=chain)
    await make(store)
    await Migration(store, redis_client, clock).run()
    clock.advance(3)
    assert 0 == (await fallback.round()).polled
    await handler.handle("job:task_xxx:0")
    assert 1 == service.asked["task_xxx"]
    is_up = False
    clock.advance(3)
    assert 1 == (await fallback.round()).polled
    assert 2 == service.asked["task_xxx"]
    is_up = True
    # The job from before is still in its queue: it goes on, and does not poll again.
    assert Handled.EARLY is await handler.handle("job:task_xxx:1")
    assert 2 == service.asked["task_xxx"]
    clock.advance(3)
    assert Handled.POLLED is await handler.handle("job:task_xxx:2")
    assert 3 == service.asked["task_xxx"]


async def test_both_sides_at_once_never_poll_twice(
    store: SqlRecords,
    poller: Poller,
    handler: Handler,
    disabled: Fallback,
    service: Service,
    clock: FixedClock,
) -> None:
    """Whatever the order: one poll at a time, and one a due moment."""
    random = Random(1)
    service.answers = ["IN_PROGRESS"]
    tasks = [f"t{number}" for number in range(4)]
    for task_id in tasks:
        await make(store, task_id, status=Status.IN_PROGRESS)
    rounds = 6
    for _ in range(rounds):
        clock.advance(3)
        attempts = {task_id: (await read(store, task_id)).attempt for task_id in tasks}
        doing = [handler.handle(job_id.build(task_id, max(attempts[task_id], 0))) for task_id in tasks * 3]
        doing += [disabled.round() for _ in range(4)]  # type: ignore[misc]
        random.shuffle(doing)
        for done in await asyncio.gather(*doing, return_exceptions=True):
            assert isinstance(done, Handled | Round | LeaseHeldError), done
        # Leases that lost the race for their moment.
        await disabled.round()
    assert 1 == service.most_at_once
    assert dict.fromkeys(tasks, rounds) == service.asked


async def test_keyword_is_logged(
    store: SqlRecords, disabled: Fallback, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Appendix A; when the fallback takes over, and for each round that did something."""
    caplog.set_level(logging.INFO, "asynq_exporter.core.records.fallback")
    await make(store)
    clock.advance(3)
    for _ in range(2):
        await disabled.round()
    assert ["[兜底轮询] Polls in place of the queue", "[兜底轮询] Round"] == [
        record.getMessage() for record in caplog.records
    ]


async def test_rounds_go_on_until_told_to_stop(store: SqlRecords, poller: Poller, clock: FixedClock) -> None:
    """An interval apart; a database that fails ends nothing."""
    stop = asyncio.Event()
    seen: list[int] = []
    real = store.claim_due

    async def claim_due(*, limit: int, seconds: float) -> list[TaskRecord]:
        seen.append(limit)
        if len(seen) == 1:
            raise UnavailableError("for now")
        if len(seen) == 3:
            stop.set()
        return await real(limit=limit, seconds=seconds)

    store.claim_due = claim_due  # type: ignore[method-assign]
    await Fallback(store, poller, clock, concurrency=1).run(stop, interval_seconds=0.001)
    assert 3 == len(seen)


async def test_slow_poll_holds_up_no_other(
    store: SqlRecords, cancellations: Cancellations, clock: FixedClock
) -> None:
    """A service that hangs for one task answers for the rest."""
    for number in range(30):
        await make(store, f"t{number}")
    others = asyncio.Event()
    asked: list[str] = []

    async def poll(record: TaskRecord) -> str:
        asked.append(record.task_id)
        if len(asked) == 1:
            await others.wait()
        if len(asked) == 30:
            others.set()
        return "IN_PROGRESS"

    clock.advance(3)
    fallback = Fallback(store, Poller(store, cancellations, poll, clock), clock, concurrency=2)
    assert 30 == (await asyncio.wait_for(fallback.round(), 25)).polled


async def test_task_that_fails_ends_no_other(
    store: SqlRecords, disabled: Fallback, service: Service, clock: FixedClock
) -> None:
    """A database that fails in the middle is told when all that were under way have ended."""
    for number in range(20):
        await make(store, f"t{number}")
    real = store.advance

    async def advance(lease: TaskRecord, **values: Any) -> None:
        if lease.task_id == "t7":
            raise UnavailableError("for now")
        await real(lease, **values)

    store.advance = advance  # type: ignore[method-assign]
    clock.advance(3)
    with pytest.raises(UnavailableError, match="for now"):
        await disabled.round()
    assert 20 == service.asked.total()
    left = [f"t{n}" for n in range(20) if (await read(store, f"t{n}")).lease_until is not None]
    assert ["t7"] == left


async def test_round_begins_nothing_once_it_is_over(
    store: SqlRecords, disabled: Fallback, beside: Fallback, service: Service, clock: FixedClock
) -> None:
    """A stop does not wait for all that is due; neither side does more."""
    for number in range(30):
        await make(store, f"t{number}")
    clock.advance(100)
    assert 10 <= (await disabled.round(is_over=lambda: service.asked.total() >= 10)).polled < 30
    assert 0 == (await beside.round(is_over=lambda: True)).handed_over


async def test_who_is_in_charge_is_asked_after_an_interval(
    store: SqlRecords, poller: Poller, chain: Chain, service: Service, clock: FixedClock
) -> None:
    """However much is due: when the queue is back, a round that would last for hours ends."""
    stop, questions = asyncio.Event(), 0

    async def is_usable() -> bool:
        nonlocal questions
        questions += 1
        if questions == 3:
            stop.set()
        return False

    real = store.advance

    async def due_again(lease: TaskRecord, **values: Any) -> None:
        await real(lease, **values)
        clock.advance(3)

    store.advance = due_again  # type: ignore[method-assign]
    await make(store, status=Status.IN_PROGRESS, timeout_seconds=1e9)
    fallback = Fallback(store, poller, clock, is_queue_usable=is_usable, chain=chain, concurrency=1)
    clock.advance(3)
    await asyncio.wait_for(fallback.run(stop, interval_seconds=0.05), 25)
    assert 3 == questions
    assert service.asked["task_xxx"]


async def test_switched_off_it_does_nothing(disabled: Fallback) -> None:
    """UPDATE_TASK=false."""
    await asyncio.wait_for(disabled.run(asyncio.Event(), enabled=False), 5)
