"""Those who ask the exporter: slow, greedy, rude, too many."""

import contextlib
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import RedisServer, wait_until
from tests.faults.exporter import Exporter, exporting


@contextmanager
def visitors(exporter: Exporter, count: int, words: bytes) -> Iterator[list[socket.socket]]:
    """Connections that said something and now say nothing."""
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(count):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", exporter.port)))
            sock.sendall(words)
            made.append(sock)
        yield made


@pytest.mark.parametrize(
    "words",
    [b"", b"GET /metrics HTT", b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"POST / HTTP/1.1\r\n"],
    ids=["silent", "half a line", "half a header", "no end"],
)
def test_slow_visitors(near: Exporter, words: bytes) -> None:
    """A hundred who never finish their request keep nobody else waiting."""
    with visitors(near, 100, words):
        page = near.scrape()

    assert page.up


@pytest.mark.parametrize(
    ("request_", "statuses"),
    [
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", (400, 414)),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", (400, 431)),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(50_000)) + b"\r\n", (400, 431)),
        (b"NONSENSE\r\n\r\n", (400,)),
        (b"GET /metrics HTTP/9.9\r\nHost: x\r\n\r\n", (400, 505)),
        (b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", (405, 413)),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", (400,)),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", (400, 404)),
        (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", (400, 404)),
        (
            b"GET /metrics?name[]=" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            (200,),
        ),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), (400,)),
    ],
    ids=[
        "path",
        "header",
        "headers",
        "noise",
        "version",
        "huge body",
        "negative",
        "dots",
        "escaped",
        "name",
        "tls",
    ],
)
def test_rude_request(near: Exporter, request_: bytes, statuses: tuple[int, ...]) -> None:
    """Whatever is sent gets an answer of its kind or a closed connection; never a 5xx, never a crash."""
    with socket.create_connection(("127.0.0.1", near.port), timeout=30) as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(request_)
        answer = b""
        with contextlib.suppress(ConnectionError):
            answer = sock.recv(4096)

    assert not answer or int(answer.split()[1]) in statuses, answer[:200]
    assert near.scrape().up


def test_scrapers_that_hang_up(near: Exporter) -> None:
    """Those who leave before the answer spoil nothing for the others."""
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", near.port)) as sock:
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")

    assert near.scrape().up


def test_odd_timeouts(near: Exporter) -> None:
    """A timeout that is none, or no number, is taken for the configured one."""
    for text in ("0", "-5", "nan", "inf", "1e999", "soon", "", "0x10", "1" * 5000):
        assert near.get("/metrics", {"X-Prometheus-Scrape-Timeout-Seconds": text})[0] == 200
    assert near.scrape(timeout_seconds=0.001) is not None


def test_fifty_at_once(near: Exporter) -> None:
    """Fifty scrapers at the same time all get the whole."""
    pages = []
    threads = [threading.Thread(target=lambda: pages.append(near.scrape())) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [page.up for page in pages] == [True] * 50


def test_few_file_descriptors(own_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    """More visitors than descriptors: those inside are served, and with the others gone all is as before."""
    limit = 64
    with exporting(
        tmp_path_factory.mktemp("few"),
        own_redis.url,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
    ) as exporter:
        exporter.recovers()
        with visitors(exporter, 2 * limit, b""):
            assert exporter.process.is_running()

        wait_until(exporter.is_alive, what="the exporter answers again")
        exporter.recovers()
