"""Many cancellations at once, in one process and in several."""

import asyncio

from redis import Redis as SyncRedis
from redis.asyncio import Redis

from asynq_exporter.core import FixedClock
from asynq_exporter.core.records import (
    Cancellations,
    Database,
    Jobs,
    SqlRecords,
    Status,
)
from tests.conftest import RedisServer
from tests.core.records.making import CREDITS, USER, jobs_of, make, put_job, refunds
from tests.core.together import processes

CODE = """
from asynq_exporter.core.records import Cancellations, Database, Jobs, SqlRecords

async def main():
    database = Database({url!r})
    store = SqlRecords(database)
    cancellations = Cancellations(store, Jobs(client))
    await store.count_without_job()
    await step()
    doing = [cancellations.cancel(task_id) for task_id in {ids!r} for _ in range(10)]
    done = await asyncio.gather(*doing, return_exceptions=True)
    print(sum(getattr(one, "refunded", False) for one in done), *{{type(one).__name__ for one in done}})
    await database.close()
    await client.aclose()
"""


async def test_200_at_once_give_one_refund(
    store: SqlRecords, database_url: str, jobs: Jobs, redis_client: Redis, clock: FixedClock
) -> None:
    """In several connection pools, as in several processes; all 200 say the same."""
    await make(store)
    await put_job(redis_client, clock)
    databases = [Database(database_url) for _ in range(4)]
    cancels = [Cancellations(SqlRecords(database, clock), jobs, clock) for database in databases]
    results = await asyncio.gather(*(cancels[number % 4].cancel("task_xxx") for number in range(200)))
    assert {(True, CREDITS)} == {(result.refunded, result.credits) for result in results}
    assert {"task_xxx": CREDITS} == await refunds(store)
    assert 0 == await store.balance(USER)
    assert [] == await jobs_of(redis_client)
    for database in databases:
        await database.close()


async def test_200_in_four_processes_give_one_refund_each(
    store: SqlRecords,
    database_url: str,
    redis_server: RedisServer,
    redis_sync: SyncRedis,
    redis_client: Redis,
) -> None:
    """Five tasks, ten calls for each in each process, while two of them finish: never both, never twice."""
    ids = [f"t{number}" for number in range(5)]
    for task_id in ids:
        await make(store, task_id, credits_=7)
    with processes(redis_server, redis_sync, CODE.format(url=database_url, ids=ids), count=4) as started:
        started.wait()
        started.go()
        finished = {task_id for task_id in ids[:2] if await store.finish(task_id, Status.SUCCESS)}
        said = [line.split() for line in started.lines()]
    assert dict.fromkeys(set(ids) - finished, 7) == await refunds(store)
    assert {50 - 10 * len(finished)} == {int(refunded) for refunded, *_ in said}
    assert {"CancelResult", "RecordFinishedError"} >= {kind for _, *kinds in said for kind in kinds}
