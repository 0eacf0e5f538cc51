"""Processes killed at every step: nothing done, or what the next start completes."""

import subprocess
import sys

import pytest
from redis.asyncio import Redis

from asynq_exporter.core import FixedClock, job_id
from asynq_exporter.core.messages import clean_text
from asynq_exporter.core.records import (
    Cancellations,
    Chain,
    Database,
    Fallback,
    Handled,
    Handler,
    Jobs,
    Migration,
    Poller,
    Settlement,
    SqlRecords,
    Status,
    TaskRecord,
)
from tests.conftest import RedisServer
from tests.core.queue_state import T
from tests.core.records.killing import MADE
from tests.core.records.making import jobs_of, make, put_job, read, refunds
from tests.processes import ROOT

#: More than a cancellation has steps; each child has a task of its own.
TASKS = 80


def kill_at_every_step(what: str, database_url: str, server: RedisServer) -> int:
    """Number of the child that was not killed."""
    argv = [sys.executable, "-m", "tests.core.records.killing", what, database_url, str(server.port)]
    done = subprocess.run(argv, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, timeout=120)
    return int(done.stdout)


class NotedRefunds:
    """A receiver that notes each message."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def give_back(self, settlement: Settlement) -> None:
        """Notes it."""
        await self._redis.rpush(MADE, settlement.key)


@pytest.mark.parametrize("what", ["cancel", "webhook"])
async def test_killed_cancellation_is_all_or_nothing(
    what: str,
    database: Database,
    database_url: str,
    redis_server: RedisServer,
    redis_client: Redis,
    clock: FixedClock,
) -> None:
    """What was begun is completed by the next start, once; what was not is as if nobody had come."""
    is_elsewhere = what == "webhook"
    store = SqlRecords(database, clock, keeps_ledger=not is_elsewhere)
    tasks = {f"k{number}": number for number in range(1, TASKS)}
    for task_id, number in tasks.items():
        await make(store, task_id, credits_=number)
        await put_job(redis_client, clock, job_id.build(task_id))

    survivor = kill_at_every_step(what, database_url, redis_server)
    begun = {task_id for task_id in tasks if (await read(store, task_id)).is_finished}
    noted = NotedRefunds(redis_client) if is_elsewhere else None
    next_start = Cancellations(
        store, Jobs(redis_client, clock), FixedClock(seconds=T + 20_000), refunds=noted
    )
    await next_start.recover()

    assert 10 < len(begun) < survivor < TASKS, "killed before the beginning and after it"
    for task_id in tasks:
        is_begun = task_id in begun
        assert (Status.FAILURE if is_begun else Status.SUBMITTED) is (await read(store, task_id)).status
        assert (0 if is_begun else 1) == len(await jobs_of(redis_client, task_id))
    if is_elsewhere:
        # One key may come twice, where the answer was not noted; the receiver refunds a key once.
        assert {f"refund:{task_id}" for task_id in begun} == set(await messages(redis_client))
    else:
        assert {task_id: tasks[task_id] for task_id in begun} == await refunds(store)
    assert [] == await store.open_settlements(opened_before=float("inf"), after="", limit=1)


async def test_killed_migration_goes_on(
    store: SqlRecords, database_url: str, redis_server: RedisServer, redis_client: Redis, clock: FixedClock
) -> None:
    """Each process is killed a step later than the one before; in the end every task has its job once."""
    tasks = [f"m{number}" for number in range(5)]
    for task_id in tasks:
        await make(store, task_id)
    assert 20 < kill_at_every_step("migrate", database_url, redis_server)
    assert 0 == await store.count_without_job()
    for task_id in tasks:
        assert [f"scheduled job:{task_id}:0"] == await jobs_of(redis_client, task_id)
    assert await Migration(store, redis_client, clock).run() is not None, "the last one released the lock"


async def test_killed_fallback_polling_refunds_once(
    store: SqlRecords,
    cancellations: Cancellations,
    database_url: str,
    redis_server: RedisServer,
) -> None:
    """What a killed process had taken comes back when its lease ends; every task is refunded once."""
    tasks = [f"f{number}" for number in range(8)]
    for task_id in tasks:
        await make(store, task_id, credits_=7)
    kill_at_every_step("fallback", database_url, redis_server)
    later = FixedClock(seconds=T + 20_000)
    then = SqlRecords(store._database, later)

    async def poll(_: TaskRecord) -> str:
        return ""

    await Fallback(then, Poller(then, cancellations, poll, later), later).round()
    await cancellations.recover()
    assert dict.fromkeys(tasks, 7) == await refunds(store)


async def test_killed_job_breaks_no_chain(
    store: SqlRecords, database_url: str, redis_server: RedisServer, redis_client: Redis
) -> None:
    """Asynq runs the job of a killed worker again; then every task has one job that waits, its latest."""
    tasks = [f"k{number}" for number in range(1, TASKS)]
    for task_id in tasks:
        await make(store, task_id, timeout_seconds=1_000_000)
        await store.next_attempt(task_id)
    survivor = kill_at_every_step("handle", database_url, redis_server)
    later = FixedClock(seconds=T + 10_100)
    then = SqlRecords(store._database, later)
    cancellations = Cancellations(then, Jobs(redis_client, later), later)

    async def poll(_: TaskRecord) -> str:
        return "IN_PROGRESS"

    poller, chain = Poller(then, cancellations, poll, later), Chain(redis_client, then, later)
    handled = [await Handler(then, poller, chain, later).handle(job_id.build(task_id)) for task_id in tasks]
    assert {Handled.POLLED, Handled.MENDED, Handled.DROPPED} == set(handled)
    assert 10 < survivor < TASKS
    for task_id in tasks:
        latest = (await read(store, task_id)).attempt
        assert [f"scheduled {job_id.build(task_id, latest)}"] == await jobs_of(redis_client, task_id)


async def messages(redis: Redis) -> list[str]:
    """The refunds that a receiver was asked for."""
    return [clean_text(key) for key in await redis.lrange(MADE, 0, -1)]
