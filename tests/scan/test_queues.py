"""What the scan reads of a queue."""

import math
from typing import TYPE_CHECKING

import pytest

from asynq_exporter.core import keys
from asynq_exporter.core.clock import utc_day
from asynq_exporter.scan.queues import TAIL
from tests.scan.conftest import Scan

if TYPE_CHECKING:
    import redis

Q = "default"


def push_pending(client: "redis.Redis", *tasks: tuple[str, float | None]) -> None:
    """Enqueues tasks in order, each with the Unix second since when it waits, or without."""
    for task_id, since in tasks:
        client.lpush(keys.pending(Q), task_id)
        client.hset(keys.task(Q, task_id), "state", "pending")
        if since is not None:
            client.hset(keys.task(Q, task_id), "pending_since", int(since * 1e9))


async def test_empty_catalogue_queues_are_zero(redis_sync: "redis.Redis", scan: Scan) -> None:
    """The documented queues are there, with zeros, before anyone ever enqueued."""
    queues = (await scan()).queues

    assert queues.names == ("critical", "dead_letter", "default", "high", "low", "scheduled")
    row = dict(queues.of("default"))
    assert (row.pop("weight"), row.pop("capacity"), row.pop("backpressure")) == (4, 10_000, "NORMAL")
    assert {0} == set(row.values())


async def test_sizes_are_the_lengths_in_redis(redis_sync: "redis.Redis", scan: Scan, now: float) -> None:
    """Each state is counted; the size is that of guide section 2.6, where dead and kept tasks are no work."""
    push_pending(redis_sync, *[(f"p{i}", now) for i in range(100)])
    for i in range(10):
        redis_sync.lpush(keys.active(Q), f"a{i}")
        redis_sync.zadd(keys.lease(Q), {f"a{i}": now + 30})
    redis_sync.zadd(keys.scheduled(Q), {f"s{i}": now + 60 for i in range(35)})
    redis_sync.zadd(keys.retry(Q), {f"r{i}": now + 60 for i in range(5)})
    redis_sync.zadd(keys.archived(Q), {f"d{i}": now - 10 for i in range(3)})
    redis_sync.zadd(keys.completed(Q), {f"c{i}": now + 60 for i in range(7)})

    row = (await scan()).queues.of(Q)

    assert tuple(
        row[state] for state in ("pending", "active", "scheduled", "retry", "archived", "completed")
    ) == (100, 10, 35, 5, 3, 7)
    assert row["size"] == 150
    assert row["utilization"] == 0.015


async def test_counters_are_exact_beyond_double_precision(redis_sync: "redis.Redis", scan: Scan) -> None:
    """Totals and the counters of today are read to the last digit."""
    redis_sync.set(keys.processed(Q), 2**53 + 1)
    redis_sync.set(keys.failed(Q), 12)
    day = utc_day(int(redis_sync.time()[0]) * 10**9)
    redis_sync.set(keys.processed_on(Q, day), 5)

    row = (await scan()).queues.of(Q)

    assert tuple(row[name] for name in ("processed", "failed", "processed_today", "failed_today")) == (
        2**53 + 1,
        12,
        5,
        0,
    )


async def test_total_missing_falls_back_to_today(redis_sync: "redis.Redis", scan: Scan) -> None:
    """Servers before 0.20 keep daily counters only; those are told instead of a false zero."""
    day = utc_day(int(redis_sync.time()[0]) * 10**9)
    redis_sync.set(keys.processed_on(Q, day), 5)

    assert (await scan()).queues.of(Q)["processed"] == 5


async def test_paused_is_the_existence_of_the_key(redis_sync: "redis.Redis", scan: Scan) -> None:
    """Whatever is in the key, the queue is paused."""
    redis_sync.set(keys.paused("low"), "")

    queues = (await scan()).queues

    assert (queues.of("low")["paused"], queues.of(Q)["paused"]) == (1, 0)


async def test_latency_is_the_age_of_the_next_task(redis_sync: "redis.Redis", scan: Scan, now: float) -> None:
    """The task at the old end tells since when it waits."""
    push_pending(redis_sync, ("old", now - 3600), ("new", now - 1))

    row = (await scan()).queues.of(Q)

    assert math.isclose(3600, row["latency_seconds"], abs_tol=5)
    assert row["latency_seconds"] == row["tail_latency_seconds"]


async def test_latency_survives_a_requeued_tail(redis_sync: "redis.Redis", scan: Scan, now: float) -> None:
    """After a shutdown requeue the next task tells nothing; its neighbours do."""
    push_pending(redis_sync, *[(f"t{i}", now - 3600 + i) for i in range(10)])
    redis_sync.rpush(keys.pending(Q), "requeued")
    redis_sync.hset(keys.task(Q, "requeued"), "state", "pending")

    row = (await scan()).queues.of(Q)

    assert math.isclose(3600, row["latency_seconds"], abs_tol=5)
    assert row["tail_latency_seconds"] is None


async def test_latency_is_unknown_when_nobody_tells(redis_sync: "redis.Redis", scan: Scan) -> None:
    """Unknown is no zero."""
    push_pending(redis_sync, *[(f"t{i}", None) for i in range(TAIL + 1)])

    assert (await scan()).queues.of(Q)["latency_seconds"] is None


async def test_latency_of_a_task_from_the_future_is_zero(
    redis_sync: "redis.Redis", scan: Scan, now: float
) -> None:
    """A client whose clock runs ahead gives no negative age."""
    push_pending(redis_sync, ("ahead", now + 60))

    assert (await scan()).queues.of(Q)["latency_seconds"] == 0


async def test_overdue_tasks_and_their_delay(redis_sync: "redis.Redis", scan: Scan, now: float) -> None:
    """Due tasks that nobody moved are counted, and the most overdue of both sets gives the delay."""
    redis_sync.zadd(keys.scheduled(Q), {"a": now - 50, "b": now - 10, "c": now + 100})
    redis_sync.zadd(keys.retry(Q), {"d": now - 120, "e": now + 100})

    row = (await scan()).queues.of(Q)

    assert (row["scheduled_overdue"], row["retry_overdue"]) == (2, 1)
    assert math.isclose(120, row["forwarding_delay_seconds"], abs_tol=5)


async def test_dead_tasks_of_the_last_hour(redis_sync: "redis.Redis", scan: Scan, now: float) -> None:
    """Growth is counted by arrival, and the oldest has an age."""
    redis_sync.zadd(keys.archived(Q), {"a": now - 7200, "b": now - 3500, "c": now - 5})

    row = (await scan()).queues.of(Q)

    assert row["dead_last_hour"] == 2
    assert math.isclose(7200, row["oldest_dead_seconds"], abs_tol=5)


def activate(client: "redis.Redis", tasks: dict[str, float | None]) -> None:
    """Makes tasks active, each with the second its lease ends or none, the first started longest ago."""
    for task_id, ends in tasks.items():
        client.lpush(keys.active(Q), task_id)
        if ends is not None:
            client.zadd(keys.lease(Q), {task_id: ends})


@pytest.mark.parametrize(
    ("tasks", "stale", "expired", "no_lease"),
    [
        ({"a": 30, "b": 30}, {}, 0, 0),
        ({"a": -5, "b": 30}, {}, 1, 0),
        ({"a": None, "b": None, "c": 30}, {}, 0, 2),
        # A lease that nobody holds hides the missing one from the difference of the counts.
        ({"a": None, "b": 30}, {"gone": -100}, 1, 1),
    ],
)
async def test_orphans_by_reason(
    redis_sync: "redis.Redis",
    scan: Scan,
    now: float,
    tasks: dict[str, float | None],
    stale: dict[str, float],
    expired: int,
    no_lease: int,
) -> None:
    """Expired leases and missing ones are told apart, even when one hides the other."""
    activate(redis_sync, {name: None if ends is None else now + ends for name, ends in tasks.items()})
    for name, ends in stale.items():
        redis_sync.zadd(keys.lease(Q), {name: now + ends})

    row = (await scan()).queues.of(Q)

    assert (expired, no_lease) == (row["lease_expired"], row["no_lease"])


@pytest.mark.parametrize(
    ("key", "unknown"),
    [
        (keys.pending(Q), {"pending", "size"}),
        (keys.scheduled(Q), {"scheduled", "size", "scheduled_overdue"}),
        (keys.archived(Q), {"archived", "dead_last_hour", "oldest_dead_seconds"}),
        (keys.lease(Q), {"lease_expired"}),
        (keys.groups(Q), {"groups"}),
    ],
)
async def test_wrong_type_costs_that_number_alone(
    redis_sync: "redis.Redis", scan: Scan, key: str, unknown: set[str]
) -> None:
    """A key of the wrong type makes its own numbers unknown, is named, and leaves the other queues alone."""
    redis_sync.set(key, "not a collection")

    snapshot = await scan()

    row = snapshot.queues.of(Q)
    assert {name for name in unknown if row[name] is not None} == set()
    assert row["retry"] == 0
    assert list(snapshot.queue_errors) == [Q]
    assert "WRONGTYPE" in snapshot.queue_errors[Q]
    assert not snapshot.parts["queues"].success
    assert snapshot.queues.of("high")["size"] == 0
    assert snapshot.up


async def test_active_as_a_sorted_set_is_counted(redis_sync: "redis.Redis", scan: Scan) -> None:
    """The guide calls `active` a sorted set; a key like that is counted and named, not a crash."""
    redis_sync.zadd(keys.active(Q), {"a": 1, "b": 2})

    snapshot = await scan()

    assert snapshot.queues.of(Q)["active"] == 2
    assert Q in snapshot.queue_errors


async def test_corrupt_counter_is_unknown(redis_sync: "redis.Redis", scan: Scan) -> None:
    """A counter that is no number is no zero."""
    redis_sync.set(keys.processed(Q), "many")

    snapshot = await scan()

    assert snapshot.queues.of(Q)["processed"] is None
    assert Q in snapshot.queue_errors


@pytest.mark.parametrize("name", ["processed", "failed"])
async def test_counter_of_the_wrong_type_is_unknown(redis_sync: "redis.Redis", scan: Scan, name: str) -> None:
    """A total that is no string must not look like a counter that was reset."""
    redis_sync.lpush(f"{keys.queue_prefix(Q)}{name}", "x")

    snapshot = await scan()

    assert snapshot.queues.of(Q)[name] is None
    assert "WRONGTYPE" in snapshot.queue_errors[Q]


async def test_dangling_ids_do_no_harm(redis_sync: "redis.Redis", scan: Scan) -> None:
    """IDs without a task are counted like asynq counts them; only what needs the task is unknown."""
    redis_sync.lpush(keys.pending(Q), "ghost")
    redis_sync.lpush(keys.active(Q), "ghost2")
    redis_sync.hset(keys.task(Q, "ghost3"), "pending_since", "yesterday")

    snapshot = await scan()

    row = snapshot.queues.of(Q)
    assert tuple(row[n] for n in ("pending", "active", "latency_seconds", "no_lease")) == (1, 1, None, 1)
    assert not snapshot.queue_errors


async def test_corrupt_pending_since_is_named(redis_sync: "redis.Redis", scan: Scan) -> None:
    """A task that says nonsense about its age is an error of its queue alone."""
    redis_sync.lpush(keys.pending(Q), "t")
    redis_sync.hset(keys.task(Q, "t"), "pending_since", "yesterday")

    snapshot = await scan()

    assert list(snapshot.queue_errors) == [Q]
    assert snapshot.queues.of(Q)["latency_seconds"] is None


AWKWARD = ["a b", "a:b", "{x}", "}", "日本", "new\nline", 'quo"te', "back\\slash", "%s", "\x00now.sec"]


@pytest.mark.parametrize("name", AWKWARD)
async def test_awkward_names_are_read(redis_sync: "redis.Redis", scan: Scan, name: str) -> None:
    """A queue may be called anything."""
    redis_sync.sadd(keys.QUEUES, name)
    redis_sync.lpush(keys.pending(name), "t1", "t2")

    assert (await scan()).queues.of(name)["pending"] == 2


async def test_names_that_are_no_text_are_read(redis_sync: "redis.Redis", scan: Scan) -> None:
    """Bytes that are no UTF-8 name their own keys; two names that would look alike count once."""
    for raw in (b"bad\xff", b"bad\\xff"):
        redis_sync.sadd(keys.QUEUES, raw)
        redis_sync.lpush(b"asynq:{" + raw + b"}:pending", "t")

    queues = (await scan()).queues

    assert len([name for name in queues.names if name.startswith("bad")]) == 1
    assert sum(count or 0 for count in queues.pending) == 1
