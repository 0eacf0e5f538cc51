"""Our `/metrics/upstream` against upstream's own exporter: on the same Redis both say the same."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import RedisServer
from tests.interop.conftest import Filled
from tests.interop.exposition import scrape
from tests.interop.golang import Go
from tests.interop.serving import serve

LATENCY = "asynq_queue_latency_seconds"

MEMORY = "asynq_queue_memory_usage_approx_bytes"

#: What upstream exports, and no more.
FAMILIES = {
    "asynq_tasks_enqueued_total": "gauge",
    "asynq_queue_size": "gauge",
    LATENCY: "gauge",
    MEMORY: "gauge",
    "asynq_tasks_processed": "counter",
    "asynq_tasks_failed": "counter",
    "asynq_queue_paused_total": "gauge",
}


@contextmanager
def pages(go: Go, server: RedisServer) -> Iterator[tuple[str, str]]:
    """URLs of upstream's page and of ours."""
    with go.exporter(server) as theirs, serve(server) as root:
        yield theirs, f"{root}/metrics/upstream"


def compare(theirs: str, ours: str) -> None:
    """Fails unless both pages have the same types and samples; latencies grow between two readings."""
    before, middle, after = scrape(theirs), scrape(ours), scrape(theirs)
    assert middle.types == before.types
    assert set(middle.samples) == set(before.samples)
    for key, value in middle.samples.items():
        name, labels = key
        if name == LATENCY:
            low, high = before.samples[key], after.samples[key]
            assert low <= value <= high, (name, dict(labels))
            assert (low == 0) == (value == 0), (name, dict(labels))
        else:
            assert value == before.samples[key] == after.samples[key], (name, dict(labels))


def test_every_sample_equals_upstreams(go: Go, filled: Filled) -> None:
    """Data of every kind: same families, types, labels and values, memory to the byte, odd names too."""
    with pages(go, filled.redis) as (theirs, ours):
        compare(theirs, ours)
        page = scrape(ours)
    assert page.types == FAMILIES
    assert set(page.by_label(MEMORY, "queue")) == set(filled.plan)
    assert filled.odd_queue in page.by_label("asynq_queue_size", "queue")
    assert page.value("asynq_queue_paused_total", queue="low") == 1
    assert page.value(LATENCY, queue="default") > 0


def test_live_tasks_equal_upstreams(go: Go, lively: RedisServer) -> None:
    """With a live server: its active tasks, and only the queues that asynq has registered."""
    with pages(go, lively) as (theirs, ours):
        compare(theirs, ours)
        page = scrape(ours)
    assert page.value("asynq_tasks_enqueued_total", queue="critical", state="active") == 2
    # Ours knows six queues from its catalogue, upstream only those that somebody enqueued to.
    assert set(page.by_label("asynq_queue_size", "queue")) == {"critical", "default"}


def _requeue(go: Go, server: RedisServer) -> None:
    with go.live(server, "-queues", "default=1", "-block", "default=2", "-scheduler=false", "-requeue"):
        pass


def _nothing(_go: Go, _server: RedisServer) -> None:
    """Leaves Redis empty."""


def _empty_queue(go: Go, server: RedisServer) -> None:
    go.enqueue(server, {"type": "ping"})
    go.run("work", server, "-until-empty")


def _many(go: Go, server: RedisServer) -> None:
    go.enqueue(server, {"type": "ping", "payload": "eA==", "times": 500})
    go.enqueue(server, {"type": "ping", "queue": "low", "times": 21})
    for group in range(7):
        # Not all groups are sampled, and they differ.
        payload = b64encode(b"x" * 500 * group).decode()
        go.enqueue(
            server, {"type": "ping", "queue": "low", "group": f"g{group}", "payload": payload, "times": 30}
        )


def _clock_ahead(go: Go, server: RedisServer) -> None:
    [answer] = go.enqueue(server, {"type": "ping"})
    with server.client() as client:
        since = client.hget(f"asynq:{{default}}:t:{answer['task']['id']}", "pending_since")
        assert since is not None
        future = int(since) + 3600 * 10**9
        client.hset(f"asynq:{{default}}:t:{answer['task']['id']}", "pending_since", future)


def _huge_counters(go: Go, server: RedisServer) -> None:
    _empty_queue(go, server)
    with server.client() as client:
        client.set("asynq:{default}:processed", 2**53 + 1)
        client.set("asynq:{default}:failed", 2**40 + 1)


@pytest.mark.parametrize("prepare", [_nothing, _empty_queue, _many, _requeue, _clock_ahead, _huge_counters])
def test_special_cases_equal_upstreams(
    prepare: Callable[[Go, RedisServer], None], go: Go, own_redis: RedisServer
) -> None:
    """No data; an empty queue; more than is sampled; latency 0 after a requeue; clocks, counters astray."""
    prepare(go, own_redis)
    with pages(go, own_redis) as (theirs, ours):
        compare(theirs, ours)
