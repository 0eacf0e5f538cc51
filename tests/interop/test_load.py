"""Ten thousand tasks by both sides, worked on by both sides, while workers are killed."""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
import redis.asyncio

from asynq_exporter.core import Client, Task, keys
from asynq_exporter.core.client import Options
from asynq_exporter.core.inspector import Inspector
from tests.conftest import RedisServer, wait_until
from tests.interop.comparing import same_tasks
from tests.interop.fleet import Fleet
from tests.interop.golang import Go, Json

TASKS = 10_000

QUEUES = {"critical": 10, "high": 6, "default": 4, "low": 1}

SLOTS = 10

HOUR = 3600

#: A lease of 30 s, 30 s of grace, a look each 60 s, a retry; and a busy machine.
RECOVERED_SECONDS = 300.0

LEASE_EXPIRED = "asynq: task lease expired"

#: What the payload orders and the retries allowed, in turn.
KINDS: Sequence[tuple[Mapping[str, Any], int]] = (
    *[({}, 25)] * 7,
    ({"fail": "once", "times": 1}, 3),
    ({"fail": "bad luck"}, 0),
    # A killed worker costs it its only attempt.
    ({}, 0),
)


def order(number: int) -> bytes:
    """The payload of a task: what it is to do takes 20 ms."""
    return json.dumps({**KINDS[number % len(KINDS)][0], "sleep": 20, "retry_in": 1}).encode()


def options(number: int) -> Options:
    """Its ID, queue, retries; it is kept after its success."""
    queues = tuple(QUEUES)
    return {
        "task_id": str(number),
        "queue": queues[number // len(KINDS) % len(queues)],
        "max_retry": KINDS[number % len(KINDS)][1],
        "retention_seconds": HOUR,
    }


async def enqueue(go: Go, server: RedisServer, client: Client) -> None:
    """Half by Go and half by us, at the same time; ours one by one and in batches."""
    asks = [
        {"type": "go", "payload": base64.b64encode(order(n)).decode(), **options(n)}
        for n in range(0, TASKS, 2)
    ]
    by_go = asyncio.create_task(asyncio.to_thread(go.enqueue, server, *asks))
    ours = range(1, TASKS, 2)
    for start in range(0, len(ours), 500):
        one_by_one, batch = ours[start : start + 100], ours[start + 100 : start + 500]
        for n in one_by_one:
            await client.enqueue(Task("python", order(n)), **options(n))
        assert None not in await client.enqueue_many([(Task("python", order(n)), options(n)) for n in batch])
    assert all("task" in answer for answer in await by_go)


def finished(server: RedisServer) -> int:
    """Tasks that are completed or archived."""
    with server.client() as client:
        return sum(client.zcard(name(queue)) for queue in QUEUES for name in (keys.completed, keys.archived))


def kill_in_mid_task(fleet: Fleet, server: RedisServer) -> list[str]:
    """Each of the four first workers, one after the other, with another in its place; what they held."""
    first = [fleet.start(side) for side in ("go", "python", "go", "python")]
    for number, member in enumerate(first, start=1):
        wait_until(
            lambda part=number * TASKS // 8: finished(server) >= part,  # type: ignore[misc]
            what=f"eighth {number} is done",
            seconds=RECOVERED_SECONDS,
        )
        fleet.kill(member, tasks=SLOTS // 2)
        fleet.start(member.name.partition("-")[0])
    with server.client() as client:
        held = [{task_id.decode() for task_id in client.smembers(member.held)} for member in first]
    assert all(held), "every victim had tasks in hand"
    return sorted(set().union(*held))


@pytest.mark.slow
async def test_nothing_is_lost_when_workers_are_killed(go: Go, own_redis: RedisServer) -> None:
    """Every task is completed or archived, none stays with the dead, and both Inspectors say so."""
    redis_ = redis.asyncio.Redis(port=own_redis.port)
    with Fleet(go, own_redis, QUEUES, concurrency=SLOTS) as fleet:
        killing = asyncio.create_task(asyncio.to_thread(kill_in_mid_task, fleet, own_redis))
        await enqueue(go, own_redis, Client(redis_))
        held = await killing
        await asyncio.to_thread(
            wait_until,
            lambda: finished(own_redis) == TASKS,
            what="every task is completed or archived",
            seconds=RECOVERED_SECONDS,
        )
    report, inspector = go.inspect(own_redis), Inspector(redis_)
    tasks = {task["id"]: task for task in tasks_of(report)}
    assert set(tasks) == {str(n) for n in range(TASKS)}
    check_ends(tasks, held)
    check_counters(report, tasks.values())
    assert await same_tasks(inspector, report) == TASKS
    for queue, found in report["queues"].items():
        info = await inspector.queue_info(queue)
        assert {str(state): number for state, number in info.tasks.items()} == {
            state: found["info"][state] for state in info.tasks
        }
        assert (info.processed_total, info.failed_total) == (
            found["info"]["processed_total"],
            found["info"]["failed_total"],
        )
        assert info.orphaned == 0
    assert report["servers"] == await inspector.servers() == []
    # What is left beside the tasks: the names of the queues, two sets and the counters of each, no lease.
    names = [name.decode() async for name in redis_.scan_iter("asynq:*", count=1000)]
    assert not [name for name in names if name.endswith((":active", ":lease", ":pending", ":retry"))]
    assert len(names) - TASKS == 1 + len(QUEUES) * (2 + 2) + sum(":processed:" in n for n in names) + sum(
        ":failed:" in n for n in names
    )
    await redis_.aclose()


def tasks_of(report: Json) -> list[Json]:
    """All tasks that Go's Inspector lists; each must be in one state of one queue."""
    found = [
        task for queue in report["queues"].values() for state in queue["tasks"].values() for task in state
    ]
    assert len(found) == len({task["id"] for task in found})
    return found


def check_ends(tasks: Mapping[str, Json], held: Iterable[str]) -> None:
    """Each task ended as ordered, or as its killed worker left it no other way."""
    results: Counter[tuple[str, bytes]] = Counter()
    for task_id, task in tasks.items():
        ordered, max_retry = KINDS[int(task_id) % len(KINDS)]
        was_killed = task["last_err"] == LEASE_EXPIRED
        dies = max_retry == 0 and ("fail" in ordered or was_killed)
        assert task["state"] == ("archived" if dies else "completed"), task
        if dies and not was_killed:
            assert task["last_err"] == ordered["fail"], task
        if not dies:
            results[task["type"], base64.b64decode(task["result"])] += 1
            assert task["retried"] >= (was_killed or "fail" in ordered), task
    # Whoever made a task, both sides have worked on it.
    assert set(results) == {(maker, worker) for maker in ("go", "python") for worker in (b"go", b"python")}
    assert min(results.values()) > TASKS // 100, results
    assert {tasks[task_id]["last_err"] for task_id in held} == {LEASE_EXPIRED}


def check_counters(report: Json, tasks: Iterable[Json]) -> None:
    """Every attempt was counted once: each task succeeded or died once, and its retries failed."""
    states, retried = Counter[str](), 0
    for task in tasks:
        states[task["state"]] += 1
        retried += task["retried"]
    infos = [queue["info"] for queue in report["queues"].values()]
    assert sum(info["failed_total"] for info in infos) == retried + states["archived"]
    assert sum(info["processed_total"] for info in infos) == retried + TASKS
