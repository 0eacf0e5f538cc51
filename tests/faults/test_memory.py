"""A limit on the memory of the process, and a Redis that holds more."""

import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from asynq_exporter.core import keys
from tests.conftest import RedisServer
from tests.faults.conftest import fill
from tests.faults.exporter import Exporter, exporting
from tests.processes import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limit holds on Linux alone")

MIB = 2**20

#: Far above what the exporter needs, and far below what lies in Redis.
LIMIT_MIB = 192
TOO_MUCH_MIB = 256


@contextmanager
def limited(redis: RedisServer, folder: Path, *flags: str, limit_mib: int = LIMIT_MIB) -> Iterator[Exporter]:
    """An exporter under a limit; its first scrape is whole."""
    limit = limit_mib * MIB
    with exporting(
        folder, redis.url, *flags, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    ) as exporter:
        exporter.recovers()
        yield exporter


def unit_limit_mib() -> int:
    """What the systemd unit grants; of resident memory, of which there is less than of addresses."""
    unit = (ROOT / "deploy/systemd/asynq-exporter.service").read_text(encoding="utf-8")
    (limit,) = re.findall(r"^MemoryMax=(\d+)M$", unit, re.MULTILINE)
    return int(limit)


def is_down_until(exporter: Exporter, redis: RedisServer) -> None:
    """It says that it cannot read, on every page, and reads again when there is less."""
    for _ in range(3):
        assert not exporter.scrape().up
        assert b"may use no more memory" in exporter.get("/")[1]
    assert "may use no more memory" in exporter.log
    with redis.client() as client:
        client.flushall()
    exporter.recovers()


def test_names_that_do_not_fit_into_memory(own_redis: RedisServer, tmp_path: Path) -> None:
    """Queue names beyond the limit: down with the reason, in time; without them all is as before."""
    with limited(own_redis, tmp_path) as exporter:
        with own_redis.client() as client:
            for number in range(TOO_MUCH_MIB):
                client.sadd(keys.QUEUES, f"{number:04}" + "n" * MIB)
        is_down_until(exporter, own_redis)


def test_queues_that_do_not_fit_into_memory(own_redis: RedisServer, tmp_path: Path) -> None:
    """More queues than the limit has room for, each of them good: likewise."""
    with limited(own_redis, tmp_path, "--queues.max=100000") as exporter:
        with own_redis.client() as client:
            for start in range(0, 100_000, 5000):
                names = (f"{number:06}" + "n" * 400 for number in range(start, start + 5000))
                client.sadd(keys.QUEUES, *names)
        is_down_until(exporter, own_redis)


def test_records_that_do_not_fit_into_memory(own_redis: RedisServer, tmp_path: Path) -> None:
    """Records of servers of many megabytes, as nobody writes them: likewise."""
    with limited(own_redis, tmp_path) as exporter:
        with own_redis.client() as client:
            for number in range(4):
                key = keys.server("host", number, "id")
                client.set(key, b"x" * (TOO_MUCH_MIB // 4 * MIB))
                client.zadd(keys.SERVERS, {key: time.time() + 3600})
        is_down_until(exporter, own_redis)


def test_everyday_work_under_a_memory_limit(own_redis: RedisServer, tmp_path: Path) -> None:
    """Under the limit of the systemd unit hundreds of queues are read without a word about memory."""
    fill(own_redis, queues=500)
    with limited(own_redis, tmp_path, limit_mib=unit_limit_mib()) as exporter:
        for _ in range(20):
            assert exporter.scrape().up
            for path in ("/", "/metrics/upstream"):
                assert exporter.get(path)[0] == 200

        assert len(exporter.scrape().labels("asynq_pending_tasks", "queue")) > 500
        assert "memory" not in exporter.log
