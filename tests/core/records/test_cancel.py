"""Cancel with refund (guide section 2.6)."""

import logging
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from asynq_exporter.core import Broker, FixedClock, job_id, keys
from asynq_exporter.core.errors import AsynqError, InvalidArgumentError
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.core.records import (
    Cancellations,
    CancelResult,
    Chain,
    Database,
    Jobs,
    RecordFinishedError,
    RecordNotFoundError,
    SqlRecords,
    Status,
)
from tests.conftest import RedisServer
from tests.core.records.making import CREDITS, USER, jobs_of, make, open_settlements, put_job, read, refunds

Put = Callable[[Redis, FixedClock], Coroutine[Any, Any, None]]


async def pending(redis: Redis, clock: FixedClock) -> None:
    """Waits to run."""
    await put_job(redis, clock)


async def scheduled(redis: Redis, clock: FixedClock) -> None:
    """Runs later."""
    await put_job(redis, clock, "job:task_xxx:7", in_seconds=60)


async def elsewhere(redis: Redis, clock: FixedClock) -> None:
    """Waits in a queue that the record does not name."""
    await put_job(redis, clock, "job:task_xxx:120", queue="dead_letter")


async def retried(redis: Redis, clock: FixedClock) -> None:
    """Failed, and waits to be tried again."""
    broker = Broker(redis, clock)
    await put_job(redis, clock)
    delivery = await broker.dequeue(["scheduled"])
    assert delivery is not None
    await broker.retry(delivery.message, retry_at=4_102_444_900, error="error")


async def archived(redis: Redis, clock: FixedClock) -> None:
    """Is a dead letter."""
    await put_job(redis, clock)
    await Inspector(redis, clock).archive_task("scheduled", "job:task_xxx:0")


async def dead_letter_retry(redis: Redis, clock: FixedClock) -> None:
    """Was taken out of the dead letters by somebody who told nobody."""
    await put_job(redis, clock, "job:task_xxx:retry:1642000000", queue="low")


async def beyond(redis: Redis, clock: FixedClock) -> None:
    """Has a number that the record does not know of."""
    await put_job(redis, clock, "job:task_xxx:4000")


PUTS = (pending, scheduled, elsewhere, retried, archived, dead_letter_retry, beyond)


async def test_answer_is_that_of_the_guide(store: SqlRecords, cancellations: Cancellations) -> None:
    """Five fields, as in its example; the record says why."""
    await make(store)
    result = await cancellations.cancel("task_xxx", reason="用户申请取消")
    assert asdict(result) == {
        "task_id": "task_xxx",
        "user_id": 100,
        "credits": 100000,
        "refunded": True,
        "reason": "用户申请取消",
    }
    record = await read(store)
    assert (Status.FAILURE, "用户申请取消", None) == (record.status, record.reason, record.next_poll_at)
    assert 0 == await store.balance(USER)


@pytest.mark.parametrize("reason", ["", "  "])
async def test_reasons_have_the_defaults_of_the_guide(
    store: SqlRecords, cancellations: Cancellations, reason: str
) -> None:
    """One for a task, one for a batch."""
    await make(store, "a")
    await make(store, "b")
    assert "管理员手动取消" == (await cancellations.cancel("a", reason=reason)).reason
    [outcome] = await cancellations.cancel_batch(["b"], reason=reason)
    assert outcome.result is not None
    assert "管理员批量取消" == outcome.result.reason


@pytest.mark.parametrize("put", PUTS, ids=lambda put: put.__name__)
async def test_job_is_removed_in_whatever_state(
    store: SqlRecords, cancellations: Cancellations, redis_client: Redis, clock: FixedClock, put: Put
) -> None:
    """Its own, and none of a task whose ID only begins alike."""
    await make(store)
    await put(redis_client, clock)
    await put_job(redis_client, clock, "job:task_xxx:y:0")
    assert 1 == len(await jobs_of(redis_client))
    await cancellations.cancel("task_xxx")
    assert [] == await jobs_of(redis_client)
    assert ["scheduled job:task_xxx:y:0"] == await jobs_of(redis_client, "task_xxx:y")


async def test_running_job_is_signalled_and_removed_when_it_comes_back(
    store: SqlRecords, cancellations: Cancellations, redis_client: Redis, clock: FixedClock
) -> None:
    """A worker that stops puts the job into retry; the settlement stays open until that is gone too."""
    await make(store)
    await put_job(redis_client, clock)
    broker = Broker(redis_client, clock)
    delivery = await broker.dequeue(["scheduled"])
    assert delivery is not None
    async with redis_client.pubsub(ignore_subscribe_messages=True) as channel:
        await channel.subscribe(keys.CANCEL_CHANNEL)
        assert (await cancellations.cancel("task_xxx")).refunded
        heard = [await channel.get_message(timeout=5) for _ in range(2)]
        assert b"job:task_xxx:0" in [one["data"] for one in heard if one]
    assert 0 == await cancellations.recover()
    await broker.retry(delivery.message, retry_at=4_102_444_900, error="context canceled")
    assert 1 == await cancellations.recover()
    assert [] == await jobs_of(redis_client)
    assert {"task_xxx": CREDITS} == await refunds(store)


async def test_counted_jobs_are_found_without_a_walk(
    store: SqlRecords, database: Database, chain: Chain, redis_client: Redis, clock: FixedClock
) -> None:
    """In a Redis too large to walk through, the record tells the IDs: retries out of the dead letters too."""
    record = await make(store)
    async with database.write() as connection:
        await connection.execute(text("UPDATE task_records SET attempt = 400"))
    assert "job:task_xxx:401" == await chain.enqueue_next(record)
    assert "job:task_xxx:retry:4102444800" == await chain.retry_dead_letter(record)
    await Cancellations(store, Jobs(redis_client, clock, walk_keys=0), clock).cancel("task_xxx")
    assert [] == await jobs_of(redis_client)


async def test_many_jobs_of_many_tasks(
    store: SqlRecords, cancellations: Cancellations, redis_client: Redis, clock: FixedClock
) -> None:
    """A batch looks for all jobs together."""
    ids = [f"t{number}" for number in range(40)]
    for task_id in ids:
        await make(store, task_id, credits_=1)
        await put_job(redis_client, clock, job_id.build(task_id))
    await put_job(redis_client, clock, "job:other:0")
    outcomes = await cancellations.cancel_batch(ids)
    assert ids == [outcome.task_id for outcome in outcomes]
    assert all(outcome.result and outcome.result.refunded for outcome in outcomes)
    assert {"t0": 1, "t39": 1}.items() <= (await refunds(store)).items()
    assert 1 == len(await redis_client.keys(keys.task_prefix("scheduled") + "*"))


@pytest.mark.parametrize(
    ("make_ready", "error"),
    [
        ("", RecordNotFoundError),
        ("SUCCESS", RecordFinishedError),
        ("FAILURE", RecordFinishedError),
    ],
)
async def test_what_is_not_to_be_cancelled(
    store: SqlRecords, cancellations: Cancellations, make_ready: str, error: type[AsynqError]
) -> None:
    """A task that is unknown or finished: nothing is refunded, and the caller is told which it is."""
    if make_ready:
        await make(store)
        await store.finish("task_xxx", Status(make_ready))
    with pytest.raises(error):
        await cancellations.cancel("task_xxx")
    assert {} == await refunds(store)


async def test_again_says_the_same(store: SqlRecords, cancellations: Cancellations) -> None:
    """Who did not get the answer asks again; neither reason nor refund changes."""
    await make(store)
    first = await cancellations.cancel("task_xxx", reason="first")
    assert first == await cancellations.cancel("task_xxx", reason="second")
    assert {"task_xxx": CREDITS} == await refunds(store)


async def test_refund_that_is_there_is_not_made_again(
    store: SqlRecords, database: Database, cancellations: Cancellations
) -> None:
    """Whoever wrote it: the ledger takes one refund of a task, and the task can be cancelled even so."""
    await make(store)
    async with database.write() as connection:
        await connection.execute(
            text(
                "INSERT INTO ledger_entries (user_id, kind, reference, amount, created_at) "
                f"VALUES ({USER}, 'refund', 'task_xxx', {CREDITS}, 0)"
            )
        )
    assert (await cancellations.cancel("task_xxx")).refunded
    assert {"task_xxx": CREDITS} == await refunds(store)


async def test_free_task_has_nothing_to_refund(store: SqlRecords, cancellations: Cancellations) -> None:
    """It is cancelled, and no entry of nothing is written."""
    await make(store, credits_=0)
    assert not (await cancellations.cancel("task_xxx")).refunded
    assert [] == await store.entries(USER)
    assert [] == await open_settlements(store)


async def test_batch_does_each_by_itself(store: SqlRecords, cancellations: Cancellations) -> None:
    """What cannot be cancelled stops no other; repeated IDs count once."""
    for task_id in ("a", "b", "done"):
        await make(store, task_id, credits_=10)
    await store.finish("done", Status.SUCCESS)
    outcomes = await cancellations.cancel_batch(
        ["a", "none", "done", "b", "a"], reason="外部服务故障批量取消"
    )
    assert ["a", "none", "done", "b"] == [outcome.task_id for outcome in outcomes]
    kinds = [type(outcome.error or outcome.result) for outcome in outcomes]
    assert [CancelResult, RecordNotFoundError, RecordFinishedError, CancelResult] == kinds
    assert {"a": 10, "b": 10} == await refunds(store)


@pytest.mark.parametrize("count", [0, 101])
async def test_batch_has_1_to_100_ids(cancellations: Cancellations, count: int) -> None:
    """As the guide says."""
    with pytest.raises(InvalidArgumentError):
        await cancellations.cancel_batch([str(number) for number in range(count)])


async def test_keywords_are_logged(
    store: SqlRecords, cancellations: Cancellations, caplog: pytest.LogCaptureFixture
) -> None:
    """Appendix A: what people search the log for."""
    caplog.set_level(logging.INFO, "asynq_exporter")
    await make(store, "a")
    await make(store, "b")
    await cancellations.cancel("a")
    await cancellations.cancel_batch(["b", "c"])
    begins = [record.getMessage().split(" ")[0] for record in caplog.records]
    assert ["[CancelTaskAndRefund]", *["[BatchCancelTaskAndRefund]"] * 2] == begins


async def test_refund_waits_for_no_redis(
    store: SqlRecords, own_redis: RedisServer, clock: FixedClock
) -> None:
    """Credits come back at once; the jobs go when Redis is there again."""
    await make(store)
    async with own_redis.async_client() as client:
        cancellations = Cancellations(store, Jobs(client, clock), clock)
        own_redis.kill()
        assert (await cancellations.cancel("task_xxx")).refunded
        own_redis.start_again()
        await put_job(client, clock)
        assert 1 == await cancellations.recover()
        assert [] == await jobs_of(client)
    assert {"task_xxx": CREDITS} == await refunds(store)


async def test_job_enqueued_meanwhile_is_removed(
    store: SqlRecords, cancellations: Cancellations, chain: Chain, redis_client: Redis
) -> None:
    """A job counted before a cancellation and enqueued after it, and one that is not counted any more."""
    record = await make(store)
    real = chain._client.enqueue

    async def cancel_first(*args: Any, **options: Any) -> Any:
        await cancellations.cancel("task_xxx")
        return await real(*args, **options)

    chain._client.enqueue = cancel_first  # type: ignore[method-assign]
    assert await chain.enqueue_next(record) is None
    assert [] == await jobs_of(redis_client)
    assert await chain.enqueue_next(record) is None
    assert await chain.retry_dead_letter(record) is None
    assert [] == await jobs_of(redis_client)
