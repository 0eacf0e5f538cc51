"""Records and jobs that tests begin with, and what they look at in the end."""

from redis.asyncio import Redis

from asynq_exporter.core import Client, FixedClock, Task, job_id, keys
from asynq_exporter.core.messages import clean_text
from asynq_exporter.core.records import (
    EntryKind,
    NewRecord,
    PlatformClass,
    Settlement,
    SqlRecords,
    Status,
    TaskRecord,
)

USER = 100
CREDITS = 100_000

#: A lease of the tests.
LEASE = 60.0


async def make(
    store: SqlRecords,
    task_id: str = "task_xxx",
    *,
    credits_: int = CREDITS,
    status: Status = Status.SUBMITTED,
    platform_class: PlatformClass = PlatformClass.LONG,
    timeout_seconds: float | None = None,
) -> TaskRecord:
    """Writes a record and reads it."""
    await store.create(
        NewRecord(
            task_id=task_id,
            user_id=USER,
            credits=credits_,
            status=status,
            platform_class=platform_class,
            timeout_seconds=timeout_seconds,
        )
    )
    return await read(store, task_id)


async def read(store: SqlRecords, task_id: str = "task_xxx") -> TaskRecord:
    """The record of a task that has one."""
    record = await store.get(task_id)
    assert record is not None
    return record


async def refunds(store: SqlRecords, user_id: int = USER) -> dict[str, int]:
    """Task -> what was refunded for it; fails if a task was refunded twice."""
    entries = [entry for entry in await store.entries(user_id) if entry.kind is EntryKind.REFUND]
    found = {entry.reference: entry.amount for entry in entries}
    assert len(found) == len(entries)
    return found


async def put_job(
    redis: Redis,
    clock: FixedClock,
    identity: str = "job:task_xxx:0",
    *,
    queue: str = "scheduled",
    in_seconds: float = 0,
) -> None:
    """Puts a job into a queue, as somebody who does not tell the records."""
    await Client(redis, clock).enqueue(
        Task("task:poll", b"{}"), queue=queue, task_id=identity, process_in_seconds=in_seconds
    )


async def jobs_of(redis: Redis, task_id: str = "task_xxx") -> list[str]:
    """The jobs of a task in Redis, read with plain commands: queue and ID."""
    found = []
    for queue in map(clean_text, await redis.smembers(keys.QUEUES)):
        prefix = keys.task_prefix(queue)
        async for key in redis.scan_iter(match=prefix + "*"):
            identity = clean_text(key).removeprefix(prefix)
            if job_id.parse(identity).job == task_id:
                found.append(f"{queue} {identity}")
    return sorted(found)


async def open_settlements(store: SqlRecords) -> list[Settlement]:
    """Those that have something left to do."""
    return await store.open_settlements(opened_before=float("inf"), after="", limit=1000)
