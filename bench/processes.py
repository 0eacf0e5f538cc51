"""The programs that are measured: Redis, the Go exporter, ours."""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import redis

ROOT = Path(__file__).parents[1]
GO_SOURCE = ROOT / "tests" / "interop" / "go"
GO_BINARY = ROOT / "bench" / "bin" / "asynq-interop"

START_SECONDS = 20


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def redis_server() -> Iterator[int]:
    """A redis-server without persistence; its port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            ["redis-server", "--port", str(port), "--save", "", "--dir", folder, "--loglevel", "warning"],
            stdout=subprocess.DEVNULL,
        )
        try:
            client = redis.Redis(port=port)
            _wait(lambda: bool(client.ping()))
            yield port
        finally:
            process.kill()
            process.wait()


def build_go() -> None:
    """Builds the program that holds upstream's collector; the Go exporter is x/metrics behind net/http."""
    if shutil.which("go") is None:
        sys.exit("go is needed to measure the Go exporter; on Debian: apt-get install golang-go")
    done = subprocess.run(
        ["go", "build", "-buildvcs=false", "-o", str(GO_BINARY), "."], cwd=GO_SOURCE, check=False
    )
    if done.returncode:
        sys.exit("the Go exporter was not built: why stands above; its modules come from Go's module proxy")


@contextmanager
def go_exporter(redis_port: int) -> Iterator[str]:
    """Upstream's exporter; the URL of its metrics."""
    port = free_port()
    argv = [str(GO_BINARY), "exporter", "-redis", f"127.0.0.1:{redis_port}", "-listen", f"127.0.0.1:{port}"]
    with _serving(argv, f"http://127.0.0.1:{port}/metrics") as url:
        yield url


@contextmanager
def our_exporter(redis_port: int, *flags: str) -> Iterator[str]:
    """Ours, as users run it; the URL of its metrics."""
    port = free_port()
    argv = [sys.executable, "-m", "asynq_exporter", "serve"]
    argv += [f"--web.listen-address=127.0.0.1:{port}", f"--redis.url=redis://127.0.0.1:{redis_port}/0"]
    with _serving([*argv, "--log.level=error", *flags], f"http://127.0.0.1:{port}/metrics") as url:
        yield url


@contextmanager
def redis_exporter(program: str) -> Iterator[str]:
    """The program; the URL that scrapes the Redis that is named with each request."""
    port = free_port()
    argv = [program, "-web.listen-address", f"127.0.0.1:{port}", "-redis.addr", ""]
    # It greets at length.
    with _serving(argv, f"http://127.0.0.1:{port}/health", quiet=True):
        yield f"http://127.0.0.1:{port}/scrape"


@contextmanager
def watched(serving: AbstractContextManager[str]) -> Iterator[tuple[str, psutil.Process]]:
    """An exporter as it starts: its URL, and its process to look at."""
    before = {child.pid for child in psutil.Process().children()}
    with serving as url:
        (process,) = [child for child in psutil.Process().children() if child.pid not in before]
        yield url, process


def scrape_only(queues: int) -> list[str]:
    """Flags for ours: that many queues, and nothing beside the scrape."""
    return [
        f"--queues.max={queues + 10}",
        *(f"--no-collector.{name}" for name in ("memory", "groups", "types")),
    ]


@contextmanager
def _serving(argv: list[str], url: str, *, quiet: bool = False) -> Iterator[str]:
    errors = subprocess.DEVNULL if quiet else None
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=errors)
    try:
        _wait(lambda: urllib.request.urlopen(url, timeout=60).status == 200)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait(condition: object) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            if condition():  # type: ignore[operator]
                return
        except (OSError, redis.RedisError):
            pass
        if time.monotonic() > end:
            sys.exit("a program did not start")
        time.sleep(0.05)
