"""A scan of a Redis Cluster of three masters: real servers, one of them lost, hung, or its slots moved."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import redis
from redis.crc import key_slot

from asynq_exporter import connect
from asynq_exporter.core import catalog, keys
from asynq_exporter.core.clock import utc_day
from asynq_exporter.scan.background.collectors import BackgroundCollectors
from asynq_exporter.scan.cluster import route
from asynq_exporter.scan.scanner import Scanner
from asynq_exporter.scan.snapshot import Snapshot
from asynq_exporter.scan.upstream import UpstreamSampler
from asynq_exporter.settings import Settings, resolve
from tests.conftest import RedisServer, wait_until
from tests.project.acl import CLUSTER_RULES, READ_ONLY_RULES
from tests.scan.topology.nodes import Nodes, cluster
from tests.scan.topology.scanning import eventually, scanner_of

#: Enough for each node to hold some.
QUEUES = tuple(f"queue-{number}" for number in range(40))


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """A cluster for tests that leave it as it is."""
    with cluster(tmp_path_factory.mktemp("cluster")) as nodes:
        fill(nodes)
        yield nodes


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Nodes]:
    """A cluster of this test alone."""
    with cluster(tmp_path) as nodes:
        fill(nodes)
        yield nodes


def fill(nodes: Nodes) -> None:
    """Puts a number of tasks into each queue that tells it apart."""
    with nodes.client() as client:
        fill_one(client)


def fill_one(client: "redis.Redis | redis.RedisCluster") -> None:
    """The same, with a client of any kind."""
    client.sadd(keys.QUEUES, *QUEUES)
    for number, queue in enumerate(QUEUES):
        client.rpush(keys.pending(queue), *range(number + 1))
        client.set(keys.processed(queue), number)


def settings_of(nodes: Nodes, **flags: str) -> Settings:
    """Settings for a cluster."""
    given = {k.replace("__", "-").replace("_", "."): [v] for k, v in flags.items()}
    return resolve(flags={"redis.url": [nodes.url]} | given).settings


def pending(snapshot: Snapshot) -> dict[str, float | None]:
    """What is pending in our queues."""
    found = dict(zip(snapshot.queues.names, snapshot.queues.pending, strict=True))
    return {queue: found[queue] for queue in QUEUES}


ALL: dict[str, float | None] = {queue: number + 1 for number, queue in enumerate(QUEUES)}


async def test_every_queue_is_read_from_its_node(three: Nodes) -> None:
    """Queues in all slots, keys without a tag in theirs; the numbers of Redis are sums over the nodes."""
    async with scanner_of(settings_of(three)) as scanner:
        snapshot = await scanner.scan(timeout_seconds=20)
        again = await scanner.scan(timeout_seconds=20)

    assert snapshot.up
    assert {} == snapshot.queue_errors
    assert all(part.success for part in snapshot.parts.values()), snapshot.parts
    assert ALL == pending(snapshot) == pending(again)
    rows = [snapshot.queues.names.index(queue) for queue in QUEUES]
    assert list(range(len(QUEUES))) == [snapshot.queues.processed[row] for row in rows]
    assert snapshot.redis is not None
    with three.masters[0].client() as client:
        one = client.info("memory")["used_memory"]
    assert "cluster" == snapshot.redis.mode
    assert snapshot.redis.memory_used_bytes is not None
    assert 2 * one < snapshot.redis.memory_used_bytes < 4 * one
    assert again.cost.round_trips <= 5


async def test_a_cluster_costs_what_a_single_redis_costs(
    three: Nodes, redis_sync: "redis.Redis", redis_server: RedisServer
) -> None:
    """The same commands, but PING and INFO for each node, and no more round trips; slices stay whole."""
    fill_one(redis_sync)
    costs = []
    for settings in (settings_of(three), resolve(flags={"redis.url": [redis_server.url]}).settings):
        async with scanner_of(settings) as scanner:
            await scanner.scan(timeout_seconds=20)
            costs.append((await scanner.scan(timeout_seconds=20)).cost)
            kept = scanner._kept.requests
            rows = [piece.rows for piece in kept.slices]
            owners = [{three.index(keys.pending(q)) for q in kept.names[r.start : r.stop]} for r in rows]
            whole = all(len(each) == 1 for each in owners)
        assert whole is (len(costs) == 1)

    assert costs[1].commands + 4 == costs[0].commands
    assert costs[0].round_trips <= costs[1].round_trips


async def test_a_lost_node_costs_its_queues_alone(own: Nodes) -> None:
    """The other queues are read, the lost ones are named with the node; it returns without a restart."""
    lost = own.masters[1]
    theirs = {queue for queue in QUEUES if own.owner(keys.pending(queue)) is lost}
    async with scanner_of(settings_of(own)) as scanner:
        before = await scanner.scan(timeout_seconds=20)
        lost.kill()
        during = [await scanner.scan(timeout_seconds=20) for _ in range(3)]
        lost.start_again()
        fill_again(own)
        after = [before]

        async def whole() -> bool:
            after.append(await scanner.scan(timeout_seconds=20))
            return not after[-1].queue_errors

        await eventually(whole)

    assert ALL == pending(before)
    for snapshot in during:
        assert snapshot.up
        assert {q: None if q in theirs else number for q, number in ALL.items()} == pending(snapshot)
        assert theirs <= snapshot.queue_errors.keys() <= theirs | catalog.documented().queues.keys()
        assert all(f"node 127.0.0.1:{lost.port}" in text for text in snapshot.queue_errors.values())
        assert not snapshot.parts["queues"].success
        assert f"127.0.0.1:{lost.port}" in snapshot.parts["queues"].error
    assert ALL == pending(after[-1])


async def test_the_node_of_the_registry_may_be_lost(own: Nodes) -> None:
    """Queues that were known before are still read, though nobody lists them at the moment."""
    lost = own.owner(keys.QUEUES)
    async with scanner_of(settings_of(own)) as scanner:
        await scanner.scan(timeout_seconds=20)
        lost.kill()
        during = await scanner.scan(timeout_seconds=20)

    read = {queue for queue in QUEUES if own.owner(keys.pending(queue)) is not lost}
    assert read
    assert read == {queue for queue, number in pending(during).items() if number is not None}


async def test_a_hung_node_costs_its_queues_alone(own: Nodes) -> None:
    """It has half the time; the others are read in full in the same scan."""
    hung = own.masters[2]
    async with scanner_of(settings_of(own)) as scanner:
        await scanner.scan(timeout_seconds=20)
        hung.hang()
        try:
            during = await scanner.scan(timeout_seconds=6)
        finally:
            hung.resume()

    assert during.up
    read = {queue for queue, number in pending(during).items() if number is not None}
    assert {queue for queue in QUEUES if own.owner(keys.pending(queue)) is not hung} == read
    rows = [during.queues.names.index(queue) for queue in read]
    assert {0} == {during.queues.dead_last_hour[row] for row in rows}
    assert "no answer in time" in during.parts["queues"].error


async def test_all_nodes_lost_is_down(own: Nodes) -> None:
    """No numbers, and a sentence that names the nodes."""
    async with scanner_of(settings_of(own)) as scanner:
        for node in own.masters:
            node.kill()
        snapshot = await scanner.scan(timeout_seconds=10)

    assert not snapshot.up
    assert all(str(node.port) in snapshot.error for node in own.masters)


async def test_a_node_that_wants_all_slots_served_is_down(tmp_path: Path) -> None:
    """With Redis' default a cluster without one master serves nothing: that is no half answer."""
    with cluster(tmp_path, "--cluster-require-full-coverage", "yes") as nodes:
        async with scanner_of(settings_of(nodes)) as scanner:
            assert (await scanner.scan(timeout_seconds=20)).up
            nodes.masters[0].kill()
            found: list[Snapshot] = []

            async def down() -> bool:
                found.append(await scanner.scan(timeout_seconds=20))
                return not found[-1].up

            await eventually(down)

    assert "CLUSTERDOWN" in found[-1].error


async def test_a_slot_that_moved_is_followed(own: Nodes) -> None:
    """ASK and MOVED lead to the right node within the same scan, and the next one goes there at once.

    Redis itself gives no several keys of a slot that is on its way, if one of them does not exist: counters
    are then asked for one by one, wherever each lies.
    """
    queue = QUEUES[7]
    source, target = own.owner(keys.pending(queue)), own.masters[(own.index(keys.pending(queue)) + 1) % 3]
    async with scanner_of(settings_of(own)) as scanner:
        with source.client() as client:
            client.set(keys.failed(queue), 3)
            client.set(keys.failed_on(queue, utc_day(time.time_ns())), 2)
        before = await scanner.scan(timeout_seconds=20)
        begin_move(queue, source, target, stays=keys.failed(queue))
        asked = await scanner.scan(timeout_seconds=20)
        end_move(queue, own, target)
        moved = await scanner.scan(timeout_seconds=20)
        settled = await scanner.scan(timeout_seconds=20)

    for snapshot in (before, asked, moved, settled):
        assert {} == snapshot.queue_errors
        assert ALL == pending(snapshot)
    row = asked.queues.names.index(queue)
    assert [7, 3, 2] == [
        column[row] for column in (asked.queues.processed, asked.queues.failed, asked.queues.failed_today)
    ]
    assert settled.cost.commands < moved.cost.commands


async def test_no_more_is_asked_one_by_one_than_a_pass_can_bear(
    own: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit the queue's counters are missing, and the error says why."""
    monkeypatch.setattr(route, "MAX_MENDED", 0)
    queue = QUEUES[7]
    async with scanner_of(settings_of(own)) as scanner:
        await scanner.scan(timeout_seconds=20)
        begin_move(
            queue, own.owner(keys.pending(queue)), own.masters[(own.index(keys.pending(queue)) + 1) % 3]
        )
        asked = await scanner.scan(timeout_seconds=20)

    assert {queue} == asked.queue_errors.keys()
    assert "TRYAGAIN" in asked.queue_errors[queue]
    assert ALL == pending(asked)


def begin_move(queue: str, source: RedisServer, target: RedisServer, *, stays: str = "") -> None:
    """Marks the slot of a queue as on its way, and takes over its keys but one: its old node answers ASK."""
    slot = key_slot(keys.pending(queue).encode())
    with source.client() as old, target.client() as new:
        new.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", node_id(source))
        old.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", node_id(target))
        names = set(old.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100)) - {stays.encode()}
        old.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 10_000, "KEYS", *names)


def end_move(queue: str, nodes: Nodes, target: RedisServer) -> None:
    """Gives the slot of a queue to its new node: the old one answers MOVED."""
    slot = key_slot(keys.pending(queue).encode())
    for node in (target, *nodes.masters):
        with node.client() as client:
            client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", node_id(target))


def node_id(node: RedisServer) -> str:
    """The name of a node within its cluster."""
    with node.client() as client:
        return str(client.execute_command("CLUSTER", "MYID").decode())


def fill_again(nodes: Nodes) -> None:
    """Fills the cluster anew once all of it serves."""

    def filled() -> bool:
        try:
            with nodes.client() as client:
                client.delete(*[keys.pending(queue) for queue in QUEUES])
            fill(nodes)
        except redis.RedisError:
            return False
        return True

    wait_until(filled, what="the cluster takes writes again")


async def test_replicas_are_read_and_a_lost_one_is_replaced(tmp_path: Path) -> None:
    """With read-from=replica no master is asked, until it is all that is left."""
    with cluster(tmp_path, with_replicas=True) as nodes:
        fill(nodes)
        for master, replica in zip(nodes.masters, nodes.replicas, strict=True):
            wait_until(partial(in_step, master, replica), what="the replica has all")
        async with scanner_of(settings_of(nodes, redis_read__from="replica")) as scanner:
            for master in nodes.masters:
                with master.client() as client:
                    client.config_resetstat()
            snapshot = await scanner.scan(timeout_seconds=20)
            spared = [calls(master, "llen") for master in nodes.masters]
            nodes.replicas[0].kill()
            await scanner.scan(timeout_seconds=20)
            after = await scanner.scan(timeout_seconds=20)
            asked = [calls(master, "llen") > 0 for master in nodes.masters]

    assert ALL == pending(snapshot) == pending(after)
    assert [0, 0, 0] == spared
    assert [True, False, False] == asked


def in_step(master: RedisServer, replica: RedisServer) -> bool:
    """Whether a replica has every key of its master."""
    with master.client() as first, replica.client() as second:
        return bool(first.dbsize() == second.dbsize())


def calls(node: RedisServer, command: str) -> int:
    """How often a node ran a command."""
    with node.client() as client:
        return int(client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"])


async def test_background_and_upstream_read_a_cluster(own: Nodes) -> None:
    """Samples come from the nodes of the queues; a lost node costs the samples of its queues alone."""
    source = connect.make_source(settings_of(own))
    scanner, background = Scanner(source, catalog.documented()), BackgroundCollectors(source)
    sampler = UpstreamSampler(source)
    await background.collect(await scanner.scan(timeout_seconds=20))
    whole = background.samples()
    view = await sampler.view(await scanner.scan(timeout_seconds=20))
    lost = own.masters[0]
    lost.kill()
    await background.collect(await scanner.scan(timeout_seconds=20))
    part = background.samples()
    for each in (background, sampler, scanner):
        await each.close()

    assert set(QUEUES) < whole.memory_bytes.keys()
    assert set(QUEUES) == view.memory_bytes.keys()
    assert all(each.success for each in whole.parts.values())
    here = {queue for queue in QUEUES if own.owner(keys.pending(queue)) is not lost}
    assert here <= part.memory_bytes.keys()
    assert not (set(QUEUES) - here) & part.memory_bytes.keys()
    assert f"node 127.0.0.1:{lost.port}" in part.parts["memory"].error


async def test_published_acl_suffices(own: Nodes) -> None:
    """The read-only user with the rules for a cluster is refused nothing."""
    for node in own.masters:
        with node.client() as admin:
            admin.execute_command("ACL", "SETUSER", "exporter", "on", ">word", *READ_ONLY_RULES.split())
            admin.execute_command("ACL", "SETUSER", "exporter", *CLUSTER_RULES.split())
    url = own.url.replace("://", "://exporter:word@")
    settings = resolve(flags={"redis.url": [url], "redis.read-from": ["replica"]}).settings
    async with scanner_of(settings) as scanner:
        snapshot = await scanner.scan(timeout_seconds=20)

    assert ALL == pending(snapshot)
    for node in own.masters:
        with node.client() as admin:
            assert [] == admin.acl_log()


async def test_a_redis_that_is_no_cluster_says_so(redis_server: RedisServer) -> None:
    """The error names the node and what it answered."""
    settings = resolve(flags={"redis.url": [f"redis-cluster://127.0.0.1:{redis_server.port}"]}).settings
    async with scanner_of(settings) as scanner:
        snapshot = await scanner.scan(timeout_seconds=10)

    assert not snapshot.up
    assert f"node 127.0.0.1:{redis_server.port}: CLUSTER SLOTS" in snapshot.error
