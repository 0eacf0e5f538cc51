"""Our side and Go's on one Redis Cluster: what either puts there, the other takes for its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any

import pytest

from asynq_exporter import connect
from asynq_exporter.core import Client, ClusterClient, DuplicateTaskError, Task, TaskState, keys
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.core.worker import Scheduler
from asynq_exporter.settings import resolve
from tests.core.worker.serving import Gate, gone, serving, there, until
from tests.interop.conftest import ask
from tests.interop.golang import Go
from tests.interop.test_workers import obey_all
from tests.interop.worker import aggregate, retry_in
from tests.scan.topology.nodes import Nodes, cluster

HOUR = 3600

#: One on each node.
QUEUES = ("dead_letter", "default", "low")
WEIGHTS = dict.fromkeys(QUEUES, 1)
FLAG = ",".join(f"{queue}=1" for queue in QUEUES)

#: ID -> payload and options; the orders in payloads are for workers of both sides (order.go, worker.py).
ORDERS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "done": (b"", {}),
    "kept": (b'{"result":"a result"}', {"retention_seconds": HOUR}),
    "unique": (b'{"result":"once"}', {"retention_seconds": HOUR, "unique_seconds": HOUR}),
    "retried": (b'{"fail":"oh"}', {"max_retry": 3}),
    "archived": (b'{"fail":"bad luck"}', {"max_retry": 0}),
    "later": (b'{"result":"later"}', {"process_in_seconds": 1, "retention_seconds": HOUR}),
    "one": (b"1", {"group": "g"}),
    "two": (b"2", {"group": "g"}),
}

#: State -> IDs in the end; the task that was made of the group has an ID of its own.
LEFT = {"completed": {"kept", "unique", "later"}, "retry": {"retried"}, "archived": {"archived"}}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """The cluster of these tests."""
    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
async def redis(nodes: Nodes) -> AsyncIterator[ClusterClient]:
    """A client of ours on the empty cluster."""
    with closing(nodes.client()) as client:
        client.flushall()
    made = connect.make_redis(resolve(flags={"redis.url": [nodes.url]}).settings)
    assert isinstance(made, ClusterClient)
    yield made
    await made.aclose()


async def left(inspector: Inspector, queue: str) -> dict[str, set[str]]:
    """The IDs in the final states, as our Inspector lists them."""
    found = {}
    for state in LEFT:
        tasks = (await inspector.list_tasks(queue, TaskState(state))).tasks
        found[state] = {task.id for task in tasks if task.info is None or task.info.type != "aggregated"}
    return found


async def test_our_worker_does_what_go_enqueued(go: Go, nodes: Nodes, redis: ClusterClient) -> None:
    """Of every kind, on every node; Go's Inspector finds what its own worker would have left."""
    asks = [
        {**ask(Task("t", payload), options), "task_id": task_id, "queue": queue}
        for queue in QUEUES
        for task_id, (payload, options) in ORDERS.items()
    ]
    assert not [answer for answer in go.enqueue(nodes, *asks) if "error" in answer]
    with pytest.raises(DuplicateTaskError):
        await Client(redis).enqueue(Task("t", b'{"result":"once"}'), queue=QUEUES[0], unique_seconds=HOUR)
    config: dict[str, Any] = {
        "queues": WEIGHTS,
        "retry_delay": retry_in,
        "aggregator": aggregate,
        "group_grace_seconds": 1,
    }
    async with serving(redis, obey_all, **config) as server:
        for queue in QUEUES:
            await there(redis, keys.completed(queue))
            await until(lambda queue=queue: redis.zcard(keys.retry(queue)), what="one waits for its retry")  # type: ignore[misc]
            await until(lambda queue=queue: has(redis, keys.completed(queue), 4), what="all is done")  # type: ignore[misc]
        report = await asyncio.to_thread(go.inspect, nodes)
        assert [server.server_id] == [seen["id"] for seen in report["servers"]]
    report = go.inspect(nodes)
    assert [] == report["servers"]
    assert set(QUEUES) == set(report["queues"])
    for found in report["queues"].values():
        ids = {
            state: {task["id"] for task in tasks if task["type"] != "aggregated"}
            for state, tasks in found["tasks"].items()
        }
        assert LEFT == {state: some for state, some in ids.items() if some}
        assert [7, 2] == [found["info"]["processed"], found["info"]["failed"]]


async def has(redis: ClusterClient, key: str, number: int) -> bool:
    """Whether a sorted set has so many members."""
    return int(await redis.zcard(key)) == number


async def test_gos_worker_does_what_we_enqueued(go: Go, nodes: Nodes, redis: ClusterClient) -> None:
    """The other way round; our Inspector reads what it left."""
    client = Client(redis)
    for queue in QUEUES:
        for task_id, (payload, options) in ORDERS.items():
            await client.enqueue(Task("t", payload), queue=queue, task_id=task_id, **options)
    await asyncio.to_thread(go.run, "work", nodes, "-queues", FLAG, "-until-empty")
    inspector = Inspector(redis)
    assert set(QUEUES) == set(await inspector.queues())
    for queue in QUEUES:
        info = await inspector.queue_info(queue)
        assert (7, 2) == (info.processed_today, info.failed_today)
        assert LEFT == await left(inspector, queue)
        await inspector.run_task(queue, "archived")
        await inspector.delete_task(queue, "retried")
        await inspector.pause(queue)
    report = go.inspect(nodes)["queues"]
    assert [True] * 3 == [report[queue]["info"]["paused"] for queue in QUEUES]
    assert [["archived"]] * 3 == [
        [task["id"] for task in report[queue]["tasks"]["pending"]] for queue in QUEUES
    ]


async def test_each_cancels_the_others_tasks(go: Go, nodes: Nodes, redis: ClusterClient) -> None:
    """A word on the channel reaches the servers of both, whichever node they listen at."""
    with go.live(nodes, "-queues", "default=1", "-block", "default=2", "-scheduler") as live:
        inspector = Inspector(redis)
        [server] = await inspector.servers()
        assert {"blocked-default-0", "blocked-default-1"} <= {task.task_id for task in server.workers}
        assert 1 == await inspector.cancel("blocked-default-0")
        await until(lambda: redis.zscore(keys.retry("default"), "blocked-default-0"), what="Go heard us")
        entries = await inspector.scheduler_entries()
        assert {"@every 1s", "0 3 * * *"} <= {entry.spec for entry in entries}
        await asyncio.to_thread(live.crash)
    gate = Gate()
    async with serving(redis, gate, queues={"low": 1}) as ours:
        await Client(redis).enqueue(Task("t"), queue="low", task_id="mine")
        await gate.holds(1)
        await ours._subscriber.listening.wait()
        await asyncio.to_thread(go.run, "cancel", nodes, "-id", "mine")
        await until(lambda: gate.canceled, what="we heard Go")


async def test_go_reads_our_scheduler(go: Go, nodes: Nodes, redis: ClusterClient) -> None:
    """Entry and events of ours, in slots of their own."""
    scheduler = Scheduler(redis)
    entry = scheduler.register("@every 1s", Task("tick"), queue="low")
    await scheduler.start()
    try:
        await there(redis, keys.scheduler_history(entry))
        [seen] = (await asyncio.to_thread(go.inspect, nodes))["scheduler_entries"]
    finally:
        await scheduler.shutdown()
    assert (entry, "@every 1s") == (seen["id"], seen["spec"])
    assert seen["events"], json.dumps(seen)
    assert seen["events"][0]["task_id"]
    await gone(redis, keys.scheduler_entries(scheduler.scheduler_id))
