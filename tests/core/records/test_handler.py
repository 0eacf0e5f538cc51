"""The side of the queue: jobs that poll, one after the other."""

from dataclasses import dataclass

import pytest
from redis.asyncio import Redis

from asynq_exporter.core import Broker, FixedClock
from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.core.records import (
    Chain,
    Handled,
    Handler,
    LeaseHeldError,
    Migration,
    SqlRecords,
    Status,
)
from tests.core.queue_state import T
from tests.core.records.making import LEASE, jobs_of, make, read
from tests.core.records.service import Service


async def test_chain_of_jobs(
    store: SqlRecords, handler: Handler, service: Service, redis_client: Redis, clock: FixedClock
) -> None:
    """Each job polls once and enqueues the next one; the last one finds the task finished."""
    service.answers = ["SUBMITTED", "IN_PROGRESS", "SUCCESS"]
    await make(store)
    await Migration(store, redis_client, clock).run()
    broker = Broker(redis_client, clock)
    ran = []
    for _ in range(3):
        clock.advance(10)
        await broker.forward(["scheduled"])
        delivery = await broker.dequeue(["scheduled"])
        assert delivery is not None
        assert Handled.POLLED is await handler.handle(delivery.message.id)
        await broker.done(delivery.message)
        ran.append(delivery.message.id)
    assert [f"job:task_xxx:{number}" for number in range(3)] == ran
    assert [] == await jobs_of(redis_client)
    assert Status.SUCCESS is (await read(store)).status


@pytest.mark.parametrize("identity", ["job:task_xxx:0", "job:task_xxx:retry:1642000000", "job:unknown:0"])
async def test_job_of_a_finished_task_is_dropped(
    store: SqlRecords, handler: Handler, service: Service, identity: str
) -> None:
    """A job that a cancellation did not find does no harm."""
    await make(store)
    await store.fail("task_xxx", "cancelled")
    assert Handled.DROPPED is await handler.handle(identity)
    assert not service.asked


async def test_older_job_is_dropped(
    store: SqlRecords, handler: Handler, chain: Chain, service: Service, clock: FixedClock
) -> None:
    """A task never has two chains, which would poll it twice as often."""
    record = await make(store)
    for _ in range(2):
        await chain.enqueue_next(record)
    clock.advance(3)
    assert Handled.DROPPED is await handler.handle("job:task_xxx:0")
    assert Handled.POLLED is await handler.handle("job:task_xxx:1")
    assert 1 == service.asked["task_xxx"]


async def test_job_that_comes_too_early_waits(
    store: SqlRecords, handler: Handler, service: Service, redis_client: Redis, inspector: Inspector
) -> None:
    """The other side has polled the task just now: this one goes on when it is due."""
    await make(store)
    assert Handled.EARLY is await handler.handle("job:task_xxx:0")
    assert ["scheduled job:task_xxx:0"] == await jobs_of(redis_client)
    [task] = await inspector.find_task("job:task_xxx:0")
    assert T + 3 == task.score
    assert not service.asked


async def test_job_of_a_task_that_is_worked_on_is_tried_again(
    store: SqlRecords, handler: Handler, clock: FixedClock
) -> None:
    """It fails, and asynq retries it."""
    await make(store)
    await store.claim("task_xxx", seconds=LEASE)
    with pytest.raises(LeaseHeldError):
        await handler.handle("job:task_xxx:0")
    clock.advance(LEASE)
    assert Handled.POLLED is await handler.handle("job:task_xxx:0")


async def test_worker_calls_the_handler(store: SqlRecords, handler: Handler, clock: FixedClock) -> None:
    """With what its own attempts look like; what is no job of ours is an error."""

    @dataclass
    class Attempt:
        id: str

    await make(store)
    clock.advance(3)
    await handler(Attempt("job:task_xxx:0"))
    assert T + 3 + 3 == (await read(store)).next_poll_at
    with pytest.raises(InvalidArgumentError):
        await handler(Attempt("email:1"))


async def test_chain_that_broke_is_mended(
    store: SqlRecords, handler: Handler, redis_client: Redis, service: Service
) -> None:
    """A process was killed between counting the next job and enqueuing it; its own job runs again."""
    await make(store)
    for _ in range(2):
        await store.next_attempt("task_xxx")
    assert Handled.MENDED is await handler.handle("job:task_xxx:0")
    assert ["scheduled job:task_xxx:2"] == await jobs_of(redis_client)
    assert Handled.DROPPED is await handler.handle("job:task_xxx:0"), "once"
    assert not service.asked, "it was not due"


async def test_chain_that_ended_is_not_mended(
    store: SqlRecords, handler: Handler, redis_client: Redis
) -> None:
    """A task that is not polled any more gets no job, whatever old ones come back."""
    await make(store)
    for _ in range(2):
        await store.next_attempt("task_xxx")
    lease = await store.claim("task_xxx", seconds=LEASE)
    assert lease
    await store.advance(lease, status=Status.NOT_START, polls=120, after_seconds=None)
    assert Handled.DROPPED is await handler.handle("job:task_xxx:0")
    assert [] == await jobs_of(redis_client)
