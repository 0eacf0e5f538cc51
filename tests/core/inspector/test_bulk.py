"""Changes of all tasks of a state, in batches (wire section 4.8)."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis import Redis

from asynq_exporter.core import FixedClock, TaskState, keys
from asynq_exporter.core.errors import InvalidArgumentError, QueueNotFoundError
from asynq_exporter.core.inspector import BulkResult, Inspector
from tests.core.inspector.placing import GROUP_OF, PLACE, fill
from tests.core.queue_state import Q, T, everything, hash_of, list_of, scores_of

S = TaskState

#: More than two batches.
IDS = [f"{n:03}" for n in range(250)]

RUNNABLE = [S.SCHEDULED, S.RETRY, S.ARCHIVED, S.AGGREGATING]
ARCHIVABLE = [S.PENDING, S.SCHEDULED, S.RETRY, S.AGGREGATING]
DELETABLE = [S.PENDING, S.SCHEDULED, S.RETRY, S.ARCHIVED, S.COMPLETED, S.AGGREGATING]

#: Wire 4.8: whose locks go with their tasks.
FREES_LOCKS = {S.SCHEDULED, S.RETRY, S.ARCHIVED, S.COMPLETED}

Method = Callable[..., Awaitable[BulkResult]]


def methods(inspector: Inspector) -> dict[str, Method]:
    """The three operations by name."""
    return {"run": inspector.run_all, "archive": inspector.archive_all, "delete": inspector.delete_all}


def locks(redis: Redis) -> int:
    """How many of the tasks' locks are held."""
    return len(redis.keys("lock:*"))


@pytest.mark.parametrize("state", RUNNABLE)
async def test_all_are_run_the_earliest_first(
    inspector: Inspector, redis_sync: Redis, state: TaskState
) -> None:
    """Behind what waits, without pending_since; locks and messages stay, an empty group is unlisted."""
    fill(redis_sync, S.PENDING, ["waiting"])
    fill(redis_sync, state, IDS, lock=True)
    before = hash_of(redis_sync, "007")
    result = await inspector.run_all(Q, state, group=GROUP_OF[state])
    assert result == BulkResult(done=250, trimmed=0, remaining=0)
    assert list_of(redis_sync, keys.pending(Q)) == [*reversed(IDS), "waiting"]
    assert hash_of(redis_sync, "007") == {**before, "state": b"pending"}
    assert not redis_sync.exists(PLACE[state], keys.groups(Q))
    assert locks(redis_sync) == 250


@pytest.mark.parametrize("state", ARCHIVABLE)
async def test_all_are_archived(inspector: Inspector, redis_sync: Redis, state: TaskState) -> None:
    """At one moment; messages, counters and locks stay, an empty group is unlisted."""
    fill(redis_sync, state, IDS, lock=True)
    before = hash_of(redis_sync, "007")
    result = await inspector.archive_all(Q, state, group=GROUP_OF[state])
    assert result == BulkResult(done=250, trimmed=0, remaining=0)
    assert scores_of(redis_sync, keys.archived(Q)) == dict.fromkeys(IDS, T)
    assert hash_of(redis_sync, "007") == {**before, "state": b"archived"}
    assert not redis_sync.exists(PLACE[state], keys.groups(Q), keys.processed(Q), keys.failed(Q))
    assert locks(redis_sync) == 250


@pytest.mark.parametrize("state", DELETABLE)
async def test_all_are_deleted(inspector: Inspector, redis_sync: Redis, state: TaskState) -> None:
    """With their hashes; locks are freed by four states and kept by two."""
    fill(redis_sync, state, IDS, lock=True)
    redis_sync.set("lock:007", "another")
    result = await inspector.delete_all(Q, state, group=GROUP_OF[state])
    assert result == BulkResult(done=250, trimmed=0, remaining=0)
    left = {key for key in everything(redis_sync) if not key.startswith("lock:")}
    assert left == {keys.QUEUES}
    assert locks(redis_sync) == (1 if state in FREES_LOCKS else 250)


@pytest.mark.parametrize(
    ("operation", "state"),
    [
        *(("run", state) for state in set(S) - set(RUNNABLE)),
        *(("archive", state) for state in set(S) - set(ARCHIVABLE)),
        *(("delete", state) for state in set(S) - set(DELETABLE)),
    ],
)
async def test_operation_that_does_not_exist(
    inspector: Inspector, redis_sync: Redis, operation: str, state: TaskState
) -> None:
    """Active tasks belong to their workers, completed ones are only deleted, and so on."""
    redis_sync.sadd(keys.QUEUES, Q)
    with pytest.raises(InvalidArgumentError, match="cannot all be"):
        await methods(inspector)[operation](Q, state)


@pytest.mark.parametrize("operation", ["run", "archive", "delete"])
async def test_what_is_refused(inspector: Inspector, redis_sync: Redis, operation: str) -> None:
    """An unknown queue, a limit of nothing, a group where none belongs or none where one does."""
    fill(redis_sync, S.RETRY, ["1"])
    method = methods(inspector)[operation]
    with pytest.raises(QueueNotFoundError):
        await method("nowhere", S.RETRY)
    for options in (
        {"state": S.RETRY, "limit": 0},
        {"state": S.RETRY, "group": "g"},
        {"state": S.AGGREGATING},
    ):
        with pytest.raises(InvalidArgumentError):
            await method(Q, **options)
    assert redis_sync.zcard(keys.retry(Q)) == 1


@pytest.mark.parametrize("operation", ["run", "archive", "delete"])
async def test_limit_and_progress(inspector: Inspector, redis_sync: Redis, operation: str) -> None:
    """Batches of 100 up to the limit, told after each; the earliest tasks are those taken."""
    fill(redis_sync, S.RETRY, IDS)
    told: list[tuple[int, int]] = []
    result = await methods(inspector)[operation](
        Q, S.RETRY, limit=220, progress=lambda done, total: told.append((done, total))
    )
    assert told == [(100, 220), (200, 220), (220, 220)]
    assert (result.done, result.remaining) == (220, 30)
    assert list(scores_of(redis_sync, keys.retry(Q))) == IDS[220:]


async def test_oldest_pending_tasks_are_taken_first(inspector: Inspector, redis_sync: Redis) -> None:
    """From the end that no new task joins."""
    fill(redis_sync, S.PENDING, IDS)
    await inspector.delete_all(Q, S.PENDING, limit=249)
    assert list_of(redis_sync, keys.pending(Q)) == IDS[249:]


async def test_archive_never_outgrows_its_size(inspector: Inspector, redis_sync: Redis) -> None:
    """4.8 and 4.7: as if archived at once and then trimmed, but the hashes of the trimmed ones go."""
    fill(redis_sync, S.ARCHIVED, ["old"], score=T - 5)
    ids = fill(redis_sync, S.PENDING, (f"{(n * 7919) % 10_050:05}" for n in range(10_050)))
    sizes: list[int] = []

    def watch(_done: int, _total: int) -> None:
        sizes.append(redis_sync.zcard(keys.archived(Q)))

    result = await inspector.archive_all(Q, S.PENDING, progress=watch)
    assert result == BulkResult(done=10_050, trimmed=52, remaining=0)
    assert max(sizes) == 9_999
    kept = sorted(ids)[-9_999:]
    assert list(scores_of(redis_sync, keys.archived(Q))) == kept
    hashes = set(redis_sync.keys(keys.task_prefix(Q) + "*"))
    assert hashes == {keys.task(Q, task_id).encode() for task_id in kept}


async def test_old_archive_is_trimmed_even_without_new_tasks(inspector: Inspector, redis_sync: Redis) -> None:
    """The trim goes on until the archive has its size and age."""
    days = 90 * 24 * 3600
    fill(redis_sync, S.ARCHIVED, IDS, score=T - days - 249)
    fill(redis_sync, S.RETRY, ["1"])
    assert await inspector.archive_all(Q, S.RETRY) == BulkResult(done=1, trimmed=250, remaining=0)
    assert scores_of(redis_sync, keys.archived(Q)) == {"1": T}


@pytest.mark.parametrize("come_back_at", [T - 1000, T + 1000])
async def test_task_that_fails_again_is_not_run_twice(
    inspector: Inspector, redis_sync: Redis, come_back_at: int
) -> None:
    """Workers fail what was just run; all others are run nonetheless, each once."""
    fill(redis_sync, S.RETRY, IDS)
    ran: list[str] = []

    def fail_all(_done: int, _total: int) -> None:
        while task_id := redis_sync.rpop(keys.pending(Q)):
            assert isinstance(task_id, bytes)
            ran.append(task_id.decode())
            redis_sync.zadd(keys.retry(Q), {task_id: come_back_at})

    result = await inspector.run_all(Q, S.RETRY, progress=fail_all)
    assert ran == IDS
    assert result == BulkResult(done=250, trimmed=0, remaining=250)


async def test_task_that_comes_back_and_leaves_hides_none(inspector: Inspector, redis_sync: Redis) -> None:
    """The ranks of those that came back are passed over; who takes these ranks later is run too."""
    fill(redis_sync, S.RETRY, IDS)
    ran: list[str] = []

    def come_and_go(done: int, _total: int) -> None:
        while task_id := redis_sync.rpop(keys.pending(Q)):
            assert isinstance(task_id, bytes)
            ran.append(task_id.decode())
        if done == 100:
            redis_sync.zadd(keys.retry(Q), dict.fromkeys(ran, T - 1))
        elif done == 200:
            redis_sync.zrem(keys.retry(Q), *ran[:100])

    result = await inspector.run_all(Q, S.RETRY, progress=come_and_go)
    assert ran == IDS
    assert result == BulkResult(done=250, trimmed=0, remaining=0)


async def test_queue_that_grows_meanwhile_ends_it(inspector: Inspector, redis_sync: Redis) -> None:
    """As many as there were at the beginning, and those that were there, not the new ones."""
    fill(redis_sync, S.PENDING, IDS)

    def grow(_done: int, _total: int) -> None:
        redis_sync.lpush(keys.pending(Q), *(f"new-{n}" for n in range(100)))

    result = await inspector.delete_all(Q, S.PENDING, progress=grow)
    assert result == BulkResult(done=250, trimmed=0, remaining=300)
    assert all(task_id.startswith("new-") for task_id in list_of(redis_sync, keys.pending(Q)))


async def test_queue_that_shrinks_meanwhile_ends_it(inspector: Inspector, redis_sync: Redis) -> None:
    """Others may empty it: that is the end, not a loop."""
    for operation, method in methods(inspector).items():
        fill(redis_sync, S.RETRY, IDS)
        told: list[int] = []

        def empty(done: int, _total: int, told: list[int] = told) -> None:
            told.append(done)
            redis_sync.delete(keys.retry(Q))

        result = await method(Q, S.RETRY, progress=empty)
        assert (result.done, told) == (100, [100]), operation


@pytest.mark.parametrize(("operation", "done"), [("run", 1), ("archive", 1), ("delete", 2)])
async def test_id_without_a_hash_is_dropped(
    inspector: Inspector, redis_sync: Redis, operation: str, done: int
) -> None:
    """Trap 12: it is not moved on as a ghost, which a worker would take and never finish."""
    fill(redis_sync, S.RETRY, ["sound"])
    redis_sync.zadd(keys.retry(Q), {"ghost": T})
    result = await methods(inspector)[operation](Q, S.RETRY)
    assert result == BulkResult(done=done, trimmed=0, remaining=0)
    assert hash_of(redis_sync, "ghost") == {}
    assert "ghost" not in list_of(redis_sync, keys.pending(Q))
    assert "ghost" not in scores_of(redis_sync, keys.archived(Q))


async def test_other_groups_stay(inspector: Inspector, redis_sync: Redis, clock: FixedClock) -> None:
    """A group that still has tasks stays listed, and another one untouched."""
    fill(redis_sync, S.AGGREGATING, IDS)
    redis_sync.zadd(keys.group(Q, "other"), {"x": T})
    redis_sync.sadd(keys.groups(Q), "other")
    result = await inspector.delete_all(Q, S.AGGREGATING, group=GROUP_OF[S.AGGREGATING], limit=249)
    assert result.remaining == 1
    assert redis_sync.smembers(keys.groups(Q)) == {b"other", GROUP_OF[S.AGGREGATING].encode()}
    await inspector.delete_all(Q, S.AGGREGATING, group=GROUP_OF[S.AGGREGATING])
    assert redis_sync.smembers(keys.groups(Q)) == {b"other"}


async def test_no_script_does_more_than_a_batch(inspector: Inspector, redis_sync: Redis) -> None:
    """No single command of 1,000 deletions, runs or archivings keeps Redis for long: 100 tasks each."""
    ids = [str(n) for n in range(1000)]
    for operation, method in methods(inspector).items():
        fill(redis_sync, S.RETRY, ids)
        redis_sync.config_resetstat()
        await method(Q, S.RETRY)
        stats: dict[str, Any] = redis_sync.info("commandstats")
        calls = stats["cmdstat_evalsha"]["calls"]
        assert calls >= 10, operation
