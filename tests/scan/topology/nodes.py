"""Redis servers that know of each other: a master with its replica and Sentinel, and clusters."""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from tests.conftest import CLUSTER_BUS, RedisServer, free_port, need_tool, start_redis, wait_until

MASTER = "asynq"

#: Long enough for a machine that is busy with other tests.
DOWN_MILLISECONDS = "2000"

SLOTS = REDIS_CLUSTER_HASH_SLOTS


@dataclass
class Sentinel:
    """A Sentinel process."""

    port: int
    process: "subprocess.Popen[bytes]"
    password: str | None

    def client(self) -> "redis.Redis":
        """A blocking client."""
        return redis.Redis(port=self.port, password=self.password, decode_responses=True, protocol=2)

    def master(self) -> int:
        """The port of the present master."""
        with self.client() as client:
            return int(client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)[1])

    def has_finished(self) -> bool:
        """Whether no failover is under way."""
        with self.client() as client:
            flat = client.execute_command("SENTINEL", "MASTER", MASTER)
        state = dict(zip(flat[::2], flat[1::2], strict=True))
        return state["flags"] == "master" and int(state["port"]) == self.master()

    def healthy_replicas(self) -> list[int]:
        """The ports of the replicas that could take over; none while it does not answer yet."""
        with suppress(redis.ConnectionError), self.client() as client:
            lists = client.execute_command("SENTINEL", "SLAVES", MASTER)
            known = [dict(zip(each[::2], each[1::2], strict=True)) for each in lists]
            healthy = [e for e in known if (e["flags"], e["master-link-status"]) == ("slave", "ok")]
            return [int(each["port"]) for each in healthy]
        return []

    def kill(self) -> None:
        """Ends it at once."""
        self.process.kill()
        self.process.wait()


@dataclass
class Watched:
    """A master, its replica, and the Sentinel that watches them."""

    nodes: list[RedisServer]
    sentinel: Sentinel

    @property
    def url(self) -> str:
        """The URL that asynq would take."""
        word = f":{self.sentinel.password}@" if self.sentinel.password else ""
        return f"redis-sentinel://{word}127.0.0.1:{self.sentinel.port}?master={MASTER}"

    def master(self) -> RedisServer:
        """The present master."""
        port = self.sentinel.master()
        return next(node for node in self.nodes if node.port == port)

    def wait_for_replica(self) -> None:
        """Waits until the Sentinel knows one that could take over."""
        wait_until(self.sentinel.healthy_replicas, what="Sentinel knows a healthy replica")


@contextmanager
def watched(folder: Path, *, password: str | None = None, secret: str | None = None) -> Iterator[Watched]:
    """A master and its replica with a password, and a Sentinel with another."""
    with ExitStack() as stack:
        nodes = [_node(stack, folder / name, password=password) for name in ("first", "second")]
        with nodes[1].client() as client:
            client.replicaof("127.0.0.1", str(nodes[0].port))
        made = Watched(nodes, _sentinel(stack, folder, nodes[0], secret))
        made.wait_for_replica()
        yield made


def _node(stack: ExitStack, folder: Path, *options: str, **arguments: Any) -> RedisServer:
    folder.mkdir()
    server = start_redis(folder, *options, **arguments)
    stack.callback(server.kill)
    return server


def _sentinel(stack: ExitStack, folder: Path, master: RedisServer, password: str | None) -> Sentinel:
    port = free_port()
    lines = [
        f"port {port}",
        "bind 127.0.0.1",
        f"dir {folder}",
        "loglevel warning",
        f"sentinel monitor {MASTER} 127.0.0.1 {master.port} 1",
        f"sentinel down-after-milliseconds {MASTER} {DOWN_MILLISECONDS}",
        f"sentinel failover-timeout {MASTER} 10000",
        *([f"sentinel auth-pass {MASTER} {master.password}"] if master.password else ()),
        *([f"requirepass {password}"] if password else ()),
    ]
    (folder / "sentinel.conf").write_text("\n".join(lines) + "\n")
    argv = [need_tool("redis-server"), str(folder / "sentinel.conf"), "--sentinel"]
    sentinel = Sentinel(port, subprocess.Popen(argv, stdout=subprocess.DEVNULL), password)
    stack.callback(sentinel.kill)
    return sentinel


@dataclass
class Nodes:
    """The masters of a cluster, each with a third of the slots, and their replicas."""

    masters: list[RedisServer]
    replicas: list[RedisServer]
    #: The port of each that the others use: that of TLS where there is one.
    ports: list[int]

    @property
    def url(self) -> str:
        """The URL of the cluster."""
        return "redis-cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.masters)

    @property
    def port(self) -> int:
        """The port of one node, which tells of the others."""
        return self.masters[0].port

    def client(self) -> "redis.RedisCluster":
        """A client that writes to any node."""
        return redis.RedisCluster(host="127.0.0.1", port=self.masters[0].port, require_full_coverage=False)

    def index(self, key: str) -> int:
        """Which of the masters got the slot of a key at the start."""
        return next(i for i in range(3) if key_slot(key.encode()) in _slots_of(i))

    def owner(self, key: str) -> RedisServer:
        """The master that got the slot of a key at the start."""
        return self.masters[self.index(key)]


@contextmanager
def cluster(
    folder: Path,
    *options: str,
    secured: Callable[[int], tuple[str, ...]] | None = None,
    with_replicas: bool = False,
    program: str = "",
) -> Iterator[Nodes]:
    """A cluster of three masters that serves what it has when one is lost.

    Args:
        folder: for their files.
        options: of each server.
        secured: options that make it speak TLS on a port too.
        with_replicas: a replica for each master.
        program: the server to start.
    """
    given = (
        *("--cluster-enabled", "yes", "--cluster-node-timeout", DOWN_MILLISECONDS),
        *("--cluster-require-full-coverage", "no"),
        *options,
    )
    with ExitStack() as stack:
        servers, buses = [], []
        for i in range(6 if with_replicas else 3):
            port, bus = free_port(companion=CLUSTER_BUS), free_port(companion=CLUSTER_BUS)
            more = (*secured(bus), "--tls-cluster", "yes") if secured else ()
            servers.append(_node(stack, folder / str(i), *given, *more, port=port, program=program))
            buses.append(bus if secured else port)
        made = Nodes(servers[:3], servers[3:], buses)
        _join(made)
        yield made


def _slots_of(index: int) -> range:
    return range(index * SLOTS // 3, (index + 1) * SLOTS // 3)


def _join(nodes: Nodes) -> None:
    everyone = [*nodes.masters, *nodes.replicas]
    for index, node in enumerate(everyone):
        with node.client() as client:
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            if node in nodes.masters:
                client.execute_command("CLUSTER", "ADDSLOTS", *_slots_of(index))
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes.ports[0])
    wait_until(lambda: all(_agrees(node, everyone) for node in everyone), what="the nodes agree")
    for master, replica in zip(nodes.masters, nodes.replicas, strict=False):
        name = _tell(master, "MYID").decode()
        wait_until(partial(_follows, replica, name), what="a replica follows its master")
    wait_until(lambda: all(_lists(node, nodes) for node in everyone), what="the nodes list the replicas")


def _agrees(node: RedisServer, everyone: Sequence[RedisServer]) -> bool:
    known = _tell(node, "NODES").decode()
    info = _tell(node, "INFO")
    # A node that serves without the others is "ok" before it knows what they serve.
    ok = b"cluster_state:ok" in info and f"cluster_slots_ok:{SLOTS}".encode() in info
    return ok and len(known.splitlines()) == len(everyone) and "handshake" not in known


def _lists(node: RedisServer, nodes: Nodes) -> bool:
    with node.client() as client:
        shards = client.execute_command("CLUSTER", "SLOTS")
    return len(nodes.replicas) == sum(len(shard) - 3 for shard in shards)


def _follows(replica: RedisServer, master: str) -> bool:
    with replica.client() as client:
        state = client.info("replication")
    if state["role"] == "master":
        with suppress(redis.ResponseError):  # it may not know that master yet
            _tell(replica, "REPLICATE", master)
    return bool(state.get("master_link_status") == "up")


def _tell(node: RedisServer, *words: str) -> bytes:
    with node.client() as client:
        answer: bytes = client.execute_command("CLUSTER", *words)
        return answer
