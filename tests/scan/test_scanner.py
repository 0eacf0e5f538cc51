"""A pass as a whole: which queues, at what cost, and what happens when Redis does not play along."""

import asyncio
import re

import redis
import redis.asyncio

from asynq_exporter.core import catalog, keys, messages
from asynq_exporter.scan.scanner import Scanner
from asynq_exporter.scan.selection import QueueFilter
from asynq_exporter.scan.shared import Shared
from asynq_exporter.scan.snapshot import Snapshot
from tests.conftest import RedisServer
from tests.scan.conftest import Scan

#: Commands that the scan must never send.
WRITES = {"set", "del", "zadd", "zrem", "hset", "lpush", "sadd", "zremrangebyscore", "expire", "evalsha"}


def register_server(client: "redis.Redis", *queues: str, ttl: float = 10, status: str = "active") -> None:
    """A live server that consumes some queues."""
    key = keys.server("host", 1, "sid")
    info = messages.ServerInfo(host="host", pid=1, server_id="sid", concurrency=10, status=status)
    for queue in queues:
        info.queues[queue] = 1
    client.set(key, messages.encode(info))
    client.zadd(keys.SERVERS, {key: client.time()[0] + ttl})


async def test_queues_are_registry_servers_and_catalogue(redis_sync: "redis.Redis", scan: Scan) -> None:
    """Queues come from the registry, live servers and the catalogue; keys of before 0.12 are no queues."""
    redis_sync.sadd(keys.QUEUES, "mine", "asynq:queues:old")
    register_server(redis_sync, "theirs", "low")

    queues = (await scan()).queues

    assert {*catalog.documented().queues, "mine", "theirs"} == set(queues.names)
    assert (queues.of("mine")["registered"], queues.of("theirs")["registered"]) == (1, 0)
    assert tuple(queues.of(name)["workers"] for name in ("theirs", "low", "high")) == (1, 1, 0)


async def test_queue_of_a_server_goes_with_it(redis_sync: "redis.Redis", scan: Scan) -> None:
    """A queue that only a server knew is not shown when the server is gone, in the very same scan."""
    register_server(redis_sync, "theirs")
    assert "theirs" in (await scan()).queues.names
    redis_sync.zadd(keys.SERVERS, {keys.server("host", 1, "sid"): 1})

    snapshot = await scan()

    assert "theirs" not in snapshot.queues.names
    assert snapshot.servers == ()


async def test_filter_includes_excludes_and_cuts() -> None:
    """Patterns match the whole name; the ceiling spares the catalogue, and both are counted."""
    made = QueueFilter(include=(re.compile("[a-c].*"),), exclude=(re.compile("b"),), maximum=2)

    names, counts = made.select({"a1", "a2", "b", "cc", "d"}, first=["cc", "d"])

    assert names == ("a1", "cc")
    assert (counts.read, counts.excluded, counts.cut) == (2, 2, 1)


async def test_scan_is_cheap_and_harmless(redis_sync: "redis.Redis", scan: Scan) -> None:
    """A scan sends a bounded number of reading commands, and no write and no script."""
    for q in catalog.documented().queues:
        redis_sync.sadd(keys.QUEUES, q)
        for key in (keys.scheduled(q), keys.retry(q), keys.archived(q), keys.completed(q)):
            redis_sync.zadd(key, {f"t{i}": 1 for i in range(500)})
        redis_sync.lpush(keys.pending(q), *[f"t{i}" for i in range(500)])
        redis_sync.lpush(keys.active(q), *[f"t{i}" for i in range(500)])
        redis_sync.sadd(keys.groups(q), *[f"g{i}" for i in range(500)])
    register_server(redis_sync, "low")
    await scan()
    redis_sync.config_resetstat()

    snapshot = await scan()

    stats = redis_sync.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): entry["calls"] for name, entry in stats.items()}
    calls.pop("info")
    calls.pop("config|resetstat", None)
    assert not WRITES & calls.keys()
    assert not [name for name in calls if name.startswith(("eval", "script", "keys", "scan", "function"))]
    # 13 for each queue, 11 more where every state holds something and no total was ever written, and the
    # window of 8 where the tail does not tell its age.
    assert snapshot.cost.commands <= 10 + 6 * (13 + 11 + 8)
    assert snapshot.cost.commands - 1 == sum(calls.values())
    assert snapshot.cost.round_trips <= 6


async def test_cost_does_not_grow_with_tasks_or_groups(redis_sync: "redis.Redis", scan: Scan) -> None:
    """A queue with ten times the tasks and groups takes the same commands."""

    async def commands(count: int) -> int:
        redis_sync.flushall()
        redis_sync.lpush(keys.pending("low"), *range(count))
        redis_sync.sadd(keys.groups("low"), *range(count))
        redis_sync.zadd(keys.archived("low"), {str(i): i for i in range(count)})
        return (await scan()).cost.commands

    assert await commands(100) == await commands(1000)


async def test_acl_user_with_published_rules_is_enough(own_redis: RedisServer) -> None:
    """The read-only rules in the docs suffice for a scan and every background collector."""
    from asynq_exporter.scan.background.collectors import BackgroundCollectors
    from tests.project.acl import READ_ONLY_RULES

    with own_redis.client() as admin:
        admin.execute_command("ACL", "SETUSER", "exporter", "on", ">secret", *READ_ONLY_RULES.split())
        fill_everything(admin)
    client = own_redis.async_client(username="exporter", password="secret")
    background = BackgroundCollectors(client)
    scanner = Scanner(client, catalog.documented(), samples=background.samples)

    snapshot = await scanner.scan(timeout_seconds=10)
    await background.collect(snapshot)
    snapshot = await scanner.scan(timeout_seconds=10)

    assert {name: part.error for name, part in snapshot.parts.items() if not part.success} == {}
    assert {"groups", "memory", "types", "task_timings"} < snapshot.parts.keys()
    assert snapshot.samples.memory_bytes["low"] > 0
    with own_redis.client() as admin:
        assert admin.acl_log() == []
    await scanner.close()
    await background.close()
    await client.aclose()


def fill_everything(client: "redis.Redis") -> None:
    """Something in every state of a queue, so that every command of the exporter is sent."""
    q = "low"
    now = int(client.time()[0])
    client.sadd(keys.QUEUES, q)
    task = messages.encode(messages.make_task("t", task_id="a", queue=q))
    for task_id in ("p", "p2", "a", "s", "r", "d", "c", "g"):
        client.hset(keys.task(q, task_id), mapping={"msg": task, "state": "pending"})
    client.lpush(keys.pending(q), "p", "p2")
    client.lpush(keys.active(q), "a", "a2")
    client.zadd(keys.lease(q), {"a": now - 100})
    for key, task_id in ((keys.scheduled(q), "s"), (keys.retry(q), "r"), (keys.archived(q), "d")):
        client.zadd(key, {task_id: now - 10})
    client.zadd(keys.completed(q), {"c": now + 10})
    client.sadd(keys.groups(q), *[f"g{i}" for i in range(1500)])
    client.zadd(keys.group(q, "g1"), {"g": now})
    client.hset(keys.CIRCUIT_BREAKERS, "service:s", "OPEN 5")
    register_server(client, q)


async def test_redis_absent_then_there(own_redis: RedisServer) -> None:
    """A Redis that is not there gives up 0 and no numbers; the first scan after its start is whole."""
    own_redis.kill()
    client = own_redis.async_client()
    scanner = Scanner(client, catalog.documented())

    down = await scanner.scan(timeout_seconds=2)
    own_redis.start_again()
    back = await scanner.scan(timeout_seconds=2)

    assert (down.up, down.queues.names, down.checks) == (False, (), {"redis": False})
    assert "onnect" in down.error
    assert (back.up, len(back.queues.names)) == (True, 6)
    await scanner.close()
    await client.aclose()


async def test_redis_restarted_between_scans_is_not_noticed(own_redis: RedisServer) -> None:
    """A connection that Redis closed meanwhile costs no scan: a fresh one is tried at once."""
    client = own_redis.async_client()
    scanner = Scanner(client, catalog.documented())
    assert (await scanner.scan(timeout_seconds=2)).up
    own_redis.kill()
    own_redis.start_again()

    assert (await scanner.scan(timeout_seconds=2)).up
    await scanner.close()
    await client.aclose()


async def test_hung_redis_ends_with_the_deadline(own_redis: RedisServer) -> None:
    """A frozen Redis gives up 0 when the time is over, not later, and is whole again when it wakes."""
    client = own_redis.async_client()
    scanner = Scanner(client, catalog.documented())
    assert (await scanner.scan(timeout_seconds=2)).up
    own_redis.hang()
    loop = asyncio.get_running_loop()
    started = loop.time()

    hung = await scanner.scan(timeout_seconds=0.3)

    took = loop.time() - started
    own_redis.resume()
    assert (hung.up, hung.queues.names) == (False, ())
    assert 0.25 < took < 1
    assert "0.3 s" in hung.error
    assert (await scanner.scan(timeout_seconds=2)).up
    await scanner.close()
    await client.aclose()


async def test_loading_or_locked_redis_is_down(own_redis: RedisServer) -> None:
    """A Redis that answers with errors only is down, with its own words."""
    with own_redis.client() as admin:
        admin.config_set("requirepass", "secret")
    client = own_redis.async_client()
    scanner = Scanner(client, catalog.documented())

    snapshot = await scanner.scan(timeout_seconds=2)

    assert not snapshot.up
    assert "uthenticat" in snapshot.error
    await scanner.close()
    await client.aclose()


async def test_too_little_time_leaves_what_was_read(
    redis_sync: "redis.Redis", redis_server: RedisServer
) -> None:
    """When time runs out in the middle, the queues read so far stand and the others are named."""
    names = [f"q{i:05}" for i in range(20_000)]
    redis_sync.sadd(keys.QUEUES, *names)
    client = redis_server.async_client()
    scanner = Scanner(client, catalog.documented(), queue_filter=QueueFilter(maximum=30_000))
    await scanner.scan(timeout_seconds=30)  # builds the requests
    whole = await scanner.scan(timeout_seconds=30)

    part = await scanner.scan(timeout_seconds=whole.cost.duration_seconds / 3)

    assert len(names) + 6 == len(whole.queues.names)
    assert part.up
    assert 0 < len(part.queues.names) < len(whole.queues.names)
    assert len(part.queues.names) == len(part.queues.pending)
    assert len(whole.queues.names) == len(part.queues.names) + len(part.queue_errors)
    assert not part.parts["queues"].success
    assert (await scanner.scan(timeout_seconds=30)).parts["queues"].success
    await scanner.close()
    await client.aclose()


async def test_bad_registry_leaves_the_catalogue(redis_sync: "redis.Redis", scan: Scan) -> None:
    """A registry of the wrong type costs the names in it, no more."""
    redis_sync.set(keys.QUEUES, "no set")
    redis_sync.set(keys.SERVERS, "no sorted set")

    snapshot = await scan()

    assert len(snapshot.queues.names) == 6
    assert {"queues", "workers"} == {name for name, part in snapshot.parts.items() if not part.success}


async def test_errors_of_queues_are_counted_over_scans(redis_sync: "redis.Redis", scan: Scan) -> None:
    """The counter of a bad queue grows with each scan and stays when the queue is well again."""
    redis_sync.set(keys.pending("low"), "no list")
    await scan()
    await scan()
    redis_sync.flushall()

    snapshot = await scan()

    assert dict(snapshot.queue_error_counts) == {"low": 2}
    assert dict(snapshot.queue_errors) == {}


async def test_all_who_ask_at_once_share_a_pass() -> None:
    """Fifty askers cost one pass; the next to ask gets a new one."""
    passes = 0

    async def make(_timeout: float) -> int:
        nonlocal passes
        passes += 1
        await asyncio.sleep(0.01)
        return passes

    shared = Shared(make, lambda _: -1)

    answers = await asyncio.gather(*[shared.get(timeout_seconds=5) for _ in range(50)])

    assert {1} == set(answers)
    assert await shared.get(timeout_seconds=5) == 2


async def test_hurried_asker_does_not_end_the_pass_of_others() -> None:
    """Whoever has less time than the pass takes is told so; the others get their answer."""
    release = asyncio.Event()

    async def make(_timeout: float) -> str:
        await release.wait()
        return "done"

    shared = Shared(make, lambda seconds: f"late after {seconds}")
    patient = asyncio.create_task(shared.get(timeout_seconds=30))
    await asyncio.sleep(0)

    assert await shared.get(timeout_seconds=0.01) == "late after 0.01"
    release.set()
    assert await patient == "done"


async def test_hurried_asker_does_not_fail_the_pass_of_others() -> None:
    """A pass that ran out of the first asker's time is made again for who has more, and is not kept."""
    given: list[float] = []

    async def make(timeout: float) -> str:
        given.append(timeout)
        await asyncio.sleep(min(timeout, 0.3))
        return "whole" if timeout > 0.3 else "cut"

    shared = Shared(make, lambda _: "late", max_age_seconds=60)
    hurried = asyncio.create_task(shared.get(timeout_seconds=0.1))
    await asyncio.sleep(0)

    assert "whole" == await shared.get(timeout_seconds=30)
    assert "cut" == await hurried
    assert 2 == len(given)
    await shared.get(timeout_seconds=30)
    assert 2 == len(given)


async def test_young_result_is_handed_out_again() -> None:
    """With a time to live, a result is used until it is too old."""
    made: list[Snapshot] = []
    count = 0

    async def make(_timeout: float) -> int:
        nonlocal count
        count += 1
        return count

    shared: Shared[int] = Shared(make, lambda _: -1, max_age_seconds=60)

    assert (await shared.get(timeout_seconds=1), await shared.get(timeout_seconds=1)) == (1, 1)
    assert not made


async def test_queues_that_come_and_go_are_seen_at_once(redis_sync: "redis.Redis", scan: Scan) -> None:
    """What a scan expects of the last one is never shown as found; with nothing new it saves a round trip."""
    redis_sync.sadd(keys.QUEUES, "a")
    first, second = await scan(), await scan()
    redis_sync.srem(keys.QUEUES, "a")
    redis_sync.sadd(keys.QUEUES, "b")

    third, fourth, fifth = await scan(), await scan(), await scan()

    assert [("a" in each.queues.names, "b" in each.queues.names) for each in (first, second)] == [
        (True, False),
        (True, False),
    ]
    assert [("a" in each.queues.names, "b" in each.queues.names) for each in (third, fourth, fifth)] == [
        (False, True)
    ] * 3
    assert second.cost.round_trips < first.cost.round_trips
    assert fifth.cost.round_trips == second.cost.round_trips
