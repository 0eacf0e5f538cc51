"""What may lie in Redis where asynq keeps its data: other types, broken records, awkward names."""

from collections.abc import Callable
from typing import Any

import pytest

from asynq_exporter.core import keys
from tests.conftest import RedisServer, wait_until
from tests.faults.exporter import Exporter

#: One queue is spoilt, the other has to stay as it is.
BAD, GOOD = "queue-00", "queue-01"

TYPES: dict[str, Callable[[Any, str], object]] = {
    "string": lambda client, key: client.set(key, "x"),
    "list": lambda client, key: client.rpush(key, "x"),
    "set": lambda client, key: client.sadd(key, "x"),
    "zset": lambda client, key: client.zadd(key, {"x": 1}),
    "hash": lambda client, key: client.hset(key, "x", "x"),
    "stream": lambda client, key: client.xadd(key, {"x": "x"}),
}

#: Key of a queue -> its type in asynq; for `active` a sorted set is taken too.
QUEUE_KEYS: dict[Callable[[str], str], tuple[str, ...]] = {
    keys.pending: ("list",),
    keys.active: ("list", "zset"),
    keys.lease: ("zset",),
    keys.scheduled: ("zset",),
    keys.retry: ("zset",),
    keys.archived: ("zset",),
    keys.completed: ("zset",),
    keys.groups: ("set",),
    keys.processed: ("string",),
    keys.failed: ("string",),
}

NAMES = [
    "with space",
    'quote"and\\backslash',
    "line\nbreak",
    "tab\tnull\x00bell\x07",
    "brace}{brace",
    "colon:colon:pending",
    "percent%s%d{}",
    "<script>alert(1)</script>",
    "émoji-队列-🚀",
    "\u202eright-to-left",
    "x" * 512,  # a longer one is left out and counted
    " ",
    "__name__",
    "=cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("key_of", QUEUE_KEYS, ids=lambda key_of: key_of.__name__)
def test_key_of_another_type(near: Exporter, own_redis: RedisServer, key_of: Callable[[str], str]) -> None:
    """A key of any other type costs one queue that number; it is counted and named in the log."""
    with own_redis.client() as client:
        for kind in TYPES.keys() - set(QUEUE_KEYS[key_of]):
            kept = client.dump(key_of(BAD))
            client.delete(key_of(BAD))
            TYPES[kind](client, key_of(BAD))

            page = near.scrape()

            assert page.up
            assert page.value("asynq_pending_tasks", queue=GOOD) == 1
            assert page.value("asynq_exporter_collector_success", collector="queues") == 0
            assert page.value("asynq_exporter_queue_errors_total", queue=GOOD) == 0
            errors = page.value("asynq_exporter_queue_errors_total", queue=BAD)
            assert errors, kind
            client.delete(key_of(BAD))
            if kept:
                client.restore(key_of(BAD), 0, kept)
            near.recovers()
    wait_until(lambda: BAD in near.log, what="the log names the queue")


@pytest.mark.parametrize("key", [keys.QUEUES, keys.SERVERS, keys.SCHEDULERS, keys.CIRCUIT_BREAKERS])
def test_registry_of_another_type(near: Exporter, own_redis: RedisServer, key: str) -> None:
    """A registry of any other type costs its part of the scan; the documented queues are still read."""
    with own_redis.client() as client:
        before = client.dump(key)
        kinds = {"set": keys.QUEUES, "zset": key, "hash": keys.CIRCUIT_BREAKERS}
        for kind in [kind for kind in TYPES if kinds.get(kind) != key]:
            if kind == "zset" and key in (keys.SERVERS, keys.SCHEDULERS):
                continue
            client.delete(key)
            TYPES[kind](client, key)

            page = near.scrape()

            assert page.up, kind
            assert page.value("asynq_pending_tasks", queue="critical") == 0
        client.delete(key)
        if before:
            client.restore(key, 0, before)
    near.recovers()


def test_broken_records(near: Exporter, own_redis: RedisServer) -> None:
    """Records of tasks, servers, schedulers and breakers that are noise tell nothing and break nothing."""
    noise = [b"", b"\xff" * 50, b"\x0a\xff\xff\xff\xff\x0f", bytes(range(256))]
    with own_redis.client() as client:
        far = client.time()[0] + 3600
        for number, data in enumerate(noise):
            client.zadd(keys.SERVERS, {f"asynq:servers:{{h:{number}:s}}": far})
            client.set(f"asynq:servers:{{h:{number}:s}}", data)
            client.zadd(keys.SCHEDULERS, {f"asynq:schedulers:{{h:{number}:s}}": far})
            client.rpush(f"asynq:schedulers:{{h:{number}:s}}", data)
            client.hset(keys.CIRCUIT_BREAKERS, data, data)
            task_id = f"noise-{number}"
            client.lpush(keys.pending(BAD), task_id)
            client.rpush(keys.pending(GOOD), task_id)
            for queue in (BAD, GOOD):
                client.hset(keys.task(queue, task_id), mapping={"msg": data, "state": data})
                client.hset(keys.task(queue, task_id), "pending_since", data)
        client.set(keys.processed(BAD), "99999999999999999999999999")
        client.set(keys.failed(BAD), "-17")

        page = near.scrape()

        assert page.up
        assert page.value("asynq_pending_tasks", queue=BAD) == 1 + len(noise)
        assert page.value("asynq_pending_tasks", queue=GOOD) == 1 + len(noise)


@pytest.mark.parametrize("name", NAMES)
def test_awkward_queue_name(near: Exporter, own_redis: RedisServer, name: str) -> None:
    """Any name up to 512 characters is a queue: read, labelled, on the status page, one line of the log."""
    with own_redis.client() as client:
        client.sadd(keys.QUEUES, name)
        client.lpush(keys.pending(name), "a", "b")

        page = near.scrape()

        assert page.value("asynq_pending_tasks", queue=name) == 2
        status, body = near.get("/")
        assert status == 200
        assert b"<script>alert" not in body
        client.delete(keys.pending(name))
        client.set(keys.pending(name), "wrong")
        near.scrape()
    wait_until(lambda: "cannot be read in full" in near.log, what="the log tells of it")
    assert all(line.startswith("ts=") for line in near.log.splitlines())


def test_bytes_that_are_no_text(near: Exporter, own_redis: RedisServer) -> None:
    """A name that is no UTF-8 is shown escaped, and its queue is read."""
    with own_redis.client() as client:
        client.sadd(keys.QUEUES, b"bad\xff\xfe")
        client.lpush(b"asynq:{bad\xff\xfe}:pending", "a")

        page = near.scrape()

        assert page.value("asynq_pending_tasks", queue="bad\\xff\\xfe") == 1


def test_clocks_that_differ(near: Exporter, own_redis: RedisServer) -> None:
    """Times of the future or of long ago give no negative ages and no infinite ones."""
    with own_redis.client() as client:
        for queue, since in ((BAD, 4_000_000_000 * 10**9), (GOOD, -(10**18))):
            client.delete(keys.pending(queue))
            client.lpush(keys.pending(queue), "skewed")
            client.hset(keys.task(queue, "skewed"), mapping={"pending_since": since})
            client.zadd(keys.archived(queue), {"future": 4_000_000_000, "past": -5})
            client.zadd(keys.scheduled(queue), {"never": "+inf", "ever": "-inf"})

        page = near.scrape()

        assert page.up
        assert page.value("asynq_queue_latency_seconds", queue=BAD) == 0
        for name, labels in page.samples:
            if name.endswith("_seconds") and ("queue", BAD) in labels:
                assert page.samples[name, labels] >= 0, name


def test_a_hundred_thousand_queues(near: Exporter, own_redis: RedisServer) -> None:
    """Beyond the ceiling queues are left out, counted and told of; the documented ones stay."""
    with own_redis.client() as client:
        for start in range(0, 100_000, 10_000):
            client.sadd(keys.QUEUES, *[f"runaway-{number}" for number in range(start, start + 10_000)])

        page = near.scrape(timeout_seconds=20)

        assert page.up
        assert len(page.labels("asynq_pending_tasks", "queue")) == 1000
        assert page.value("asynq_pending_tasks", queue="critical") == 0
        cut = page.value("asynq_exporter_queues", result="cut")
        assert cut is not None
        assert cut > 99_000
    wait_until(lambda: "--queues.max" in near.log, what="the log names the option")
