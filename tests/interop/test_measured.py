"""The middleware for Go workers against our own worker: the same families from the same tasks."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from tests.conftest import RedisServer, wait_until
from tests.interop.exposition import Labels, Scrape, scrape
from tests.interop.golang import Go
from tests.web.working import working

#: Does what an order asks for, as `obey` on the Go side does.
MODULE = """
import json

async def handle(attempt):
    order = json.loads(attempt.payload or b"{}")
    if order.get("panic"):
        raise AssertionError("as ordered")
    if order.get("fail"):
        raise ValueError(order["fail"])
"""

FAMILIES = ("asynq_task_duration_seconds", "asynq_task_wait_seconds", "asynq_task_attempts_total")

#: Type, order and how often.
TASKS: list[tuple[str, Mapping[str, object], int]] = [
    ("good", {}, 3),
    ("bad", {"fail": "no"}, 2),
    ("worse", {"panic": True}, 1),
    ("x" * 101, {}, 2),
]

#: Outcomes by type that follow from these.
ATTEMPTS = {"good": (3, 0), "bad": (0, 2), "worse": (0, 1), "other": (2, 0)}


def enqueue(go: Go, redis: RedisServer) -> None:
    """All tasks, by Go's client."""
    asks = [
        {"type": name, "payload": None if not order else _base64(order), "times": number}
        for name, order, number in TASKS
    ]
    go.enqueue(redis, *asks)


def _base64(order: Mapping[str, object]) -> str:
    return base64.b64encode(json.dumps(order).encode()).decode()


def outcomes(page: Scrape) -> dict[str, tuple[float, float]]:
    """Succeeded and failed attempts by type."""
    names = {dict(labels)["type"] for name, labels in page.samples if name == FAMILIES[2]}
    return {
        one: (
            page.value(FAMILIES[2], type=one, outcome="succeeded"),
            page.value(FAMILIES[2], type=one, outcome="failed"),
        )
        for one in names
    }


def shape(page: Scrape) -> set[tuple[str, Labels]]:
    """Names and labels of all samples of the three families; bounds as numbers, which Go spells shorter."""
    return {
        (name, frozenset((key, str(float(value)) if key == "le" else value) for key, value in labels))
        for name, labels in page.samples
        if name.startswith(FAMILIES)
    }


def until_measured(url: str) -> Scrape:
    """The page once all attempts are on it."""

    def found() -> Scrape | None:
        page = scrape(url)
        return page if outcomes(page) == ATTEMPTS else None

    page = wait_until(found, what="all attempts are counted")
    assert page is not None
    return page


def test_go_and_python_workers_show_the_same(go: Go, own_redis: RedisServer, tmp_path: Path) -> None:
    """The same tasks give the same families, types, labels, buckets and counts."""
    (tmp_path / "tasks.py").write_text(MODULE)
    with go.measured(own_redis) as url:
        enqueue(go, own_redis)
        theirs = until_measured(url)
    with own_redis.client() as client:
        client.flushall()
    with working(own_redis, tmp_path, target="tasks:handle") as worker:
        enqueue(go, own_redis)
        ours = until_measured(f"{worker.url}/metrics")

    assert shape(ours) == shape(theirs)
    names = {name.removesuffix("_total") for name in FAMILIES}
    assert {n: ours.types[n] for n in names} == {n: theirs.types[n] for n in names}
    for task_type, (succeeded, failed) in ATTEMPTS.items():
        for page in (ours, theirs):
            assert succeeded + failed == page.value(f"{FAMILIES[0]}_count", type=task_type)


def test_wait_of_a_task_that_says_since_when(go: Go, own_redis: RedisServer) -> None:
    """Stamped a second ago, it waited a second at least; others say nothing and are left out."""
    number = 3
    with go.measured(own_redis, "-enqueue", str(number)) as url:
        enqueue(go, own_redis)

        def page() -> Scrape | None:
            found = scrape(url)
            return found if {**ATTEMPTS, "stamped": (number, 0)} == outcomes(found) else None

        found = wait_until(page, what="all are counted")
    assert found is not None
    assert number == found.value(f"{FAMILIES[1]}_count", type="stamped")
    assert found.value(f"{FAMILIES[1]}_sum", type="stamped") >= number
    assert 0 == found.value(f"{FAMILIES[1]}_count", type="good")
