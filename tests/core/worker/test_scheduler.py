"""Periodic tasks: wire section 5.11."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from asynq_exporter.core import AsynqError, Client, FixedClock, Task, TaskInfo, keys, messages
from asynq_exporter.core.client import Options
from asynq_exporter.core.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.core.messages import SchedulerEntry
from asynq_exporter.core.worker import ServerClosedError, option_text
from asynq_exporter.core.worker.periodic_tasks import PeriodicTask, PeriodicTasks
from asynq_exporter.core.worker.scheduler import Scheduler
from tests.conftest import RedisServer
from tests.core.queue_state import Q, T, list_of, message_of, scores_of
from tests.core.worker.serving import gone, there, until

HOUR = 3600


@asynccontextmanager
async def scheduling(
    redis: AsyncRedis, clock: FixedClock, *entries: tuple[str, Task, Options], **config: Any
) -> AsyncIterator[Scheduler]:
    """A running scheduler that looks at a clock of the test every now and then."""
    scheduler = Scheduler(redis, clock=clock, **{"heartbeat_seconds": 0.05, **config})
    for spec, task, options in entries:
        scheduler.register(spec, task, **options)
    await scheduler.start()
    try:
        yield scheduler
    finally:
        await scheduler.shutdown()


async def pass_time(scheduler: Scheduler, clock: FixedClock, seconds: float) -> None:
    """Moves the clock and has the scheduler look at it."""
    clock.advance(seconds)
    scheduler._changed.set()


def entries_of(redis: Redis) -> list[SchedulerEntry]:
    """The records of all schedulers, the last entry first."""
    return [
        messages.decode_scheduler_entry(data)
        for name in redis.scan_iter("asynq:schedulers:*")
        for data in cast("list[bytes]", redis.lrange(name, 0, -1))
    ]


async def test_entry_enqueues_when_it_is_time(
    redis_client: AsyncRedis, redis_sync: Redis, clock: FixedClock
) -> None:
    """Once for each time, with its options, and an event for each."""
    told: list[tuple[str, str]] = []

    async def tell(entry_id: str, outcome: TaskInfo | AsynqError) -> None:
        assert isinstance(outcome, TaskInfo)
        told.append((entry_id, outcome.id))

    def has_told(number: int) -> bool:
        return len(told) == number

    entry = ("0 * * * *", Task("hourly", b"x"), Options(queue=Q, max_retry=3))
    async with scheduling(redis_client, clock, entry, after_enqueue=tell) as scheduler:
        await until(lambda: entries_of(redis_sync), what="the entry is shown")
        assert redis_sync.exists(keys.pending(Q)) == 0
        for number in (1, 2):
            await pass_time(scheduler, clock, HOUR)
            await until(partial(has_told, number), what=f"{number} were enqueued")
        entry_id = told[0][0]
        events = await Inspector(redis_client, clock).enqueue_events(entry_id)
        assert [(event.task_id, event.enqueued_at) for event in events] == [
            (told[1][1], T + 2 * HOUR),
            (told[0][1], T + HOUR),
        ]
    assert list_of(redis_sync, keys.pending(Q)) == [told[1][1], told[0][1]]
    message = message_of(redis_sync, told[0][1])
    assert (message.type, message.payload, message.retry) == ("hourly", b"x", 3)


async def test_missed_times_come_once(redis_client: AsyncRedis, redis_sync: Redis, clock: FixedClock) -> None:
    """A process that stood for hours does not enqueue for each of them."""
    async with scheduling(redis_client, clock, ("0 * * * *", Task("hourly"), Options())) as scheduler:
        await pass_time(scheduler, clock, 5 * HOUR + 600)
        await there(redis_client, keys.pending(Q))
        await until(lambda: _times(redis_sync) == (T + 6 * HOUR, T + HOUR), what="the next hour is planned")
        assert redis_sync.llen(keys.pending(Q)) == 1


def _times(redis: Redis) -> tuple[float | None, ...]:
    """Next and previous time of the entry; nothing before the first heartbeat."""
    return tuple(
        messages.timestamp_seconds(moment)
        for entry in entries_of(redis)
        for moment in (entry.next_enqueue_time, entry.prev_enqueue_time)
    )


async def test_records_are_those_of_asynq(
    redis_client: AsyncRedis, redis_sync: Redis, clock: FixedClock
) -> None:
    """Entries with their options as Go prints them, next and previous time; all gone at the end."""
    entry = ("@every 30s", Task("tick", b"p"), Options(queue="low", max_retry=3))
    async with scheduling(redis_client, clock, entry) as scheduler:
        await until(lambda: entries_of(redis_sync), what="the entry is shown")
        [record] = entries_of(redis_sync)
        assert (record.spec, record.task_type, record.task_payload) == ("@every 30s", "tick", b"p")
        assert list(record.enqueue_options) == ['Queue("low")', "MaxRetry(3)"]
        assert _times(redis_sync) == (T + 30, None)
        name = keys.scheduler_entries(scheduler.scheduler_id)
        assert scores_of(redis_sync, keys.SCHEDULERS) == {name: T + 1}
        await pass_time(scheduler, clock, 30)
        await there(redis_client, keys.scheduler_history(record.id))
        await until(lambda: _times(redis_sync) == (T + 60, T + 30), what="the times moved on")
    assert redis_sync.exists(name, keys.SCHEDULERS, keys.scheduler_history(record.id)) == 0


async def test_entries_come_and_go(redis_client: AsyncRedis, redis_sync: Redis, clock: FixedClock) -> None:
    """While it runs."""
    async with scheduling(redis_client, clock) as scheduler:
        entry_id = scheduler.register("@every 10s", Task("a"))
        scheduler.register("@every 20s", Task("b"))
        await until(lambda: len(entries_of(redis_sync)) == 2, what="both are shown")
        scheduler.unregister(entry_id)
        await until(lambda: len(entries_of(redis_sync)) == 1, what="one is left")
        with pytest.raises(NotFoundError):
            scheduler.unregister(entry_id)
        with pytest.raises(InvalidArgumentError):
            scheduler.register("* * *", Task("c"))
        await pass_time(scheduler, clock, 20)
        await there(redis_client, keys.pending(Q))
    [task_id] = list_of(redis_sync, keys.pending(Q))
    assert message_of(redis_sync, task_id).type == "b"


async def test_duplicate_is_passed_over(
    redis_client: AsyncRedis, redis_sync: Redis, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The guide's word in the log, no event, and the next time comes."""
    caplog.set_level(logging.INFO)
    task = Task("tick")
    await Client(redis_client, clock).enqueue(task, unique_seconds=50)
    async with scheduling(redis_client, clock, ("@every 30s", task, Options(unique_seconds=50))) as scheduler:
        await pass_time(scheduler, clock, 30)
        await until(lambda: "ErrDuplicateTask" in caplog.text, what="it is said")
        redis_sync.delete(keys.unique(Q, "tick", None))
        await pass_time(scheduler, clock, 30)
        await until(lambda: redis_sync.llen(keys.pending(Q)) == 2, what="the next one is enqueued")
        [record] = await _shown(redis_sync)
        await until(lambda: redis_sync.zcard(keys.scheduler_history(record.id)) == 1, what="one event")


async def _shown(redis: Redis) -> list[SchedulerEntry]:
    found: list[SchedulerEntry] = await until(lambda: entries_of(redis), what="the entry is shown")
    return found


async def test_real_time_passes_too(redis_client: AsyncRedis, redis_sync: Redis) -> None:
    """Without anybody's help an entry fires within its second."""
    scheduler = Scheduler(redis_client)
    scheduler.register("@every 1s", Task("tick"))
    await scheduler.start()
    try:
        await until(lambda: redis_sync.llen(keys.pending(Q)) >= 2, what="it fired twice")
    finally:
        await scheduler.shutdown()


async def test_scheduler_outlives_redis(own_redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """A time that Redis was away for is lost, and said; the later ones are not."""
    redis = own_redis.async_client()
    scheduler = Scheduler(redis, heartbeat_seconds=0.1)
    scheduler.register("@every 1s", Task("tick"))
    own_redis.kill()
    await scheduler.start()
    try:
        await until(lambda: "A periodic task was not enqueued" in caplog.text, what="it is said")
        await asyncio.to_thread(own_redis.start_again)
        await there(redis, keys.pending(Q))
    finally:
        await scheduler.shutdown()
        await redis.aclose()


async def test_scheduler_starts_once(redis_client: AsyncRedis, clock: FixedClock) -> None:
    """Running, it refuses a second start; shut down, any."""
    scheduler = Scheduler(redis_client, clock=clock)
    await scheduler.shutdown()
    await scheduler.start()
    with pytest.raises(FailedPreconditionError, match="already running"):
        await scheduler.start()
    await scheduler.shutdown()
    with pytest.raises(ServerClosedError):
        await scheduler.start()


async def test_periodic_tasks_follow_their_source(
    redis_client: AsyncRedis, redis_sync: Redis, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What is new is registered, what is gone unregistered, what stays keeps its entry and its history."""
    first = PeriodicTask(spec="@every 10s", task=Task("a"))
    wanted: list[PeriodicTask] = [first, PeriodicTask(spec="nonsense", task=Task("x"))]

    async def source() -> Iterable[PeriodicTask]:
        return wanted

    scheduler = Scheduler(redis_client, clock=clock, heartbeat_seconds=0.05)
    periodic = PeriodicTasks(scheduler, source, interval_seconds=0.02)
    await periodic.start()
    try:
        await until(lambda: len(entries_of(redis_sync)) == 1, what="the sound one is registered")
        entry_id = periodic.entries[first.identity]
        wanted[1:] = [PeriodicTask(spec="@hourly", task=Task("b"), options=Options(queue="low"))]
        await until(lambda: len(entries_of(redis_sync)) == 2, what="a new one came")
        assert periodic.entries[first.identity] == entry_id
        wanted[:] = wanted[1:]
        await until(lambda: [e.task_type for e in entries_of(redis_sync)] == ["b"], what="the first has gone")
    finally:
        await periodic.shutdown()
    await gone(redis_client, keys.SCHEDULERS)
    assert "A periodic task was left out" in caplog.text


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        ({}, []),
        ({"queue": "low", "max_retry": 3}, ['Queue("low")', "MaxRetry(3)"]),
        ({"queue": 'a"b\\c\n\x00é\u200b'}, ['Queue("a\\"b\\\\c\\n\\u0000é\\u200b")']),
        ({"max_retry": -1}, ["MaxRetry(0)"]),
        ({"timeout_seconds": 1800}, ["Timeout(30m0s)"]),
        ({"unique_seconds": 3600}, ["Unique(1h0m0s)"]),
        ({"process_in_seconds": 0.5}, ["ProcessIn(500ms)"]),
        ({"retention_seconds": 86_400}, ["Retention(24h0m0s)"]),
        ({"deadline": 1_767_225_600}, ["Deadline(Thu Jan  1 00:00:00 UTC 2026)"]),
        ({"process_at": 1_772_323_199}, ["ProcessAt(Sat Feb 28 23:59:59 UTC 2026)"]),
        ({"group": "g", "task_id": "x"}, ['Group("g")', 'TaskID("x")']),
        ({"headers": {"k": "v"}}, ['Header(["k","v"])']),
    ],
)
def test_options_as_go_prints_them(options: Options, texts: list[str]) -> None:
    """4.12: in the order in which they were given."""
    assert option_text.texts_of(options) == texts
