"""A master dies under clients and workers, its replica takes over, and the dead one comes back."""

import asyncio
import contextlib
import itertools
import logging
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from asynq_exporter.core import (
    Broker,
    Client,
    ClusterClient,
    Task,
    TaskIdConflictError,
    UnavailableError,
    keys,
)
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.core.worker import Attempt
from tests.cluster.conftest import QUEUES, client_of
from tests.conftest import RedisServer, wait_until
from tests.core.queue_state import a_task
from tests.core.worker.serving import Gate, serving, there, until
from tests.scan.topology.nodes import Nodes, cluster

#: Tasks per queue that are there before a master dies.
BEFORE = 20

#: An election on a busy machine.
FAILOVER_SECONDS = 90.0

AWAY, BACK = "[Asynq] Redis error, trying again", "[Asynq] Redis answers again"

#: Lost answers, and writes that the replica never saw, are recovered in about a second.
SHORT: dict[str, Any] = {
    "queues": dict.fromkeys(QUEUES, 1),
    "concurrency": 10,
    "lease_seconds": 1.0,
    "recover_grace_seconds": 0.0,
    "retry_delay": lambda *_all: 0.0,
}


class Work:
    """A handler that notes what it did."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()

    async def __call__(self, attempt: Attempt) -> None:
        """Does a task."""
        await asyncio.sleep(0.02)
        self.done[attempt.id] += 1


class Producer:
    """Enqueues into all queues, and tries again what was refused."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.accepted: set[str] = set()
        self.refused = 0
        self.stopping = False

    async def run(self) -> None:
        """Enqueues until it is told to stop."""
        for number in itertools.count():
            queue = QUEUES[number % len(QUEUES)]
            if self.stopping:
                return
            await self.put(queue, f"during-{number}")

    async def put(self, queue: str, task_id: str) -> None:
        """Enqueues one task, which is there afterwards."""
        while not self.stopping:
            try:
                await self._client.enqueue(Task("t"), queue=queue, task_id=task_id, max_retry=1000)
            except UnavailableError:
                self.refused += 1
                await asyncio.sleep(0.05)
            except TaskIdConflictError:
                break  # the answer to the try before was lost
            else:
                break
        else:
            return
        self.accepted.add(task_id)


def followers(node: RedisServer) -> int:
    """How many replicas of a master have all that it has."""
    with node.client() as client:
        return int(client.wait(1, 1000))


async def replicated(nodes: Nodes) -> None:
    """Waits until what was written so far outlives any master."""
    for node in (*nodes.masters, *nodes.replicas):
        with node.client() as client:
            if client.info("replication")["role"] == "master":
                await asyncio.to_thread(
                    wait_until, lambda node=node: followers(node), what="a replica follows"
                )


async def master_of(redis: ClusterClient, nodes: Nodes, key: str) -> RedisServer:
    """The present master of a key."""
    await redis.exists(key)
    address = redis.node_of(key)
    assert address is not None
    return next(node for node in (*nodes.masters, *nodes.replicas) if node.port == address[1])


async def test_nothing_is_lost(own: Nodes, caplog: pytest.LogCaptureFixture) -> None:
    """Twice: the master of the registry dies, then the replica that took over from it, once it is back."""
    caplog.set_level(logging.INFO)
    redis = client_of(own)
    client, work = Client(redis), Work()
    producer = Producer(client)
    for queue, number in itertools.product(QUEUES, range(BEFORE)):
        await producer.put(queue, f"{queue}-{number}")
    async with serving(redis, work, **SHORT):
        dead = None
        for _ in range(2):
            await replicated(own)
            victim = await master_of(redis, own, keys.QUEUES)
            assert victim is not dead
            producing = asyncio.create_task(producer.run())
            await asyncio.to_thread(victim.kill)
            await until(
                partial(lives_elsewhere, redis, victim), what="a replica took over", seconds=FAILOVER_SECONDS
            )
            await asyncio.to_thread(victim.start_again)
            dead = victim
            producer.stopping = True
            await producing
            producer.stopping = False
        await until(
            lambda: set(work.done) >= producer.accepted, what="all tasks are done", seconds=FAILOVER_SECONDS
        )
        await until(lambda: all_is_done(redis), what="no task is left", seconds=FAILOVER_SECONDS)
    await redis.aclose()

    assert producer.refused
    assert len(producer.accepted) > BEFORE * len(QUEUES)
    said = [record.getMessage() for record in caplog.records]
    assert AWAY in said
    assert BACK in said


async def lives_elsewhere(redis: ClusterClient, victim: RedisServer) -> bool:
    """Whether another node answers for the registry."""
    with contextlib.suppress(Exception):
        await redis.scard(keys.QUEUES)
        return redis.node_of(keys.QUEUES) != ("127.0.0.1", victim.port)
    return False


async def all_is_done(redis: ClusterClient) -> bool:
    """Whether no queue holds a task."""
    inspector = Inspector(redis)
    infos = [await inspector.queue_info(queue) for queue in QUEUES]
    return not any(sum(info.tasks.values()) for info in infos)


async def test_worker_goes_on_with_what_is_left(tmp_path: Path) -> None:
    """A master is lost for good: a strict order passes over its queues, and leases elsewhere hold."""
    with cluster(tmp_path) as own:
        lost = own.owner(keys.SERVERS)
        gone = next(queue for queue in QUEUES if own.owner(keys.pending(queue)) is lost)
        left = next(queue for queue in QUEUES if own.owner(keys.pending(queue)) is not lost)
        gate = Gate()
        async with client_of(own) as redis:
            config = {**SHORT, "queues": {gone: 2, left: 1}, "strict_priority": True}
            async with serving(redis, gate, **config):
                await Client(redis).enqueue(Task("t"), queue=left, task_id="before")
                await gate.holds(1)
                await asyncio.to_thread(lost.kill)
                broker = Broker(redis)
                await broker._scripts.run_many([broker._enqueue(a_task("after", queue=left))])
                await gate.holds(2)
                ends = await redis.zscore(keys.lease(left), "before") or 0.0

                async def is_longer() -> bool:
                    now = await redis.zscore(keys.lease(left), "before") or 0.0
                    return now > ends + 2

                await until(is_longer, what="the lease is extended again and again")
                assert [] == gate.canceled
                gate.opened.set()
                await gone_from(redis, left)


async def gone_from(redis: ClusterClient, queue: str) -> None:
    """Waits until a queue has nothing active."""

    async def is_idle() -> bool:
        return int(await redis.llen(keys.active(queue))) == 0

    await until(is_idle, what="all is done")


async def test_cancelations_are_heard_after_a_failover(own: Nodes) -> None:
    """The subscription follows to the new master of the channel."""
    redis, gate = client_of(own), Gate()
    queue = next(q for q in QUEUES if own.owner(keys.pending(q)) is not own.owner(keys.CANCEL_CHANNEL))
    async with serving(
        redis, gate, **{**SHORT, "lease_seconds": 600.0, "retry_delay": lambda *_all: 60.0}
    ) as server:
        await Client(redis).enqueue(Task("t"), queue=queue, task_id="1")
        await gate.holds(1)
        await server._subscriber.listening.wait()
        await replicated(own)
        await asyncio.to_thread(own.owner(keys.CANCEL_CHANNEL).kill)
        await until(lambda: hears(redis), what="somebody hears", seconds=FAILOVER_SECONDS)
        await there(redis, keys.retry(queue))
    await redis.aclose()

    assert ["1"] == [attempt.id for attempt in gate.canceled]


async def hears(redis: ClusterClient) -> bool:
    """Whether a cancelation was heard."""
    with contextlib.suppress(UnavailableError):
        return bool(await Inspector(redis).cancel("1"))
    return False
