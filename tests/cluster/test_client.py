"""The client: commands go to the nodes of their keys; a lost node costs what lies on it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import RedisCluster
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, ResponseError, TryAgainError

from asynq_exporter.core import Broker, Client, ClusterClient, InvalidArgumentError, Task, keys
from asynq_exporter.core.errors import UnavailableError
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.core.scripts import ScriptRunner
from asynq_exporter.core.states import TaskState
from tests.cluster.conftest import QUEUES, client_of
from tests.core.queue_state import a_task
from tests.core.worker.serving import until
from tests.scan.topology.nodes import Nodes, cluster
from tests.scan.topology.test_cluster import begin_move, end_move


async def test_a_pipeline_reaches_all_nodes(redis: ClusterClient, nodes: Nodes) -> None:
    """Replies come in the order of the commands, errors in the place of theirs."""
    pipe = redis.pipeline(transaction=False)
    for number, queue in enumerate(QUEUES):
        pipe.set(keys.paused(queue), number)
    pipe.lpush(keys.paused(QUEUES[0]), 1)
    *written, refused = await pipe.execute(raise_on_error=False)
    for queue in QUEUES:
        pipe.get(keys.paused(queue))

    assert [True] * len(QUEUES) == written
    assert isinstance(refused, ResponseError)
    assert [str(number).encode() for number in range(len(QUEUES))] == await pipe.execute()
    assert {0, 1, 2} == {nodes.index(keys.paused(queue)) for queue in QUEUES}
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await redis.lpush(keys.paused(QUEUES[0]), 1)
    assert [] == await pipe.execute()


async def test_a_transaction_is_of_one_slot(redis: ClusterClient) -> None:
    """Its replies are read as those of any command; what is refused in it keeps it from running."""
    pipe = redis.pipeline(transaction=True)
    pipe.zadd(keys.lease("a"), {"x": 1.5})
    pipe.zrange(keys.lease("a"), 0, -1, withscores=True)
    assert [1, [(b"x", 1.5)]] == await pipe.execute()
    pipe.set(keys.paused("a"), 1)
    pipe.execute_command("GET")
    with pytest.raises(ResponseError, match="wrong number of arguments"):
        await pipe.execute()
    assert await redis.get(keys.paused("a")) is None


async def test_a_queue_that_no_slot_holds_is_refused(redis: ClusterClient, nodes: Nodes) -> None:
    """A name that begins with } makes no hash tag: a clear word, and nothing is written."""
    with pytest.raises(InvalidArgumentError, match="begins with } cannot be in a cluster"):
        await Client(redis).enqueue(Task("t"), queue="}x")
    with pytest.raises(InvalidArgumentError, match="begins with }"):
        await Broker(redis).dequeue(["}x"])
    assert [0, 0, 0] == [node.client().dbsize() for node in nodes.masters]
    await Client(redis).enqueue(Task("t"), queue="x}y")
    assert 1 == await redis.llen(keys.pending("x}y"))


async def test_the_other_client_of_a_cluster_is_refused(nodes: Nodes) -> None:
    """redis-py's own, with the one to take."""
    other: Any = RedisCluster(host="127.0.0.1", port=nodes.port)
    for kind in (Client, Broker, Inspector):
        with pytest.raises(InvalidArgumentError, match="ClusterClient"):
            kind(other)
    await other.aclose()


async def test_what_is_of_one_node_is_refused(redis: ClusterClient, nodes: Nodes) -> None:
    """Rather than answered by one that was not asked for; the nodes can be had."""
    with pytest.raises(DataError, match="DBSIZE is about one node"):
        await redis.dbsize()
    assert {node.port for node in nodes.masters} == {
        node.connection_pool.connection_kwargs["port"] for node in await redis.masters()
    }


async def test_scripts_are_known_to_all_nodes_again(redis: ClusterClient, nodes: Nodes) -> None:
    """A node that forgot its scripts, as a new master never knew them, gets their text."""
    client = Client(redis)
    for _ in range(2):
        for queue in QUEUES:
            await client.enqueue(Task("t"), queue=queue)
        for node in nodes.masters:
            with node.client() as direct:
                direct.script_flush()
    await client.enqueue_many([(Task("t"), {"queue": queue}) for queue in QUEUES])

    assert [3] * len(QUEUES) == [await redis.llen(keys.pending(queue)) for queue in QUEUES]


async def test_a_slot_on_its_way_is_followed(tmp_path: Path) -> None:
    """ASKING and the command take one connection of many; what needs keys of both nodes waits for the end."""
    queue = QUEUES[7]
    with cluster(tmp_path) as own:
        source = own.owner(keys.pending(queue))
        target = own.masters[(own.index(keys.pending(queue)) + 1) % 3]
        async with client_of(own) as redis:
            client, inspector = Client(redis), Inspector(redis)
            await client.enqueue(Task("t"), queue=queue, task_id="before")
            begin_move(queue, source, target)
            # So many at once need as many connections, to the old node and to the new one.
            found = await asyncio.gather(*(redis.llen(keys.pending(queue)) for _ in range(20)))
            await inspector.pause(queue)
            with pytest.raises(UnavailableError):
                await client.enqueue(Task("t"), queue=queue, task_id="meanwhile")
            end_move(queue, own, target)
            await client.enqueue(Task("t"), queue=queue, task_id="after")
            info = await inspector.queue_info(queue)
            tasks = await inspector.list_tasks(queue, TaskState.PENDING)

    assert [1] * 20 == found
    assert info.paused_since is not None
    assert ["before", "after"] == [task.id for task in tasks.tasks]


async def test_a_transaction_follows_a_slot_on_its_way(tmp_path: Path) -> None:
    """ASKING goes before MULTI and holds until EXEC."""
    queue = QUEUES[5]
    with cluster(tmp_path) as own:
        source = own.owner(keys.pending(queue))
        target = own.masters[(own.index(keys.pending(queue)) + 1) % 3]
        async with client_of(own) as redis:
            await redis.rpush(keys.pending(queue), "a", "b")
            begin_move(queue, source, target)
            pipe = redis.pipeline(transaction=True)
            pipe.llen(keys.pending(queue))
            pipe.lindex(keys.pending(queue), -1)
            asked = await pipe.execute()
            end_move(queue, own, target)
            pipe.llen(keys.pending(queue))
            moved = await pipe.execute()

    assert [2, b"b"] == asked
    assert [2] == moved


async def test_a_lost_node_costs_what_lies_on_it(tmp_path: Path) -> None:
    """Queues on other nodes go on, also where the registry is lost; a new queue is refused unwritten."""
    with cluster(tmp_path) as own:
        async with client_of(own) as redis:
            client = Client(redis)
            lost = own.owner(keys.QUEUES)
            there = [queue for queue in QUEUES if own.owner(keys.pending(queue)) is not lost]
            gone = [queue for queue in QUEUES if own.owner(keys.pending(queue)) is lost]
            known, unknown = there[0], there[1]
            for queue in (known, gone[0]):
                await client.enqueue(Task("t"), queue=queue)
            lost.kill()
            await client.enqueue(Task("t"), queue=known)
            for queue in (unknown, gone[0]):
                with pytest.raises(UnavailableError, match=f"127.0.0.1:{lost.port}"):
                    await client.enqueue(Task("t"), queue=queue)
            pipe = redis.pipeline(transaction=False)
            for queue in (known, unknown, gone[0]):
                pipe.llen(keys.pending(queue))
            one, two, error = await pipe.execute(raise_on_error=False)

    assert [2, 0] == [one, two]
    assert isinstance(error, RedisConnectionError)


async def test_a_node_that_hangs_holds_up_its_own(tmp_path: Path) -> None:
    """After one wait it is left alone for a while; a caller's end of patience counts as well."""
    with cluster(tmp_path) as own:
        async with client_of(own) as redis:
            hung = own.masters[0]
            there = next(queue for queue in QUEUES if own.owner(keys.pending(queue)) is not hung)
            gone = next(queue for queue in QUEUES if own.owner(keys.pending(queue)) is hung)
            await redis.llen(keys.pending(there))
            hung.hang()
            try:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(1.5):
                        await redis.llen(keys.pending(gone))
                with pytest.raises(RedisConnectionError, match="no answer a moment ago"):
                    await redis.llen(keys.pending(gone))
                assert 0 == await redis.llen(keys.pending(there))
            finally:
                hung.resume()

            async def back() -> bool:
                try:
                    return await redis.llen(keys.pending(gone)) == 0
                except RedisConnectionError:
                    return False

            await until(back, what="the node is asked again")


async def test_no_node_answers(tmp_path: Path) -> None:
    """The error names each."""
    with cluster(tmp_path) as own:
        for node in own.masters:
            node.kill()
        async with client_of(own) as redis:
            with pytest.raises(UnavailableError) as found:
                await Client(redis).enqueue(Task("t"))

    assert all(str(node.port) in str(found.value) for node in own.masters)


async def test_what_has_to_wait_does_not_wait_for_ever(tmp_path: Path) -> None:
    """TRYAGAIN is tried again a few times, then it is an error."""
    queue = QUEUES[3]
    with cluster(tmp_path) as own:
        source = own.owner(keys.pending(queue))
        async with client_of(own) as redis:
            await redis.set(keys.paused(queue), 1)
            begin_move(queue, source, own.masters[(own.index(keys.pending(queue)) + 1) % 3])
            runner = ScriptRunner(redis)
            with pytest.raises(TryAgainError):
                await runner.run("swap_field", [keys.paused(queue), keys.pending(queue)])


def test_slots_of_a_queue() -> None:
    """All keys of a queue lie in one slot, and those without a queue where their own name puts them."""
    names = [name(QUEUES[0]) for name in (keys.pending, keys.paused, keys.lease, keys.groups)]
    task = a_task(queue=QUEUES[0], unique_key=keys.unique(QUEUES[0], "t", b""))
    assert 1 == len({key_slot(name.encode()) for name in [*names, task.unique_key]})
    shared = [keys.TASK_TIMINGS, keys.task_timings_sent("x")]
    assert 1 == len({key_slot(name.encode()) for name in shared})
    beside = [keys.server("h", 1, "s"), keys.workers("h", 1, "s")]
    assert 1 == len({key_slot(name.encode()) for name in beside})
