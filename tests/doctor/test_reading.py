"""What is read of a real Redis: each trouble is written into it as it happens, and found."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from asynq_exporter.core import Broker, keys, messages
from asynq_exporter.core.breakers import Breakers
from asynq_exporter.core.broker import Delivery
from asynq_exporter.doctor.reading import SAMPLE_TASKS
from tests.conftest import CLUSTER_BUS, RedisServer, free_port, need_tool, start_redis, wait_until
from tests.doctor import living

LATER = 3600


async def take(by: Broker, queue: str = "default") -> Delivery:
    """The next task of a queue."""
    delivery = await by.dequeue([queue])
    assert delivery is not None
    return delivery


async def _paused(redis: Redis) -> None:
    await living.enqueue(redis, 3)
    await living.broker(redis).pause("default")


async def _dead(redis: Redis) -> None:
    await living.enqueue(redis, 12)
    by = living.broker(redis)
    for _ in range(12):
        await by.archive((await take(by)).message, error="no such user")


async def _no_lease(redis: Redis) -> None:
    await living.enqueue(redis, 1)
    await take(living.broker(redis))
    await redis.delete(keys.lease("default"))


async def _lost(redis: Redis) -> None:
    await living.enqueue(redis, 1, ago=100)
    await take(living.broker(redis, ago=100))


async def _not_recovered(redis: Redis) -> None:
    await living.enqueue(redis, 1, ago=400)
    await take(living.broker(redis, ago=400))


async def _overdue(redis: Redis) -> None:
    message = messages.make_task("t", task_id="1", queue="default")
    await living.broker(redis).schedule(message, process_at=int(living.now()) - 120)


async def _groups(redis: Redis) -> None:
    for name in ("1", "2"):
        message = messages.make_task("t", task_id=name, queue="default", group="g")
        await living.broker(redis, ago=900).add_to_group(message)


async def _schedulers(redis: Redis) -> None:
    await living.scheduler(redis, "one")
    await living.scheduler(redis, "two")


async def _unique_schedulers(redis: Redis) -> None:
    for name in ("one", "two"):
        await living.scheduler(redis, name, options=["Unique(1h0m0s)"])


async def _scheduler_late(redis: Redis) -> None:
    await living.scheduler(redis, "one", late=600)


async def _scheduler_gone(redis: Redis) -> None:
    await redis.zadd(keys.SCHEDULERS, {keys.scheduler_entries("dead"): 1})


async def _clock_ahead(redis: Redis) -> None:
    await living.worker(redis, ago=-45)


async def _clock_behind(redis: Redis) -> None:
    await living.worker(redis, ago=15)


async def _hidden(redis: Redis) -> None:
    await redis.zadd(keys.SERVERS, {keys.server("web-1", 7, "s"): int(living.now()) - 60})


async def _weights(redis: Redis) -> None:
    await living.worker(redis, sid="t", queues={"low": 5})


async def _stopping(redis: Redis) -> None:
    await living.worker(redis, status="stopped")


async def _breaker(redis: Redis) -> None:
    breakers = Breakers(redis)
    for _ in range(5):
        leave = await breakers.allow("platform", "video")
        assert leave is not None
        await breakers.fail(leave)


async def _wrong_type(redis: Redis) -> None:
    await redis.set(keys.pending("low"), "x")


async def _ghost(redis: Redis) -> None:
    await living.enqueue(redis, 1)
    await redis.delete(keys.task("default", "job:default0:0"))


async def _old_keys(redis: Redis) -> None:
    await living.enqueue(redis, 1)
    await redis.zadd("asynq:{default}:deadlines", {"x": 1})


async def _old_record(redis: Redis) -> None:
    await redis.set(keys.server("old", 1, "o"), '{"Host":"old"}')
    await redis.zadd(keys.SERVERS, {keys.server("old", 1, "o"): living.now() + 60})


async def _unserved(redis: Redis) -> None:
    await living.enqueue(redis, 2, queue="defualt")


async def _full(redis: Redis) -> None:
    await redis.sadd(keys.QUEUES, "critical")
    await redis.lpush(keys.pending("critical"), *range(950))


async def _failing(redis: Redis) -> None:
    await living.enqueue(redis, 30)
    by = living.broker(redis)
    for number in range(30):
        message = (await take(by)).message
        if number % 2:
            await by.retry(message, retry_at=int(living.now()) + LATER, error="code 7")
        else:
            await by.done(message)


@pytest.mark.parametrize(
    ("write", "found"),
    [
        (_paused, "queue-paused.waiting"),
        (_dead, "task-dead.growing"),
        (_no_lease, "task-orphans.no_lease"),
        (_lost, "task-orphans.recovering"),
        (_not_recovered, "task-orphans.not_recovered"),
        (_overdue, "task-forwarding.stalled"),
        (_groups, "task-groups.idle"),
        (_schedulers, "scheduler-duplicates.twice"),
        (_unique_schedulers, "scheduler-duplicates.unique"),
        (_scheduler_late, "scheduler-overdue.late"),
        (_scheduler_gone, "scheduler-alive.gone"),
        (_clock_ahead, "workers-clocks.ahead"),
        (_clock_behind, "workers-clocks.behind"),
        (_hidden, "workers-alive.hidden"),
        (_weights, "workers-agree.weights"),
        (_stopping, "workers-stopping.everyone"),
        (_breaker, "breakers.open"),
        (_wrong_type, "data-keys.wrong_type"),
        (_ghost, "data-tasks.broken"),
        (_old_keys, "data-versions.remains"),
        (_old_record, "data-keys.old_record"),
        (_unserved, "queue-served.waiting"),
        (_full, "queue-backpressure.refusing"),
        (_failing, "task-failures.today"),
    ],
)
async def test_trouble_is_found(
    redis_client: Redis, write: Callable[[Redis], Awaitable[None]], found: str
) -> None:
    """Silent before it is written, told afterwards."""
    await living.worker(redis_client)
    before = await living.find(redis_client)
    await write(redis_client)
    after = await living.find(redis_client)

    assert found not in before
    assert found in after


async def test_evidence_of_dead_letters_is_the_newest(redis_client: Redis) -> None:
    """Of a long archive the last deaths are looked at, not those of the last month."""
    by = living.broker(redis_client)
    old = {f"old{n}": 1_000 + n for n in range(350)}
    await redis_client.zadd(keys.archived("default"), old)
    for id_ in old:
        message = messages.failed(
            messages.make_task("t", task_id=id_, queue="default"), "old", at_seconds=1, counted=True
        )
        await redis_client.hset(
            keys.task("default", id_), mapping={"msg": messages.encode(message), "state": "archived"}
        )
    await living.enqueue(redis_client, 1)
    # Archiving trims what is older than ninety days, so the new one is put beside them by hand.
    delivery = await take(by)
    await by.done(delivery.message)
    new = messages.failed(delivery.message, "new", at_seconds=int(living.now()), counted=True)
    await redis_client.zadd(keys.archived("default"), {new.id: int(living.now())})
    await redis_client.hset(
        keys.task("default", new.id), mapping={"msg": messages.encode(new), "state": "archived"}
    )

    sample = (await living.see(redis_client)).sample("default", "archived")

    assert 351 == sample.total
    assert "new" == sample.tasks[0].error
    assert len(sample.tasks) <= SAMPLE_TASKS


async def test_remedy_of_a_task_without_a_lease_works(redis_client: Redis, redis_server: RedisServer) -> None:
    """The commands, run as they stand by a shell: the task is the next to run, and sound."""
    need_tool("redis-cli")
    await living.worker(redis_client)
    await _no_lease(redis_client)
    found = living.report(living.run(redis_server.url, "--json", "--seconds=0"))["task-orphans.no_lease"]
    for command in found["remedies"][-1]["commands"]:
        subprocess.run(["sh", "-ec", command], check=True, capture_output=True, timeout=60)
    delivery = await take(living.broker(redis_client))

    assert ("job:default0:0", b"SECRET-PAYLOAD") == (delivery.message.id, delivery.message.payload)
    assert "task-orphans.no_lease" not in await living.find(redis_client)


async def test_group_that_grows_is_not_idle(redis_client: Redis) -> None:
    """Its oldest task waits for long, but others keep joining: it is not yet time."""
    for name, ago in (("old", 900), ("new", 1)):
        message = messages.make_task("t", task_id=name, queue="default", group="g")
        await living.broker(redis_client, ago=ago).add_to_group(message)
    case = await living.see(redis_client)

    (group,) = case.groups
    assert (2, "g", "default") == (group.size, group.group, group.queue)
    assert group.newest_seconds < 300 < 899 < group.oldest_seconds
    assert "task-groups.idle" not in await living.find(redis_client)


async def test_reads_are_bounded(redis_client: Redis) -> None:
    """As many commands for ten times as many tasks."""

    async def commands(tasks: int) -> int:
        await redis_client.flushall()
        await living.enqueue(redis_client, tasks)
        await redis_client.config_resetstat()
        await living.see(redis_client)
        stats = await redis_client.info("commandstats")
        # Those inside of scripts grow up to the size of a page.
        paged = ("cmdstat_h", "cmdstat_config")
        return sum(stat["calls"] for name, stat in stats.items() if not name.startswith(paged))

    assert await commands(150) == await commands(1_500)


async def test_nothing_is_written(redis_client: Redis) -> None:
    """Not a key appears, changes or goes, stale registries included."""
    for write in (_dead, _groups, _schedulers, _scheduler_gone, _hidden, _breaker, _wrong_type):
        await write(redis_client)

    async def everything() -> dict[bytes | str, Any]:
        return {key: await redis_client.dump(key) for key in sorted(await redis_client.keys("*"))}

    before = await everything()
    await living.see(redis_client, seconds=0.01)

    assert before == await everything()


async def test_second_scan_comes_after_a_pause(redis_client: Redis) -> None:
    """Two scans with the pause between them, or one."""
    both, one = await living.see(redis_client, seconds=0.3), await living.see(redis_client)

    assert both.first is not None
    assert both.last.at_seconds - both.first.at_seconds >= 0.3
    assert one.first is None
    assert "second scan" in one.unread


async def test_redis_that_hangs_between_is_named(own_redis: RedisServer) -> None:
    """The second scan finds it frozen: Redis does not answer, and that is all there is to say."""
    client = own_redis.async_client(socket_timeout=1, socket_connect_timeout=1)
    await living.worker(client)
    task = asyncio.create_task(living.find(client, seconds=1, timeout_seconds=2))
    with own_redis.client() as sync:
        # The breakers are among the last that a scan asks for.
        await asyncio.to_thread(
            wait_until, lambda: "cmdstat_hscan" in sync.info("commandstats"), what="the first scan ran"
        )
    own_redis.hang()
    try:
        found = await asyncio.wait_for(task, 60)
    finally:
        own_redis.resume()
        await client.aclose()

    assert {"redis-reachable.silent"} == set(found)


async def test_replica_is_told(own_redis: RedisServer, tmp_path: Path) -> None:
    """A read-only replica, with its master and without it."""
    (tmp_path / "replica").mkdir()
    replica = start_redis(tmp_path / "replica", "--replicaof", "127.0.0.1", str(own_redis.port))
    client = replica.async_client()
    try:
        with replica.client() as sync:
            wait_until(lambda: sync.info()["master_link_status"] == "up", what="the replica has its master")
            linked = await living.find(client)
            own_redis.kill()
            wait_until(lambda: sync.info()["master_link_status"] == "down", what="it has lost it")
        alone = await living.find(client)
    finally:
        await client.aclose()
        replica.kill()

    assert "redis-role.replica" in linked
    assert "redis-role.link_down" in alone


async def test_redis_as_a_cache_is_told(tmp_path: Path) -> None:
    """An evicting policy, little memory, a full one."""
    server = start_redis(tmp_path, "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru")
    client = server.async_client()
    try:
        policy = await living.find(client)
        used = (await client.info())["used_memory"]
        await client.config_set("maxmemory", int(used * 1.05))
        memory = await living.find(client)
    finally:
        await client.aclose()
        server.kill()

    assert "redis-eviction.policy" in policy
    assert "redis-memory.high" in memory


async def test_persistence_is_seen(own_redis: RedisServer) -> None:
    """Off, by save points, by AOF, and by a file that was written."""
    client = own_redis.async_client()
    off = await living.find(client)
    await client.config_set("save", "3600 1")
    points = await living.find(client)
    await client.config_set("save", "")
    await client.save()
    saved = (await living.see(client)).facts
    await client.config_set("appendonly", "yes")
    aof = (await living.see(client)).facts
    await client.aclose()

    assert "redis-persistence.off" in off
    assert "redis-persistence.off" not in points
    assert aof.aof_enabled
    assert saved.last_save_failed is False


async def test_cluster_is_told(tmp_path: Path) -> None:
    """A node of a cluster holds a part of the queues at most."""
    server = start_redis(tmp_path, "--cluster-enabled", "yes", port=free_port(companion=CLUSTER_BUS))
    client = server.async_client()
    try:
        with server.client() as sync:
            sync.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            wait_until(
                lambda: b"cluster_state:ok" in sync.execute_command("CLUSTER", "INFO"),
                what="the cluster is up",
            )
        found = await living.find(client)
    finally:
        await client.aclose()
        server.kill()

    assert "redis-cluster.cluster" in found
