"""Fixtures shared by all tests: a real redis-server for the session, a clean database for each test."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

# A hang shows as a clear failure long before CI's own limit.
WAIT_SECONDS = 30.0

T = TypeVar("T")


def need_tool(name: str) -> str:
    """Path of a program; a user's machine without it skips, CI fails."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed, and CI must have it")
        pytest.skip(f"{name} is not installed")
    return path


#: Below the ports that systems hand out to outgoing connections, one of which could take it meanwhile; so low
#: that this holds for the bus of a cluster's node too.
PORTS = range(10_100, 22_000)

#: How far above its port a node of a cluster talks to the others.
CLUSTER_BUS = 10_000


def free_port(*, companion: int = 0) -> int:
    """A loopback TCP port that nobody listens on, nor on the one that is `companion` above it."""
    while True:
        port = secrets.choice(PORTS)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for number in {port, port + companion}:
                stack.enter_context(contextlib.closing(socket.create_server(("127.0.0.1", number))))
            return port


def wait_until(condition: Callable[[], T | None], *, what: str, seconds: float = WAIT_SECONDS) -> T:
    """The first truthy answer of a condition; fails with its description when none comes."""
    end = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds:g} s in vain until {what}")
        time.sleep(0.02)


@dataclass
class RedisServer:
    """A redis-server process of our own on loopback."""

    port: int
    socket_path: Path
    process: subprocess.Popen[bytes]
    argv: list[str]
    password: str | None = None

    @property
    def url(self) -> str:
        """URL of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> "redis.Redis":
        """A blocking client; replies are bytes."""
        return redis.Redis(port=self.port, password=self.password)

    def async_client(self, **options: Any) -> "redis.asyncio.Redis":
        """An asyncio client as the exporter makes it: bytes, no second tries."""
        return redis.asyncio.Redis(port=self.port, protocol=2, retry=Retry(NoBackoff(), 0), **options)

    def alive(self) -> bool:
        """Whether it answers PING."""
        with contextlib.suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def kill(self) -> None:
        """Ends it at once."""
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        """Starts it on the same port with an empty memory."""
        self.process = subprocess.Popen(self.argv, stdout=subprocess.DEVNULL)
        wait_until(self.alive, what="redis-server answers again")

    def hang(self) -> None:
        """Freezes it: connections stay open, nothing answers."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Ends the freeze."""
        self.process.send_signal(signal.SIGCONT)


def start_redis(
    folder: Path, *options: str, port: int | None = None, password: str | None = None, program: str = ""
) -> RedisServer:
    """Starts a redis-server without persistence; extra options as on its command line."""
    port = port or free_port()
    socket_path = folder / "redis.sock"
    argv = [
        program or need_tool("redis-server"),
        *("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
        *("--unixsocket", str(socket_path), "--dir", str(folder), "--loglevel", "warning"),
        *(("--requirepass", password, "--masterauth", password) if password else ()),
        *options,
    ]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    server = RedisServer(port, socket_path, process, argv, password)
    try:
        wait_until(server.alive, what=f"redis-server answers on port {port}")
    except BaseException:
        server.kill()
        raise
    return server


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The redis-server of the session; tests must not kill or freeze it."""
    server = start_redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A redis-server of this test alone, to be killed, frozen or configured."""
    server = start_redis(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def redis_sync(redis_server: RedisServer) -> Iterator["redis.Redis"]:
    """A blocking client on an empty database of the session's server."""
    with redis_server.client() as client:
        client.flushall()
        yield client


@pytest.fixture
async def redis_client(redis_server: RedisServer) -> AsyncIterator["redis.asyncio.Redis"]:
    """An asyncio client on an empty database of the session's server; replies are bytes."""
    client = redis_server.async_client()
    await client.flushall()
    yield client
    await client.aclose()
