"""TLS with certificates on both sides, ACL users and files with passwords, in every topology at once."""

import os
import socket
import subprocess
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import trustme

from asynq_exporter.core import keys
from asynq_exporter.scan.snapshot import Snapshot
from asynq_exporter.settings import resolve
from tests.certificates import client_flags, issue, need_tls, server_options
from tests.conftest import RedisServer, free_port, need_tool, start_redis, wait_until
from tests.project.acl import CLUSTER_RULES, READ_ONLY_RULES, SENTINEL_RULES
from tests.scan.topology.nodes import MASTER, cluster
from tests.scan.topology.scanning import scanner_of


@pytest.fixture(autouse=True)
def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redis-server that speaks TLS, and its certificates."""
    monkeypatch.setenv("PATH", need_tls(), prepend=os.pathsep)
    issue(trustme.CA(), tmp_path)
    (tmp_path / "word").write_text("of-exporter\n")


def add_user(node: RedisServer, *rules: str) -> None:
    """The published user; no other can sign in from outside."""
    with node.client() as admin:
        user = ("ACL", "SETUSER", "exporter", "on", ">of-exporter", *READ_ONLY_RULES.split())
        admin.execute_command(*user)
        if rules:
            admin.execute_command("ACL", "SETUSER", "exporter", *rules)


def register(node: RedisServer) -> None:
    """Registers a queue."""
    with node.client() as client:
        client.sadd(keys.QUEUES, "secured")


async def scan(folder: Path, url: str, **flags: str) -> Snapshot:
    """One scan as the user with the password in a file."""
    given = {
        "redis.url": [url],
        "redis.username": ["exporter"],
        "redis.password-file": [str(folder / "word")],
    }
    given |= client_flags(folder) if url.startswith("rediss") else {}
    given |= {k.replace("__", "-").replace("_", "."): [v] for k, v in flags.items()}
    async with scanner_of(resolve(flags=given).settings) as scanner:
        return await scanner.scan(timeout_seconds=20)


async def test_single_server_and_its_socket(tmp_path: Path) -> None:
    """The same user over TLS and over the Unix socket, in a database of its own."""
    port = free_port()
    server = start_redis(tmp_path, *server_options(tmp_path, port))
    try:
        add_user(server)
        register(server)
        over_tls = await scan(tmp_path, f"rediss://127.0.0.1:{port}")
        over_socket = await scan(tmp_path, f"unix://{server.socket_path}")
        elsewhere = await scan(tmp_path, f"unix://{server.socket_path}?db=5")
        with server.client() as admin:
            log = admin.acl_log()
    finally:
        server.kill()

    assert [True, True, False] == ["secured" in s.queues.names for s in (over_tls, over_socket, elsewhere)]
    assert elsewhere.up
    assert [] == log


async def test_sentinel(tmp_path: Path) -> None:
    """Sentinel and Redis both over TLS, each with a user of its own."""
    port, sentinel_port = free_port(), free_port()
    with ExitStack() as stack:
        server = start_redis(tmp_path, *server_options(tmp_path, port), "--tls-replication", "yes")
        stack.callback(server.kill)
        add_user(server)
        register(server)
        lines = [
            *("port 0", f"dir {tmp_path}", "loglevel warning", "tls-replication yes"),
            *(f"{k[2:]} {v}" for k, v in _pairs(server_options(tmp_path, sentinel_port))),
            f"user scout on >of-scout {SENTINEL_RULES}",
            f"sentinel monitor {MASTER} 127.0.0.1 {port} 1",
        ]
        (tmp_path / "sentinel.conf").write_text("\n".join(lines) + "\n")
        argv = [need_tool("redis-server"), str(tmp_path / "sentinel.conf"), "--sentinel"]
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.kill)
        wait_until(lambda: listens(sentinel_port), what="the Sentinel listens")
        (tmp_path / "scout").write_text("of-scout")
        url = f"rediss-sentinel://127.0.0.1:{sentinel_port}?master={MASTER}"
        flags = {
            "redis_sentinel_username": "scout",
            "redis_sentinel_password__file": str(tmp_path / "scout"),
        }
        found = await scan(tmp_path, url, **flags)
        wrong = await scan(tmp_path, url, redis_sentinel_username="scout")

    assert "secured" in found.queues.names, found.error
    assert not wrong.up


def listens(port: int) -> bool:
    """Whether somebody takes connections on a port."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def _pairs(options: tuple[str, ...]) -> list[tuple[str, str]]:
    return list(zip(options[::2], options[1::2], strict=True))


async def test_cluster(tmp_path: Path) -> None:
    """Every node over TLS: a node names the ports of the others that speak it."""
    (tmp_path / "cluster").mkdir()
    with cluster(tmp_path / "cluster", secured=partial(server_options, tmp_path)) as nodes:
        for node in nodes.masters:
            add_user(node, *CLUSTER_RULES.split())
        with nodes.client() as client:
            client.sadd(keys.QUEUES, "secured")
        snapshot = await scan(tmp_path, f"rediss-cluster://127.0.0.1:{nodes.ports[1]}")

    assert "secured" in snapshot.queues.names, snapshot.error
    assert {} == snapshot.queue_errors
