"""Queues: list, numbers, history, pause, deletion, memory (wire sections 4.2-4.4, 4.9, 4.10)."""

from typing import Any

import pytest
from redis import Redis

from asynq_exporter.core import Broker, FixedClock, TaskState, keys
from asynq_exporter.core.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    QueueActiveError,
    QueueNotEmptyError,
    QueueNotFoundError,
)
from asynq_exporter.core.inspector import Inspector
from tests.core.inspector.placing import GROUP, fill, place
from tests.core.queue_state import DAY, Q, T, everything

S = TaskState


async def test_queues_are_listed_in_order(inspector: Inspector, redis_sync: Redis) -> None:
    """4.2: whatever their names."""
    assert await inspector.queues() == []
    redis_sync.sadd(keys.QUEUES, "low", 'odd "q" {x}\n中', "default", b"\xff")
    assert await inspector.queues() == ["default", "low", 'odd "q" {x}\n中', "\ufffd"]


async def test_info_counts_every_state(inspector: Inspector, clock: FixedClock, redis_sync: Redis) -> None:
    """4.3: and says what is work (ours) and what is stored (asynq's size)."""
    for number, state in enumerate(S, start=1):
        fill(redis_sync, state, (f"{state}-{n}" for n in range(number)))
    redis_sync.zadd(keys.lease(Q), {"active-0": T + 30, "active-1": T - 1})
    clock.advance(100)
    info = await inspector.queue_info(Q)
    assert info.tasks == {state: number for number, state in enumerate(S, start=1)}
    assert (info.queue, info.groups, info.aggregating_exact, info.orphaned) == (Q, 1, True, 2)
    assert info.stored == 28
    assert info.size == 28 - info.tasks[S.ARCHIVED] - info.tasks[S.COMPLETED]
    assert (info.latency_seconds, info.timestamp) == (100, T + 100)
    assert (info.paused, info.paused_since) == (False, None)


async def test_info_of_an_empty_queue(inspector: Inspector, redis_sync: Redis) -> None:
    """Missing keys are zeros."""
    redis_sync.sadd(keys.QUEUES, Q)
    info = await inspector.queue_info(Q)
    assert set(info.tasks.values()) == {0}
    assert (info.size, info.stored, info.groups, info.orphaned, info.latency_seconds) == (0, 0, 0, 0, 0)
    assert (info.processed_today, info.failed_today, info.processed_total, info.failed_total) == (0,) * 4


async def test_totals_are_exact(inspector: Inspector, redis_sync: Redis) -> None:
    """4.3: asynq's pass through doubles; garbage counts as nothing."""
    redis_sync.sadd(keys.QUEUES, Q)
    redis_sync.set(keys.processed(Q), 2**63 - 1)
    redis_sync.set(keys.failed(Q), "many")
    redis_sync.set(keys.processed_on(Q, DAY), 7)
    redis_sync.set(keys.failed_on(Q, DAY), 3)
    info = await inspector.queue_info(Q)
    assert (info.processed_total, info.failed_total) == (2**63 - 1, 0)
    assert (info.processed_today, info.failed_today) == (7, 3)


async def test_latency_is_unknown_without_pending_since(
    inspector: Inspector, broker: Broker, redis_sync: Redis
) -> None:
    """Trap 8: the task next to run was run by hand; that is no latency of 0."""
    await place(broker, S.RETRY)
    await inspector.run_task(Q, "1")
    assert (await inspector.queue_info(Q)).latency_seconds is None


async def test_aggregating_is_estimated_beyond_a_thousand_groups(
    inspector: Inspector, redis_sync: Redis
) -> None:
    """So that a million groups do not slow it down."""
    redis_sync.sadd(keys.QUEUES, Q)
    pipe = redis_sync.pipeline()
    for n in range(1500):
        pipe.zadd(keys.group(Q, str(n)), {"a": T, "b": T})
    pipe.sadd(keys.groups(Q), *range(1500))
    pipe.execute()
    info = await inspector.queue_info(Q)
    assert (info.tasks[S.AGGREGATING], info.aggregating_exact, info.groups) == (3000, False, 1500)


async def test_history_is_newest_first(inspector: Inspector, clock: FixedClock, redis_sync: Redis) -> None:
    """4.4: UTC days, missing ones are zeros."""
    redis_sync.sadd(keys.QUEUES, Q)
    clock.advance(86_399)
    redis_sync.set(keys.processed_on(Q, DAY), 7)
    redis_sync.set(keys.failed_on(Q, DAY), 3)
    redis_sync.set(keys.processed_on(Q, "2099-12-30"), 5)
    days = await inspector.history(Q, 4)
    assert [(day.date, day.processed, day.failed) for day in days] == [
        (DAY, 7, 3),
        ("2099-12-31", 0, 0),
        ("2099-12-30", 5, 0),
        ("2099-12-29", 0, 0),
    ]
    assert len(await inspector.history(Q, 366)) == 366
    for number in (0, -1, 367):
        with pytest.raises(InvalidArgumentError):
            await inspector.history(Q, number)


async def test_pause_and_unpause_each_work_once(inspector: Inspector, redis_sync: Redis) -> None:
    """3.28: whether the queue is registered or not."""
    await inspector.pause(Q)
    with pytest.raises(FailedPreconditionError, match="already paused"):
        await inspector.pause(Q)
    redis_sync.sadd(keys.QUEUES, Q)
    info = await inspector.queue_info(Q)
    assert (info.paused, info.paused_since) == (True, T)
    await inspector.unpause(Q)
    with pytest.raises(FailedPreconditionError, match="not paused"):
        await inspector.unpause(Q)
    assert not (await inspector.queue_info(Q)).paused
    for method in (inspector.pause, inspector.unpause):
        with pytest.raises(InvalidArgumentError):
            await method(" ")


@pytest.mark.parametrize("method", ["queue_info", "history", "memory_usage_bytes", "delete_queue"])
async def test_unknown_queue(inspector: Inspector, method: str) -> None:
    """4.1: all say the same of a queue that is not registered, and of a blank name."""
    more: list[Any] = [7] if method == "history" else []
    with pytest.raises(QueueNotFoundError):
        await getattr(inspector, method)("nowhere", *more)
    with pytest.raises(InvalidArgumentError):
        await getattr(inspector, method)("", *more)


@pytest.mark.parametrize("state", [S.PENDING, S.ACTIVE, S.SCHEDULED, S.RETRY, S.ARCHIVED])
async def test_queue_with_tasks_is_not_deleted(
    inspector: Inspector, broker: Broker, redis_sync: Redis, state: TaskState
) -> None:
    """4.9: without force, and nothing changes."""
    await place(broker, state)
    before = everything(redis_sync)
    with pytest.raises(QueueNotEmptyError) as caught:
        await inspector.delete_queue(Q)
    assert caught.value.code == "queue_not_empty"
    assert everything(redis_sync) == before


async def test_queue_with_completed_and_grouped_tasks_counts_as_empty(
    inspector: Inspector, broker: Broker, redis_sync: Redis
) -> None:
    """4.9, conformance 10.6 item 10: it goes, and these stay behind with flag and counters."""
    await place(broker, S.COMPLETED, "done")
    await place(broker, S.AGGREGATING, "grouped")
    await inspector.pause(Q)
    before = everything(redis_sync)
    assert await inspector.delete_queue(Q) == 0
    del before[keys.QUEUES]
    assert everything(redis_sync) == before
    assert {keys.completed(Q), keys.group(Q, GROUP), keys.paused(Q), keys.processed(Q)} <= before.keys()
    with pytest.raises(QueueNotFoundError):
        await inspector.delete_queue(Q)


async def test_force_deletes_the_tasks_in_batches(
    inspector: Inspector, broker: Broker, redis_sync: Redis
) -> None:
    """4.9: of four states, with their hashes and the lease set; locks stay, no script does more than 100."""
    for state in (S.PENDING, S.SCHEDULED, S.RETRY, S.ARCHIVED):
        fill(redis_sync, state, (f"{state}-{n}" for n in range(250)), lock=state is S.RETRY)
    fill(redis_sync, S.COMPLETED, ["kept"])
    redis_sync.zadd(keys.lease(Q), {"left-over": T})
    told: list[tuple[int, int]] = []
    redis_sync.config_resetstat()
    deleted = await inspector.delete_queue(Q, force=True, progress=lambda *numbers: told.append(numbers))
    assert deleted == 1000
    assert told[:3] == [(100, 250), (200, 250), (250, 250)]
    left = everything(redis_sync)
    assert {key for key in left if not key.startswith("lock:")} == {keys.completed(Q), keys.task(Q, "kept")}
    assert sum(key.startswith("lock:") for key in left) == 250


async def test_force_does_not_touch_a_queue_with_active_tasks(
    inspector: Inspector, broker: Broker, redis_sync: Redis
) -> None:
    """4.9: refused before anything is deleted."""
    await place(broker, S.ACTIVE)
    fill(redis_sync, S.RETRY, (str(n) for n in range(2, 300)))
    before = everything(redis_sync)
    with pytest.raises(QueueActiveError) as caught:
        await inspector.delete_queue(Q, force=True)
    assert caught.value.code == "queue_active"
    assert everything(redis_sync) == before


async def test_task_that_starts_meanwhile_stops_the_deletion(inspector: Inspector, redis_sync: Redis) -> None:
    """The queue stays registered, and what was deleted is gone."""
    fill(redis_sync, S.RETRY, (str(n) for n in range(300)))

    def start(_done: int, _total: int) -> None:
        if not redis_sync.exists(keys.active(Q)):
            fill(redis_sync, S.ACTIVE, ["started"])

    with pytest.raises(QueueActiveError):
        await inspector.delete_queue(Q, force=True, progress=start)
    assert await inspector.queues() == [Q]
    assert redis_sync.exists(keys.task(Q, "started"))


async def test_queue_that_grows_for_ever_is_given_up(inspector: Inspector, redis_sync: Redis) -> None:
    """Ten rounds, then an error, not a loop."""
    fill(redis_sync, S.PENDING, (str(n) for n in range(150)))

    def grow(_done: int, _total: int) -> None:
        redis_sync.lpush(keys.pending(Q), *range(150))

    with pytest.raises(FailedPreconditionError, match="grows faster"):
        await inspector.delete_queue(Q, force=True, progress=grow)


async def test_memory_of_a_queue(inspector: Inspector, redis_sync: Redis) -> None:
    """4.3: more tasks and longer ones weigh more; an ID without a hash weighs nothing and breaks nothing."""
    redis_sync.sadd(keys.QUEUES, Q)
    assert await inspector.memory_usage_bytes(Q) == 0
    fill(redis_sync, S.PENDING, (str(n) for n in range(100)), payload=bytes(1000))
    pending = await inspector.memory_usage_bytes(Q)
    assert 100_000 < pending < 200_000
    fill(redis_sync, S.AGGREGATING, (f"g{n}" for n in range(100)), payload=bytes(1000))
    assert 200_000 < await inspector.memory_usage_bytes(Q) < 400_000
    redis_sync.zadd(keys.retry(Q), {"ghost": T})
    assert await inspector.memory_usage_bytes(Q) > pending
