"""Client, worker and scheduler in a cluster: what they do in a single Redis, on queues of all nodes."""

import subprocess
import sys
from collections import Counter

import pytest

from asynq_exporter.core import Client, ClusterClient, DuplicateTaskError, Task, TaskIdConflictError, keys
from asynq_exporter.core.admission import Admission
from asynq_exporter.core.breakers import Breakers
from asynq_exporter.core.broker import NewTask
from asynq_exporter.core.client import Options
from asynq_exporter.core.control import WorkerControl
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.core.records.lock import Locks
from asynq_exporter.core.shared_timings import SharedTimings
from asynq_exporter.core.worker import Attempt, Scheduler
from tests.cluster.conftest import QUEUES
from tests.core.queue_state import a_task
from tests.core.worker.serving import Gate, gone, serving, there, until
from tests.interop.worker import aggregate
from tests.scan.topology.nodes import Nodes

WEIGHTS = dict.fromkeys(QUEUES, 1)

#: A worker that is about to be killed: it takes tasks and never ends them.
STUCK = """
import asyncio, sys
from asynq_exporter.core import ClusterClient
from asynq_exporter.core.worker import Server, ServerConfig

async def main():
    redis = ClusterClient([("127.0.0.1", int(sys.argv[1]))])
    async def stuck(attempt):
        await asyncio.Event().wait()
    queues = dict.fromkeys(sys.argv[2:], 1)
    config = ServerConfig(queues=queues, concurrency=100, lease_seconds=1.0, heartbeat_seconds=0.2)
    await Server(redis, stuck, config).run()

asyncio.run(main())
"""


async def test_client_creates_tasks_of_every_kind(redis: ClusterClient) -> None:
    """Ready, unique, later, grouped, many; the queue is registered apart."""
    client = Client(redis)
    for queue in QUEUES:
        await client.enqueue(Task("t"), queue=queue, task_id="1")
        with pytest.raises(TaskIdConflictError):
            await client.enqueue(Task("t"), queue=queue, task_id="1")
        await client.enqueue(Task("u"), queue=queue, unique_seconds=60)
        with pytest.raises(DuplicateTaskError):
            await client.enqueue(Task("u"), queue=queue, unique_seconds=60)
        await client.enqueue(Task("t"), queue=queue, process_in_seconds=60)
        await client.enqueue(Task("t"), queue=queue, process_in_seconds=60, unique_seconds=90)
        await client.enqueue(Task("g"), queue=queue, group="g")
        await client.enqueue(Task("g"), queue=queue, group="g", unique_seconds=60)
    requests = [(Task("t"), Options(queue=queue)) for queue in QUEUES] * 50
    assert None not in await client.enqueue_many(requests)

    assert {queue.encode() for queue in QUEUES} == await redis.smembers(keys.QUEUES)
    for queue in QUEUES:
        assert 52 == await redis.llen(keys.pending(queue))
        assert 2 == await redis.zcard(keys.scheduled(queue)) == await redis.zcard(keys.group(queue, "g"))


async def test_worker_works_on_queues_of_all_nodes(redis: ClusterClient) -> None:
    """Done and kept, retried, archived, later; counters, locks and records are as everywhere."""
    client, tries = Client(redis), Counter[str]()

    async def handle(attempt: Attempt) -> None:
        tries[attempt.type] += 1
        if attempt.type == "bad" or (attempt.type == "flaky" and not attempt.retried):
            raise RuntimeError(attempt.type)

    for queue in QUEUES:
        await client.enqueue(Task("good"), queue=queue, unique_seconds=600)
        await client.enqueue(Task("kept"), queue=queue, retention_seconds=600)
        await client.enqueue(Task("flaky"), queue=queue)
        await client.enqueue(Task("bad"), queue=queue, max_retry=0)
        await client.enqueue(Task("later"), queue=queue, process_in_seconds=1)
    async with serving(
        redis, handle, queues=WEIGHTS, concurrency=30, retry_delay=lambda *_all: 0.0
    ) as server:
        await there(
            redis, keys.server(server._heartbeat.server.host, server._heartbeat.server.pid, server.server_id)
        )
        [seen] = await Inspector(redis).servers()
        for queue in QUEUES:
            await until(lambda queue=queue: is_finished(redis, queue), what=f"{queue} is finished")  # type: ignore[misc]

    assert server.server_id == seen.server_id
    many = len(QUEUES)
    assert {"good": many, "kept": many, "flaky": 2 * many, "bad": many, "later": many} == tries
    for queue in QUEUES:
        assert await redis.zcard(keys.completed(queue)) == 1 == await redis.zcard(keys.archived(queue))
        assert b"6" == await redis.get(keys.processed(queue))
        assert b"2" == await redis.get(keys.failed(queue))
        assert await redis.get(keys.unique(queue, "good", None)) is None
    assert [] == await redis.zrange(keys.SERVERS, 0, -1)


async def is_finished(redis: ClusterClient, queue: str) -> bool:
    """Whether six attempts were made."""
    return await redis.get(keys.processed(queue)) == b"6"


async def test_group_becomes_one_task(redis: ClusterClient) -> None:
    """The aggregator of our server works on groups of all nodes."""
    client = Client(redis)
    for queue in QUEUES[:6]:
        for _ in range(3):
            await client.enqueue(Task("t", b"x"), queue=queue, group="g")

    async def succeed(_attempt: Attempt) -> None:
        """Content with everything."""

    async with serving(redis, succeed, queues=WEIGHTS, aggregator=aggregate, group_grace_seconds=1):
        for queue in QUEUES[:6]:
            await there(redis, keys.completed(queue))
            await gone(redis, keys.groups(queue))


async def test_killed_workers_tasks_are_taken_over(redis: ClusterClient, nodes: Nodes) -> None:
    """SIGKILL: the leases end, and another worker does the tasks; none is lost."""
    client = Client(redis)
    for queue in QUEUES:
        await client.enqueue(Task("t"), queue=queue, retention_seconds=600)
    argv = [sys.executable, "-c", STUCK, str(nodes.masters[0].port), *QUEUES]
    with subprocess.Popen(argv) as process:
        try:
            for queue in QUEUES:
                await there(redis, keys.active(queue))
        finally:
            process.kill()

    async def succeed(_attempt: Attempt) -> None:
        """Content with everything."""

    async with serving(
        redis, succeed, queues=WEIGHTS, recover_grace_seconds=0.0, retry_delay=lambda *_all: 0.0
    ):
        for queue in QUEUES:
            await there(redis, keys.completed(queue))
            await gone(redis, keys.active(queue), keys.lease(queue), keys.retry(queue))


async def test_running_task_is_canceled(redis: ClusterClient, nodes: Nodes) -> None:
    """The word goes to the node of the channel, where we listen, and through any other node as well."""
    client, gate, inspector = Client(redis), Gate(), Inspector(redis)
    for number in range(4):
        await client.enqueue(Task("t"), queue=QUEUES[number], task_id=str(number))
    async with serving(redis, gate, queues=WEIGHTS, retry_delay=lambda *_all: 60.0) as server:
        await gate.holds(4)
        await server._subscriber.listening.wait()
        assert 1 == await inspector.cancel("0")
        for number, node in enumerate(nodes.masters, start=1):
            with node.client() as direct:
                direct.publish(keys.CANCEL_CHANNEL, str(number))
        await until(lambda: len(gate.canceled) == 4, what="all are canceled")
        for number in range(4):
            await there(redis, keys.retry(QUEUES[number]))


async def test_scheduler_enqueues(redis: ClusterClient) -> None:
    """Its entries and events lie where they like."""
    scheduler = Scheduler(redis)
    entry = scheduler.register("@every 1s", Task("t"), queue=QUEUES[3])
    await scheduler.start()
    try:
        await there(redis, keys.pending(QUEUES[3]))
        await there(redis, keys.scheduler_history(entry))
        [seen] = await Inspector(redis).scheduler_entries()
        assert entry == seen.entry_id
    finally:
        await scheduler.shutdown()
    assert [] == await Inspector(redis).scheduler_entries()


async def test_our_own_keys(redis: ClusterClient) -> None:
    """Breakers, room, control, timings and locks are single keys or lie together."""
    breakers = Breakers(redis)
    for number in range(3):
        async with breakers.service(f"s{number}"):
            pass
    assert 3 == await redis.hlen(keys.CIRCUIT_BREAKERS)
    admission = Admission(redis)
    await admission.create(a_task(queue="critical"))
    assert [True, True] == await admission.create_many(
        [NewTask(message=a_task(f"m-{queue}", queue=queue)) for queue in ("default", "low")]
    )
    assert {"critical": 1, "default": 1, "low": 1}.items() <= {
        load.queue: load.size for load in await admission.loads()
    }.items()
    control = WorkerControl(redis)
    await control.set(concurrency=3, polling=False)
    asked = await control.read()
    assert (3, False) == (asked.concurrency, asked.polling)
    shared = SharedTimings(redis)
    await shared.add("one", 1, {})
    assert {} == await shared.read()
    locks = Locks(redis)
    lock = await locks.acquire("x", seconds=60)
    assert lock is not None
    assert await locks.acquire("x", seconds=60) is None
    await lock.renew(seconds=60)
    await lock.release()
