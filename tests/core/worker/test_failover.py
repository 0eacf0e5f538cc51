"""Redis fails over, or is slow, under a server: it follows, nothing is lost, and the log says it."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from asynq_exporter.core import Client, Task, keys
from asynq_exporter.core.worker import Attempt
from tests.conftest import RedisServer, free_port, need_tool, start_redis, wait_until
from tests.core.queue_state import Q
from tests.core.worker.serving import gone, serving, until
from tests.processes import running

TASKS = 400

#: An election on a busy machine.
FAILOVER_SECONDS = 60.0

AWAY, BACK = "[Asynq] Redis error, trying again", "[Asynq] Redis answers again"

#: Lost answers, and writes that the replica never saw, are recovered in about a second.
SHORT: dict[str, Any] = {"lease_seconds": 1.0, "recover_grace_seconds": 0.0, "retry_delay": lambda *_all: 0.0}

SENTINEL = """\
port {port}
bind 127.0.0.1
dir {folder}
loglevel warning
sentinel monitor main 127.0.0.1 {main} 1
sentinel down-after-milliseconds main 1000
sentinel failover-timeout main 5000
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A main server with a replica, and the sentinel that watches them."""

    main: RedisServer
    replica: RedisServer
    sentinel_port: int

    def ask(self, command: str) -> Any:
        """The answer of the sentinel, None while it has none."""
        with redis.Redis(port=self.sentinel_port) as client, contextlib.suppress(redis.RedisError):
            return client.execute_command("SENTINEL", command, "main")

    def knows_replica(self) -> bool:
        """Whether there is somebody to promote, with all data."""
        with self.main.client() as client:
            return bool(self.ask("REPLICAS")) and client.wait(1, 1000) == 1

    def is_done(self) -> bool:
        """Whether the replica was promoted and holds no task."""
        with self.replica.client() as client:
            is_main = client.info("replication")["role"] == "master"
            return is_main and not list(client.scan_iter("asynq:*:t:*", count=1000))

    def main_port(self) -> int:
        """Where the sentinel says the main server is."""
        address = self.ask("GET-MASTER-ADDR-BY-NAME")
        return int(address[1]) if address else 0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster in its usual state."""
    folders = [tmp_path / name for name in ("main", "replica", "sentinel")]
    for folder in folders:
        folder.mkdir()
    main = start_redis(folders[0])
    replica = start_redis(folders[1], "--replicaof", f"127.0.0.1 {main.port}")
    port, config = free_port(), folders[2] / "sentinel.conf"
    config.write_text(SENTINEL.format(port=port, folder=folders[2], main=main.port), encoding="utf-8")
    command = [need_tool("redis-server"), str(config), "--sentinel"]
    cluster = Cluster(main=main, replica=replica, sentinel_port=port)
    try:
        with running(command, folders[2] / "log"):
            wait_until(cluster.knows_replica, what="the sentinel knows the replica", seconds=FAILOVER_SECONDS)
            yield cluster
    finally:
        main.kill()
        replica.kill()


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[Redis]:
    """A client that asks the sentinel where to go, without second tries."""
    sentinel = Sentinel([("127.0.0.1", cluster.sentinel_port)])  # type: ignore[no-untyped-call]
    client = sentinel.master_for("main", retry=Retry(NoBackoff(), 0), socket_timeout=5)
    yield client
    await client.aclose()
    for one in sentinel.sentinels:
        await one.aclose()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says."""
    return [record.getMessage() for record in caplog.records]


async def put(client: Redis, number: int) -> None:
    """Enqueues tasks that may be tried often."""
    requests = [(Task("t"), {"task_id": str(i), "max_retry": 100}) for i in range(number)]
    assert None not in await Client(client).enqueue_many(requests)  # type: ignore[arg-type]


class Work:
    """A handler that takes a moment and notes what it did."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()

    async def __call__(self, attempt: Attempt) -> None:
        """Does a task."""
        await asyncio.sleep(0.005)
        self.done[attempt.id] += 1

    def has(self, number: int) -> bool:
        """Whether so many different tasks are done."""
        return len(self.done) >= number


@pytest.mark.parametrize("how", ["killed", "demoted"])
async def test_failover_loses_nothing(
    how: str, cluster: Cluster, client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """The replica takes over in mid-work, the main server dead or its replica now; every task is done."""
    caplog.set_level(logging.INFO)
    await put(client, TASKS)
    await until(lambda: asyncio.to_thread(cluster.knows_replica), what="the replica has the tasks")
    work = Work()
    async with serving(client, work, **SHORT):
        await until(partial(work.has, TASKS // 4), what="a quarter is done")
        if how == "killed":
            await asyncio.to_thread(cluster.main.kill)
        else:
            cluster.ask("FAILOVER")
        await until(
            lambda: cluster.main_port() == cluster.replica.port,
            what="the replica is promoted",
            seconds=FAILOVER_SECONDS,
        )
        # What was done on a demoted server until it was told so is lost, and done again on the new one.
        await until(cluster.is_done, what="the promoted server has no task left", seconds=FAILOVER_SECONDS)
        await until(lambda: BACK in lines(caplog), what="it is said that Redis is back")
    assert work.has(TASKS)
    assert next(line for line in lines(caplog) if line in (AWAY, BACK)) == AWAY


async def test_cancelations_are_heard_after_a_failover(cluster: Cluster, client: Redis) -> None:
    """The subscription follows to the promoted server."""
    held = asyncio.Event()

    async def hold(_attempt: Attempt) -> None:
        held.set()
        await asyncio.Event().wait()

    async with serving(client, hold) as server:
        await until(server._subscriber.listening.is_set, what="it listens")
        await asyncio.to_thread(cluster.main.kill)
        await until(
            lambda: cluster.main_port() == cluster.replica.port,
            what="the replica is promoted",
            seconds=FAILOVER_SECONDS,
        )
        await until(server._subscriber.listening.is_set, what="it listens again")
        await Client(client).enqueue(Task("t"), task_id="1")
        await until(held.is_set, what="the task runs")
        await until(lambda: client.publish(keys.CANCEL_CHANNEL, "1"), what="somebody hears")
        await until(lambda: client.zscore(keys.retry(Q), "1"), what="it waits for its retry")


async def pause_again_and_again(server: RedisServer, milliseconds: int, work: Work) -> None:
    """Until all is done: Redis answers nothing for a time, then it lets a few tasks pass."""
    plain = server.async_client()
    try:
        while not work.has(TASKS):
            done = len(work.done)
            await plain.client_pause(milliseconds)
            await plain.ping()
            await until(partial(work.has, min(done + 20, TASKS)), what="work goes on")
    finally:
        await plain.aclose()


async def work_through(server: RedisServer, *, pauses_ms: int, **config: Any) -> Work:
    """Has all tasks done while Redis pauses."""
    client = server.async_client()
    work = Work()
    await put(client, TASKS)
    async with serving(client, work, **{**SHORT, **config}):
        await pause_again_and_again(server, pauses_ms, work)
        await gone(client, keys.active(Q), keys.lease(Q), keys.retry(Q), keys.pending(Q))
    assert [key async for key in client.scan_iter("asynq:*:t:*")] == []
    await client.aclose()
    return work


async def test_slow_redis_is_waited_for(own_redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """Pauses within the time it has are no errors: each task is done once, and nothing is said."""
    caplog.set_level(logging.INFO)
    work = await work_through(own_redis, pauses_ms=100, lease_seconds=30.0)
    assert set(work.done.values()) == {1}
    assert not {AWAY, BACK} & set(lines(caplog))


async def test_redis_that_is_too_slow_loses_nothing(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Pauses longer than it has: answers are lost, tasks are recovered, and the log says so."""
    caplog.set_level(logging.INFO)
    await work_through(own_redis, pauses_ms=400, redis_timeout_seconds=0.1)
    assert {AWAY, BACK} <= set(lines(caplog))
