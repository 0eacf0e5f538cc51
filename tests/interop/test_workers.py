"""Our server and scheduler beside Go's: what either does, the other takes for its own."""

import asyncio
import base64
import os
import socket
import time
from collections.abc import Mapping
from typing import Any, cast

import pytest

from asynq_exporter.core import Task, keys
from asynq_exporter.core.errors import DuplicateTaskError
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.worker import Attempt, Scheduler, SkipRetryError
from tests.core.worker.serving import Gate, gone, serving, there, until
from tests.interop.comparing import alike, dump, without_clocks
from tests.interop.conftest import GO, OURS, Sides, ask
from tests.interop.fleet import Fleet
from tests.interop.golang import Go, Json
from tests.interop.worker import aggregate, obey, retry_in

HOUR = 3600

Q = "default"

LEASE_EXPIRED = "asynq: task lease expired"

#: ID -> payload and options; the orders in payloads are for workers of both sides (order.go, worker.py).
ORDERS: Mapping[str, tuple[bytes, dict[str, Any]]] = {
    "done": (b"", {}),
    "kept": (b'{"result":"a result"}', {"retention_seconds": HOUR}),
    "unique": (b'{"result":"once"}', {"retention_seconds": HOUR, "unique_seconds": HOUR}),
    "retried": (b'{"fail":"oh"}', {"max_retry": 3}),
    "retried-unique": (b'{"fail":"no"}', {"max_retry": 3, "unique_seconds": HOUR}),
    "second-try": (b'{"fail":"oh","times":1,"retry_in":1}', {"retention_seconds": HOUR}),
    "archived": (b'{"fail":"bad luck"}', {"max_retry": 0}),
    "skipped": (b'{"fail":"pointless","skip":true}', {"max_retry": 9}),
    "later": (b'{"result":"later"}', {"process_in_seconds": 1, "retention_seconds": HOUR}),
    "too-late": (b'{"sleep":60000}', {"timeout_seconds": 1, "max_retry": 2}),
    "headers": (b"", {"headers": {"trace": "abc"}, "retention_seconds": HOUR}),
}


async def obey_all(attempt: Attempt) -> None:
    """`obey` with giving up."""
    try:
        await obey(attempt)
    except RuntimeError as exc:
        if attempt.id == "skipped":
            raise SkipRetryError(f"{exc}: skip retry for the task") from exc
        raise


def listed(go: Go, sides: Sides, state: str, *, db: int = OURS) -> list[Json]:
    """What Go's Inspector lists in a state of the default queue."""
    tasks: list[Json] = go.inspect(sides.server, db=db)["queues"][Q]["tasks"][state]
    return tasks


async def test_our_server_leaves_what_gos_leaves(go: Go, sides: Sides) -> None:
    """Kept, unique, retried, archived, delayed, timed out: the same keys, bytes and reports."""
    for db in (GO, OURS):
        for task_id, (payload, options) in ORDERS.items():
            go.enqueue(sides.server, {**ask(Task("t", payload), options), "task_id": task_id}, db=db)
    await asyncio.to_thread(go.run, "work", sides.server, "-concurrency", "20", "-until-empty")

    async with serving(sides.ours, obey_all, retry_delay=retry_in, concurrency=20):
        await gone(sides.ours, keys.pending(Q), keys.active(Q), keys.scheduled(Q))
        await until(lambda: sides.ours.zcard(keys.retry(Q)), what="tasks wait for their retry")
        await until(lambda: sides.ours.zscore(keys.completed(Q), "second-try"), what="the retry is done")
        await until(lambda: sides.ours.zscore(keys.retry(Q), "too-late"), what="one is timed out")
        await gone(sides.ours, keys.active(Q))
    theirs, ours = await dump(sides.go), await dump(sides.ours)
    assert alike(theirs, ours), f"\ngo:   {theirs}\nours: {ours}"
    theirs, ours = go.inspect(sides.server), go.inspect(sides.server, db=OURS)
    for report in (theirs, ours):
        # Sorted by moments, which differ.
        for found in report["queues"][Q]["tasks"].values():
            found.sort(key=lambda task: str(task["id"]))
    assert without_clocks(theirs) == without_clocks(ours)
    tasks = ours["queues"][Q]["tasks"]
    assert {state: sorted(task["id"] for task in found) for state, found in tasks.items() if found} == {
        "completed": ["headers", "kept", "later", "second-try", "unique"],
        "retry": ["retried", "retried-unique", "too-late"],
        "archived": ["archived", "skipped"],
    }


async def test_lock_of_gos_client_is_freed_by_our_server(go: Go, sides: Sides) -> None:
    """While our server has the task both clients find the lock held; afterwards either may enqueue."""
    wanted = {**ask(Task("once", b"x"), {"unique_seconds": HOUR})}
    gate = Gate()
    async with serving(sides.ours, gate):
        assert "task" in go.enqueue(sides.server, wanted, db=OURS)[0]
        await gate.holds(1)
        assert go.enqueue(sides.server, wanted, db=OURS)[0]["error"] == "ErrDuplicateTask"
        with pytest.raises(DuplicateTaskError):
            await sides.client().enqueue(Task("once", b"x"), unique_seconds=HOUR)
        gate.opened.set()
        await gone(sides.ours, keys.unique(Q, "once", b"x"))
        assert "task" in go.enqueue(sides.server, wanted, db=OURS)[0]
        await gone(sides.ours, keys.pending(Q), keys.active(Q))


async def test_our_server_aggregates_what_go_grouped(go: Go, sides: Sides) -> None:
    """A group by Go's client becomes the same task through our aggregator as through Go's."""
    members = [
        {**ask(Task("t", text.encode()), {"group": "g"}), "task_id": text} for text in ("one", "two", "three")
    ]
    for db in (GO, OURS):
        go.enqueue(sides.server, *members, db=db)
    await asyncio.to_thread(go.run, "work", sides.server, "-until-empty")
    async with serving(sides.ours, obey, aggregator=aggregate, group_grace_seconds=1):
        await there(sides.ours, keys.completed(Q))
    theirs, ours = go.inspect(sides.server), go.inspect(sides.server, db=OURS)
    for report in (theirs, ours):
        [made] = report["queues"][Q]["tasks"]["completed"]
        del made["id"]  # chosen by chance
        assert made["type"] == "aggregated"
        del report["servers"]
    assert without_clocks(theirs) == without_clocks(ours)


async def test_go_cancels_what_our_server_runs(go: Go, sides: Sides) -> None:
    """CancelProcessing of Go's Inspector ends the attempt on ours; it waits for its retry."""
    gate = Gate()
    await sides.client().enqueue(Task("t"), task_id="1")
    async with serving(sides.ours, gate) as server:
        await gate.holds(1)
        await until(server._subscriber.listening.is_set, what="it listens")
        go.run("cancel", sides.server, "-id", "1", db=OURS)
        await there(sides.ours, keys.retry(Q))
        assert [attempt.id for attempt in gate.canceled] == ["1"]
    [task] = listed(go, sides, "retry")
    assert (task["id"], task["last_err"], task["retried"]) == ("1", "context canceled", 1)


async def test_our_server_recovers_what_go_left(go: Go, sides: Sides) -> None:
    """A Go server is killed in mid-task; ours takes the task up when its lease is over."""
    with go.live(sides.server, "-queues", "default=1", "-block", "default=2", "-scheduler=false") as live:
        live.crash()
    end_leases(sides)
    async with serving(sides.go, obey_all, retry_delay=retry_in):
        await until(lambda: sides.go.zcard(keys.retry(Q)), what="a task waits for its retry")
        await gone(sides.go, keys.active(Q), keys.lease(Q))
    tasks = listed(go, sides, "retry", db=GO)
    assert sorted((task["id"], task["last_err"]) for task in tasks) == [
        ("blocked-default-0", LEASE_EXPIRED),
        ("blocked-default-1", LEASE_EXPIRED),
    ]


async def test_go_recovers_what_our_server_left(go: Go, sides: Sides) -> None:
    """A server of ours is killed in mid-task; Go's takes the task up, and archives one without retries."""
    await sides.client(GO).enqueue(Task("t", b'{"block":true}'), task_id="1")
    await sides.client(GO).enqueue(Task("t", b'{"block":true}'), task_id="2", max_retry=0)
    with Fleet(go, sides.server, {Q: 1}, concurrency=2) as fleet:
        ours = fleet.start("python")
        await asyncio.to_thread(fleet.kill, ours, tasks=2)
        end_leases(sides)
        fleet.start("go")
        await gone(sides.go, keys.active(Q), keys.lease(Q))
    for state, task_id in (("retry", "1"), ("archived", "2")):
        [task] = listed(go, sides, state, db=GO)
        assert (task["id"], task["last_err"]) == (task_id, LEASE_EXPIRED)


async def test_go_works_on_what_our_shutdown_put_back(go: Go, sides: Sides) -> None:
    """A task that had no time is the next to run, for Go as for us, and costs no retry."""
    for task_id in ("1", "2", "3"):
        await sides.client(GO).enqueue(Task("t"), task_id=task_id)
    gate = Gate()
    async with serving(sides.go, gate, concurrency=1, shutdown_seconds=0.05):
        await gate.holds(1)
    pending = listed(go, sides, "pending", db=GO)
    assert [(task["id"], task["retried"]) for task in pending] == [("1", 0), ("2", 0), ("3", 0)]
    assert go.inspect(sides.server)["servers"] == []
    assert len(await asyncio.to_thread(go.run, "work", sides.server, "-until-empty")) == 3


async def test_go_lists_our_server_and_its_workers(go: Go, sides: Sides) -> None:
    """Every field that Go's Inspector has of a server and of what it runs; its status follows."""
    gate = Gate()
    now = time.time_ns()
    for task_id in ("1", "2"):
        await sides.client().enqueue(Task("mail", b"x"), task_id=task_id, timeout_seconds=60)
    queues = {Q: 6, "low": 2}
    async with serving(sides.ours, gate, queues=queues, concurrency=7, strict_priority=True) as server:
        await gate.holds(2)
        await until(lambda: workers_of(go, sides) == 2, what="Go lists two workers")
        [shown] = go.inspect(sides.server, db=OURS)["servers"]
        workers = shown.pop("workers")
        assert abs(shown.pop("started") - now) < HOUR * NANOSECONDS
        assert shown == {
            "id": server.server_id,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "concurrency": 7,
            "queues": queues,
            "strict_priority": True,
            "status": "active",
        }
        for worker, task_id in zip(workers, ("1", "2"), strict=True):
            assert (worker["task_id"], worker["task_type"], worker["queue"]) == (task_id, "mail", Q)
            assert base64.b64decode(worker["payload"]) == b"x"
            assert worker["deadline"] - worker["started"] == 60 * NANOSECONDS
        server.stop()
        await until(lambda: status_of(go, sides) == "stopped", what="Go sees it stopped")
        gate.opened.set()
    assert go.inspect(sides.server, db=OURS)["servers"] == []


async def test_go_lists_our_scheduler_like_its_own(go: Go, sides: Sides) -> None:
    """The entries of live.go registered with ours: the same report, with events of the one that fires."""
    scheduler = Scheduler(sides.ours, heartbeat_seconds=0.2)
    scheduler.register("@every 1s", Task("tick"), task_id="tick-once", retention_seconds=HOUR)
    scheduler.register(
        "0 3 * * *", Task("mail:digest", b'{"to":"all"}'), queue="low", max_retry=3, timeout_seconds=90
    )
    scheduler.register(
        "@hourly", Task("cleanup", b'{"result":"clean"}'), unique_seconds=HOUR, queue="scheduled"
    )
    flags = ("-queues", "default=1", "-block", "")
    with go.live(sides.server, *flags):
        theirs = go.inspect(sides.server)["scheduler_entries"]
    await scheduler.start()
    try:
        async with serving(sides.ours, obey):
            ours = await until(lambda: entries_with_event(go, sides), what="Go lists an event of ours")
            assert [task["id"] for task in listed(go, sides, "completed")] == ["tick-once"]
    finally:
        await scheduler.shutdown()
    assert go.inspect(sides.server, db=OURS)["scheduler_entries"] == []

    def told(entries: Json) -> Json:
        moments = {"id", "next", "prev", "events"}
        shown = [{key: one[key] for key in one if key not in moments} for one in entries]
        return sorted(shown, key=lambda one: str(one["spec"]))

    assert told(ours) == told(theirs)
    for entries in (ours, theirs):
        for entry in entries:
            assert entry["next"] > time.time_ns() - 60 * NANOSECONDS
            assert entry["prev"] is None or entry["type"] == "tick"
            assert ["tick-once"] * bool(entry["events"]) == [event["task_id"] for event in entry["events"]]


def end_leases(sides: Sides) -> None:
    """Makes the time pass that a lease lasts after its worker is gone, and the recoverer's patience."""
    with sides.server.client() as client:
        ids = cast("list[bytes]", client.zrange(keys.lease(Q), 0, -1))
        assert ids
        client.zadd(keys.lease(Q), dict.fromkeys(ids, int(time.time()) - 31))


def workers_of(go: Go, sides: Sides) -> int:
    """How many workers Go's Inspector lists of all servers."""
    return sum(len(server["workers"]) for server in go.inspect(sides.server, db=OURS)["servers"])


def status_of(go: Go, sides: Sides) -> str:
    """The status of the only server."""
    [server] = go.inspect(sides.server, db=OURS)["servers"]
    return str(server["status"])


def entries_with_event(go: Go, sides: Sides) -> Json:
    """The scheduler entries, once one has an event and its task is done."""
    report = go.inspect(sides.server, db=OURS)
    entries = report["scheduler_entries"]
    is_done = bool(report["queues"].get(Q, {"tasks": {}})["tasks"].get("completed"))
    # The entry is written with the next heartbeat, the event at once.
    return entries if is_done and any(entry["events"] and entry["prev"] for entry in entries) else None
