"""What we write, Go reads: our client and broker against Go's client, Inspector and workers."""

import base64
import time
from collections.abc import Mapping
from typing import Any

import pytest

from asynq_exporter.core import messages
from asynq_exporter.core.client import Task
from asynq_exporter.core.errors import DuplicateTaskError, InvalidArgumentError, TaskIdConflictError
from asynq_exporter.core.messages import NANOSECONDS, TaskInfo
from tests.conftest import wait_until
from tests.interop.comparing import SLACK_SECONDS, alike, dump, without_clocks
from tests.interop.conftest import GO, OURS, Filled, Sides, ask
from tests.interop.golang import Go, Json

ID = "the:task 1"

FUTURE = int(time.time()) + 100_000

#: Every option, at its edges and together; names are those of our client, and of the program in Go.
OPTIONS: Mapping[str, dict[str, Any]] = {
    "plain": {},
    "queue": {"queue": 'odd:"queue" {x} \\ *?[é]\n中'},
    "no-retry": {"max_retry": 0},
    "negative-retry": {"max_retry": -3},
    "timeout": {"timeout_seconds": 90.9},
    "tiny-timeout": {"timeout_seconds": 0.5},
    "deadline": {"deadline": FUTURE},
    "epoch-deadline": {"deadline": 0},
    "both-limits": {"timeout_seconds": 60, "deadline": FUTURE},
    "retention": {"retention_seconds": 3600.7},
    "unique": {"unique_seconds": 60},
    "process-at": {"process_at": FUTURE},
    "process-at-past": {"process_at": 1_000_000_000},
    "process-in": {"process_in_seconds": 1800.5},
    "process-in-past": {"process_in_seconds": -5},
    "unique-later": {"process_in_seconds": 1800, "unique_seconds": 60},
    "group": {"group": "g:1 é"},
    "unique-group": {"group": "g", "unique_seconds": 60},
    "group-later": {"group": "g", "process_in_seconds": 1800},
    "all": {
        "queue": "low",
        "max_retry": 3,
        "timeout_seconds": 60,
        "deadline": FUTURE,
        "unique_seconds": 60,
        "process_at": FUTURE - 5000,
        "retention_seconds": 10,
        "group": "g",
    },
}

TASKS: Mapping[str, Task] = {
    "no-payload": Task("mail:send"),
    "empty-payload": Task("mail:send", b""),
    "text-payload": Task("wörk:中", '{"user":"é"}'.encode()),
    "binary-payload": Task("blob", bytes(range(256)) * 400),
    "header": Task("mail:send", b"x", {"trace": "abc"}),
    "empty-header": Task("mail:send", b"x", {"": ""}),
    "headers": Task("mail:send", b"x", {"b": "2", "a": "1", "ü": "ö"}),
}

#: The full product would say no more: tasks and options meet in the message only, and uniqueness in the lock.
CASES = [
    *(pytest.param(TASKS["text-payload"], options, id=name) for name, options in OPTIONS.items()),
    *(pytest.param(task, {}, id=name) for name, task in TASKS.items()),
    *(pytest.param(task, {"unique_seconds": 60}, id=f"unique-{name}") for name, task in TASKS.items()),
]


def same_task(theirs: Json, ours: TaskInfo) -> bool:
    """Whether Go's description of a task and ours say the same."""
    return alike(
        {
            **{key: theirs[key] for key in ("id", "queue", "type", "state", "max_retry", "retried", "group")},
            "payload": base64.b64decode(theirs["payload"] or ""),
            "headers": theirs["headers"] or {},
            "last_err": theirs["last_err"],
            "timeout": theirs["timeout"] / NANOSECONDS,
            "retention": theirs["retention"] / NANOSECONDS,
            **{key: _seconds(theirs[key]) for key in ("deadline", "next_process_at", "completed_at")},
        },
        {
            **{key: getattr(ours, key) for key in ("id", "queue", "type", "max_retry", "retried", "group")},
            "state": str(ours.state),
            "payload": ours.payload,
            "headers": dict(ours.headers),
            "last_err": ours.last_error,
            "timeout": ours.timeout_seconds,
            "retention": ours.retention_seconds,
            "deadline": ours.deadline,
            "next_process_at": ours.next_process_at,
            "completed_at": ours.completed_at,
        },
    )


def _seconds(moment: int | None) -> float | None:
    return None if moment is None else moment / NANOSECONDS


@pytest.mark.parametrize(("task", "options"), CASES)
async def test_client_writes_what_go_writes(
    task: Task, options: dict[str, Any], go: Go, sides: Sides
) -> None:
    """For every option our client leaves the same keys, bytes and lifetimes in Redis as Go's."""
    [answer] = go.enqueue(sides.server, {**ask(task, options), "task_id": ID})
    info = await sides.client().enqueue(task, **options, task_id=ID)
    theirs, ours = await dump(sides.go), await dump(sides.ours)
    assert theirs
    assert alike(theirs, ours), f"\ngo:   {theirs}\nours: {ours}"
    assert same_task(answer["task"], info), f"\ngo:   {answer}\nours: {info}"


@pytest.mark.parametrize(("task", "options"), CASES)
async def test_inspector_lists_our_tasks_like_gos(
    task: Task, options: dict[str, Any], go: Go, sides: Sides
) -> None:
    """For every option Go's Inspector says the same of a task by our client as of one by Go's."""
    go.enqueue(sides.server, {**ask(task, options), "task_id": ID})
    await sides.client().enqueue(task, **options, task_id=ID)
    theirs, ours = go.inspect(sides.server), go.inspect(sides.server, db=OURS)
    assert without_clocks(theirs) == without_clocks(ours)
    [queue] = ours["queues"].values()
    assert queue["info"]["size"] == 1


@pytest.mark.parametrize(
    ("task", "options"),
    [
        (Task(" "), {}),
        (Task("t"), {"queue": " "}),
        (Task("t"), {"task_id": ""}),
        (Task("t"), {"group": "\t"}),
        (Task("t"), {"unique_seconds": 0.9}),
    ],
)
async def test_both_clients_refuse_the_same(
    task: Task, options: dict[str, Any], go: Go, sides: Sides
) -> None:
    """What Go's client refuses, ours refuses too, and neither has written anything."""
    [answer] = go.enqueue(sides.server, ask(task, options))
    assert answer["error"] == "other"
    with pytest.raises(InvalidArgumentError):
        await sides.client().enqueue(task, **options)
    assert await dump(sides.go) == await dump(sides.ours) == {}


async def test_go_worker_processes_what_we_enqueue(go: Go, sides: Sides, filled: Filled) -> None:
    """A Go worker runs tasks of every kind from our client, with payload, headers and limits as given."""
    client, odd = sides.client(), filled.odd_queue
    sent: dict[str, tuple[Task, dict[str, Any]]] = {
        "plain": (Task("t"), {}),
        "odd": (Task("t", b"\x00\xff", {"a": "1", "b": ""}), {"queue": odd}),
        "kept": (Task("t", b'{"result":"a result"}'), {"retention_seconds": 3600}),
        "later": (Task("t", b"later"), {"process_in_seconds": 1.5, "queue": "low"}),
        "unique": (Task("t", b"only one"), {"unique_seconds": 3600}),
        "limits": (Task("t", b"limits"), {"timeout_seconds": 120, "max_retry": 7}),
        "deadline": (Task("t", b"deadline"), {"deadline": int(time.time()) + 600}),
        "fails": (Task("t", b'{"fail":"no luck"}'), {"max_retry": 2}),
        "dies": (Task("t", b'{"fail":"bad luck"}'), {"max_retry": 0}),
        "grouped-1": (Task("t", b"one"), {"group": "g", "queue": "low"}),
        "grouped-2": (Task("t", b"two"), {"group": "g", "queue": "low"}),
    }
    for task_id, (task, options) in sent.items():
        await client.enqueue(task, **options, task_id=task_id)
    many = [(Task("many", str(number).encode()), {"task_id": f"many-{number}"}) for number in range(50)]
    assert all(await client.enqueue_many(many))  # type: ignore[arg-type]

    flags = ("-queues", f"default=2,low=1,{odd}=1", "-until-empty")
    attempts = {one["id"]: one for one in go.run("work", sides.server, *flags, db=OURS)}
    made = [task_id for task_id in attempts if task_id not in sent and not task_id.startswith("many-")]
    assert set(attempts) == {*sent, *(f"many-{n}" for n in range(50)), *made} - {"grouped-1", "grouped-2"}
    for task_id, (task, options) in sent.items():
        if "group" in options:
            continue
        attempt = attempts[task_id]
        assert base64.b64decode(attempt["payload"] or "") == (task.payload or b"")
        assert (attempt["type"], attempt["headers"] or {}) == (task.type, dict(task.headers))
        assert attempt["queue"] == options.get("queue", "default")
        assert attempt["max_retry"] == options.get("max_retry", 25)
    assert attempts["limits"]["remaining"] / NANOSECONDS == pytest.approx(120, abs=SLACK_SECONDS)
    assert attempts["deadline"]["remaining"] / NANOSECONDS == pytest.approx(600, abs=SLACK_SECONDS)
    assert attempts["plain"]["remaining"] / NANOSECONDS == pytest.approx(1800, abs=SLACK_SECONDS)
    assert [attempts[task_id]["type"] for task_id in made] == ["aggregated"]

    report = go.inspect(sides.server, db=OURS)["queues"]
    tasks = report["default"]["tasks"]
    assert [(task["id"], task["last_err"]) for task in tasks["archived"]] == [("dies", "bad luck")]
    assert [(task["id"], task["last_err"], task["retried"]) for task in tasks["retry"]] == [
        ("fails", "no luck", 1)
    ]
    assert [(task["id"], base64.b64decode(task["result"])) for task in tasks["completed"]] == [
        ("kept", b"a result")
    ]
    sizes = {name: queue["info"]["size"] for name, queue in report.items()}
    assert sizes == {"default": 3, "low": 1, odd: 0}
    assert not await sides.ours.keys("asynq:*unique*")


@pytest.mark.parametrize("payload", [None, b"", b"x"])
async def test_uniqueness_holds_between_the_sides(payload: bytes | None, go: Go, sides: Sides) -> None:
    """ErrDuplicateTask both ways, whichever side holds the lock; a Go worker's success frees ours."""
    client, task, options = sides.client(GO), Task("once", payload), {"unique_seconds": 600}
    await client.enqueue(task, unique_seconds=600)
    [answer] = go.enqueue(sides.server, ask(task, options))
    assert answer["error"] == "ErrDuplicateTask"

    assert len(go.run("work", sides.server, "-until-empty")) == 1
    [answer] = go.enqueue(sides.server, ask(task, options))
    assert "task" in answer
    with pytest.raises(DuplicateTaskError):
        await client.enqueue(task, unique_seconds=600)
    # Another payload, another queue: another lock. A nil and an empty payload are two in Go.
    for other in {None, b"", b"x"} - {payload}:
        await client.enqueue(Task("once", other), unique_seconds=600)
    await client.enqueue(task, unique_seconds=600, queue="low")


async def test_task_ids_conflict_between_the_sides(go: Go, sides: Sides) -> None:
    """ErrTaskIDConflict both ways, in every state that keeps the task, completed included."""
    client = sides.client(GO)
    await client.enqueue(Task("t"), task_id="pending")
    await client.enqueue(Task("t"), task_id="scheduled", process_in_seconds=600)
    await client.enqueue(Task("t"), task_id="grouped", group="g")
    for task_id in ("pending", "scheduled", "grouped"):
        [answer] = go.enqueue(sides.server, {"type": "t", "task_id": task_id})
        assert answer["error"] == "ErrTaskIDConflict", task_id

    payload = base64.b64encode(b'{"fail":"x"}').decode()
    go.enqueue(
        sides.server,
        {"type": "t", "task_id": "completed", "retention_seconds": 600, "queue": "low"},
        {"type": "t", "task_id": "retry", "payload": payload, "queue": "low"},
        {"type": "t", "task_id": "archived", "payload": payload, "max_retry": 0, "queue": "low"},
    )
    assert len(go.run("work", sides.server, "-queues", "low=1", "-until-empty")) == 3
    for task_id in ("completed", "retry", "archived"):
        with pytest.raises(TaskIdConflictError):
            await client.enqueue(Task("t"), task_id=task_id, queue="low")
        with pytest.raises(TaskIdConflictError):
            await client.enqueue(Task("t"), task_id=task_id, queue="low", process_in_seconds=600)
    assert await client.enqueue_many([(Task("t"), {"task_id": "completed", "queue": "low"})]) == [None]


@pytest.mark.parametrize("outcome", ["done", "kept", "retry", "archive"])
async def test_broker_ends_attempts_as_a_go_worker_does(outcome: str, go: Go, sides: Sides) -> None:
    """Taking a task and ending it leaves the same in Redis, whether a Go worker did it or our broker."""
    order = {"done": b"", "kept": b'{"result":"r"}', "retry": b'{"fail":"oh"}', "archive": b'{"fail":"oh"}'}
    options: dict[str, Any] = {"max_retry": 0 if outcome == "archive" else 3, "unique_seconds": 600}
    options |= {"retention_seconds": 600} if outcome == "kept" else {}
    task = Task("t", order[outcome])
    for db in (GO, OURS):
        go.enqueue(sides.server, {**ask(task, options), "task_id": ID}, db=db)

    [attempt] = go.run("work", sides.server, "-until-empty")
    broker = sides.broker()
    delivery = await broker.dequeue(["empty", "default"])
    assert delivery is not None
    message = delivery.message
    assert (message.id, message.payload) == (attempt["id"], base64.b64decode(attempt["payload"] or ""))
    match outcome:
        case "done":
            await broker.done(message)
        case "kept":
            await broker.write_result("default", message.id, b"r")
            await broker.mark_complete(message)
        case "retry":
            await broker.retry(message, retry_at=time.time() + 3600, error="oh")
        case "archive":
            await broker.archive(message, error="oh")

    theirs, ours = go.inspect(sides.server), go.inspect(sides.server, db=OURS)
    assert without_clocks(theirs) == without_clocks(ours)
    left_by_go, left_by_us = await dump(sides.go), await dump(sides.ours)
    assert alike(left_by_go, left_by_us), f"\ngo:   {left_by_go}\nours: {left_by_us}"


async def test_requeued_and_forwarded_tasks_look_like_gos(go: Go, sides: Sides) -> None:
    """Requeueing and forwarding by our broker keep tasks where a Go worker finds them, in the right order."""
    go.enqueue(sides.server, {"type": "t", "task_id": "first"}, {"type": "t", "task_id": "second"})
    go.enqueue(sides.server, {"type": "t", "task_id": "due", "process_in_seconds": 1})
    broker = sides.broker(GO)
    delivery = await broker.dequeue(["default"])
    assert delivery is not None
    await broker.requeue(delivery.message)
    deadline = time.monotonic() + SLACK_SECONDS
    while not await broker.forward(["default"]):
        assert time.monotonic() < deadline
    tasks = go.inspect(sides.server)["queues"]["default"]["tasks"]
    assert [task["id"] for task in tasks["pending"]] == ["first", "second", "due"]
    assert len(go.run("work", sides.server, "-concurrency", "1", "-until-empty")) == 3


async def test_go_obeys_pause_and_cancelation(go: Go, sides: Sides) -> None:
    """A queue that our broker pauses is paused for Go, and a task that it cancels ends on the Go server."""
    broker = sides.broker(GO)
    await broker.enqueue(messages.make_task("t", task_id="x", queue="low"))
    await broker.pause("low")
    assert go.inspect(sides.server)["queues"]["low"]["info"]["paused"]
    await broker.unpause("low")
    assert not go.inspect(sides.server)["queues"]["low"]["info"]["paused"]

    with go.live(sides.server, "-queues", "default=1", "-block", "default=1", "-scheduler=false"):
        await broker.publish_cancelation("blocked-default-0")
        wait_until(
            lambda: go.inspect(sides.server)["queues"]["default"]["tasks"]["retry"],
            what="the cancelled task waits for its retry",
        )
    [task] = go.inspect(sides.server)["queues"]["default"]["tasks"]["retry"]
    assert (task["id"], task["last_err"]) == ("blocked-default-0", "context canceled")


async def test_inspector_lists_our_server(go: Go, sides: Sides) -> None:
    """A server and its workers written by our broker are listed by Go with every field, until cleared."""
    started = messages.timestamp(1_767_225_600_500_000_000)
    server = messages.ServerInfo(
        host="web-1",
        pid=4242,
        server_id="sid-1",
        concurrency=10,
        queues={"default": 3, "low": 1},
        strict_priority=True,
        status="active",
        start_time=started,
        active_worker_count=1,
    )
    worker = messages.WorkerInfo(
        host="web-1",
        pid=4242,
        server_id="sid-1",
        task_id="my-id",
        task_type="email:send",
        task_payload=b"\x00x",
        queue="low",
        start_time=started,
        deadline=messages.timestamp(1_767_225_660_000_000_000),
    )
    broker = sides.broker(GO)
    await broker.write_server_state(server, [worker])
    assert go.inspect(sides.server)["servers"] == [
        {
            "id": "sid-1",
            "host": "web-1",
            "pid": 4242,
            "concurrency": 10,
            "queues": {"default": 3, "low": 1},
            "strict_priority": True,
            "started": 1_767_225_600_500_000_000,
            "status": "active",
            "workers": [
                {
                    "task_id": "my-id",
                    "task_type": "email:send",
                    "payload": base64.b64encode(b"\x00x").decode(),
                    "queue": "low",
                    "started": 1_767_225_600_500_000_000,
                    "deadline": 1_767_225_660_000_000_000,
                }
            ],
        }
    ]
    await broker.clear_server_state(server)
    assert go.inspect(sides.server)["servers"] == []
    assert await dump(sides.go) == {}


async def test_inspector_lists_our_scheduler(go: Go, sides: Sides) -> None:
    """Scheduler entries and events by our broker are listed by Go, "never" included, until cleared."""
    broker = sides.broker(GO)
    entries = [
        messages.SchedulerEntry(
            id="e-1",
            spec="@every 30s",
            task_type="tick",
            enqueue_options=['Queue("low")', "MaxRetry(3)", "Timeout(1m30s)"],
            next_enqueue_time=messages.timestamp(1_767_225_630_000_000_000),
            prev_enqueue_time=messages.timestamp(None),
        ),
        messages.SchedulerEntry(
            id="e-2",
            spec="0 3 * * *",
            task_type="digest",
            task_payload=b"all",
            next_enqueue_time=messages.timestamp(1_767_225_630_000_000_000),
            prev_enqueue_time=messages.timestamp(1_767_225_600_000_000_000),
        ),
    ]
    await broker.write_scheduler_entries("host:1:uuid", entries)
    for number in range(3):
        event = messages.SchedulerEnqueueEvent(
            task_id=f"task-{number}",
            enqueue_time=messages.timestamp((1_767_225_600 + number) * NANOSECONDS + 5),
        )
        await broker.record_enqueue_event("e-2", event)
    assert go.inspect(sides.server)["scheduler_entries"] == [
        {
            "id": "e-1",
            "spec": "@every 30s",
            "type": "tick",
            "payload": None,
            "options": ['Queue("low")', "MaxRetry(3)", "Timeout(1m30s)"],
            "next": 1_767_225_630_000_000_000,
            "prev": None,
            "events": [],
        },
        {
            "id": "e-2",
            "spec": "0 3 * * *",
            "type": "digest",
            "payload": base64.b64encode(b"all").decode(),
            "options": [],
            "next": 1_767_225_630_000_000_000,
            "prev": 1_767_225_600_000_000_000,
            "events": [
                {"task_id": f"task-{number}", "enqueued_at": (1_767_225_600 + number) * NANOSECONDS + 5}
                for number in (2, 1, 0)
            ],
        },
    ]
    await broker.clear_scheduler_entries("host:1:uuid")
    await broker.clear_scheduler_history("e-2")
    assert go.inspect(sides.server)["scheduler_entries"] == []
    assert await dump(sides.go) == {}
