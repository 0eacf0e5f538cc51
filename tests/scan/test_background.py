"""The background collectors."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from asynq_exporter.core import catalog, keys, messages
from asynq_exporter.scan.background import groups, types
from asynq_exporter.scan.background.collectors import BackgroundCollectors
from asynq_exporter.scan.background.pause import pause_seconds
from asynq_exporter.scan.background.reader import PacedReader
from asynq_exporter.scan.commands import pack
from asynq_exporter.scan.scanner import Scanner
from asynq_exporter.scan.snapshot import Snapshot

if TYPE_CHECKING:
    import redis
    import redis.asyncio


@pytest.fixture
async def collected(redis_client: "redis.asyncio.Redis") -> AsyncIterator["Collected"]:
    """Scans, collects and scans again."""
    made = Collected(redis_client)
    yield made
    await made.close()


class Collected:
    """A scanner that shows what its background collectors saw."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self.background = BackgroundCollectors(client, commands_per_second=1e9)
        self.scanner = Scanner(client, catalog.documented(), samples=self.background.samples)

    async def snapshot(self) -> Snapshot:
        """A snapshot that contains fresh samples."""
        await self.background.collect(await self.scanner.scan(timeout_seconds=10))
        return await self.scanner.scan(timeout_seconds=10)

    async def close(self) -> None:
        """Drops the connections."""
        await self.background.close()
        await self.scanner.close()


async def test_aggregating_is_the_sum_of_the_groups(redis_sync: "redis.Redis", collected: Collected) -> None:
    """Tasks in groups are counted, and belong to the size of the queue."""
    for name, count in (("a", 3), ("b:c", 4)):
        redis_sync.sadd(keys.groups("low"), name)
        redis_sync.zadd(keys.group("low", name), {f"{name}{i}": i for i in range(count)})

    row = (await collected.snapshot()).queues.of("low")

    assert (row["groups"], row["aggregating"], row["size"]) == (2, 7, 7)


async def test_groups_are_counted_up_to_a_bound(redis_sync: "redis.Redis", collected: Collected) -> None:
    """Beyond a thousand groups the count is extrapolated, at a bounded price."""
    redis_sync.sadd(keys.groups("low"), *range(5000))
    pipe = redis_sync.pipeline()
    for i in range(5000):
        pipe.zadd(keys.group("low", str(i)), {"t": 1})
    pipe.execute()
    redis_sync.config_resetstat()

    row = (await collected.snapshot()).queues.of("low")

    calls = redis_sync.info("commandstats")
    assert 5000 == row["aggregating"]
    assert calls["cmdstat_sscan"]["calls"] <= 2
    assert "cmdstat_smembers" in calls  # the registry
    assert calls["cmdstat_zcard"]["calls"] < 3 * groups.MAX_GROUPS


async def test_memory_is_estimated(redis_sync: "redis.Redis", collected: Collected) -> None:
    """A thousand equal tasks take a thousand times one of them, and their list."""
    task = messages.encode(messages.make_task("t", task_id="x", queue="low", payload=b"p" * 1000))
    pipe = redis_sync.pipeline()
    for i in range(1000):
        pipe.lpush(keys.pending("low"), f"task{i:04}")
        pipe.hset(keys.task("low", f"task{i:04}"), mapping={"msg": task, "state": "pending"})
    pipe.execute()
    one = redis_sync.memory_usage(keys.task("low", "task0000")) or 0
    own = redis_sync.memory_usage(keys.pending("low")) or 0

    snapshot = await collected.snapshot()

    assert one * 1000 + own == snapshot.samples.memory_bytes["low"]
    assert snapshot.samples.memory_bytes["high"] == 0


async def test_types_are_sampled_by_state(redis_sync: "redis.Redis", collected: Collected) -> None:
    """Types are told apart in each state; corrupt, oversized and rare ones have names of their own."""

    def add(state_key: str, task_id: str, msg: bytes) -> None:
        redis_sync.lpush(state_key, task_id)
        redis_sync.hset(keys.task("low", task_id), "msg", msg)

    for i in range(types.TOP + 1):
        for copy in range(1 + (i < types.TOP - 1)):
            task = messages.make_task(f"type{i:02}", task_id="x", queue="low")
            add(keys.pending("low"), f"t{i}-{copy}", messages.encode(task))
    add(keys.active("low"), "bad", b"\xff\xff")
    big = messages.make_task("big", task_id="x", queue="low", payload=b"p" * types.MAX_MESSAGE_BYTES)
    add(keys.active("low"), "big", messages.encode(big))

    found = (await collected.snapshot()).samples.types

    pending = {count.task_type: count.count for count in found if count.state == "pending"}
    active = {count.task_type: count.count for count in found if count.state == "active"}
    assert sum(pending.values()) == types.SAMPLE
    assert len(pending) == types.TOP + 1
    assert pending[types.OTHER] == 1
    assert active == {types.CORRUPT: 1, types.OVERSIZED: 1}


async def test_bad_queue_costs_its_own_samples(redis_sync: "redis.Redis", collected: Collected) -> None:
    """A key of the wrong type is named; the samples of other queues are there."""
    redis_sync.set(keys.pending("high"), "no list")
    redis_sync.lpush(keys.pending("low"), "t")
    redis_sync.hset(keys.task("low", "t"), "state", "pending")

    snapshot = await collected.snapshot()

    assert snapshot.samples.memory_bytes["low"] > 0
    assert "high" not in snapshot.samples.memory_bytes
    part = snapshot.parts["memory"]
    assert (part.success, part.sampled_at_seconds) == (False, None)
    assert "high" in part.error


async def test_samples_end_with_redis(redis_sync: "redis.Redis", collected: Collected) -> None:
    """When a scan fails, the next round leaves no sample that could pass for new, but its time."""
    redis_sync.lpush(keys.pending("low"), "t")
    sampled = (await collected.snapshot()).parts["memory"].sampled_at_seconds

    await collected.background.collect(collected.scanner.unanswered(error="away"))

    samples = collected.background.samples()
    assert samples.memory_bytes == {}
    assert sampled is not None
    assert (False, "away", sampled) == (
        samples.parts["memory"].success,
        samples.parts["memory"].error,
        samples.parts["memory"].sampled_at_seconds,
    )


async def test_only_chosen_collectors_run(redis_client: "redis.asyncio.Redis") -> None:
    """A collector that is switched off sends nothing and does not appear."""
    background = BackgroundCollectors(redis_client, ("groups",))
    scanner = Scanner(redis_client, catalog.documented(), samples=background.samples)

    await background.collect(await scanner.scan(timeout_seconds=10))

    assert {"groups"} == background.samples().parts.keys()
    await background.close()
    await scanner.close()


async def test_reader_keeps_its_pace(redis_client: "redis.asyncio.Redis") -> None:
    """A budget of commands a second is kept on average."""
    reader = PacedReader(redis_client, commands_per_second=500)
    loop = asyncio.get_running_loop()
    started = loop.time()

    replies = await reader.ask([pack("PING")] * 100)

    assert len(replies) == 100
    assert loop.time() - started >= 0.19
    await reader.close()


ROW = " ".join(["3", "1", "2500000", "4", *["0"] * 15, "1000000", "2", *["0"] * 15])


async def test_task_timings_are_read_in_one_command(redis_sync: "redis.Redis", collected: Collected) -> None:
    """The sums by type; a field that is none costs itself alone, and is named."""
    redis_sync.hset(keys.TASK_TIMINGS, mapping={"a": ROW, "b": "hello", b"\xff": ROW})
    redis_sync.config_resetstat()
    snapshot = await collected.snapshot()

    found = snapshot.samples.task_timings
    assert {"a", "\\xff"} == set(found)
    assert (3, 1, 2.5, 1.0) == (
        found["a"].succeeded,
        found["a"].failed,
        found["a"].duration.sum_seconds,
        found["a"].wait.sum_seconds,
    )
    part = snapshot.parts["task_timings"]
    assert not part.success
    assert "field 'b'" in part.error
    # The breakers of the two scans, and ours.
    assert 3 == redis_sync.info("commandstats")["cmdstat_hscan"]["calls"]


async def test_task_timings_of_another_type_are_an_error(
    redis_sync: "redis.Redis", collected: Collected
) -> None:
    """Of this collector alone."""
    redis_sync.set(keys.TASK_TIMINGS, "x")
    snapshot = await collected.snapshot()

    assert {} == snapshot.samples.task_timings
    assert "WRONGTYPE" in snapshot.parts["task_timings"].error
    assert snapshot.parts["types"].success


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 60), (1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (10_000, 60)]
)
def test_pause_grows_up_to_the_interval(failures: int, seconds: float) -> None:
    """Soon after the first failure, then as seldom as ever."""
    assert seconds == pause_seconds(60, failures)
    assert min(seconds, 3) == pause_seconds(3, failures)


async def test_failed_round_is_repeated_soon(redis_client: "redis.asyncio.Redis") -> None:
    """A Redis that was away for a moment costs seconds of samples, not an interval."""
    rounds = iter([False, False, True, False, True])
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    background = BackgroundCollectors(redis_client, ("groups",), interval_seconds=60, sleep=sleep)
    scanner = Scanner(redis_client, catalog.documented())

    async def scan() -> Snapshot:
        if (is_up := next(rounds, None)) is None:
            raise asyncio.CancelledError
        return await scanner.scan(timeout_seconds=10) if is_up else scanner.unanswered(error="away")

    with pytest.raises(asyncio.CancelledError):
        await background.run(scan)
    await background.close()
    await scanner.close()

    assert [5, 10, 60, 5, 60] == pauses
