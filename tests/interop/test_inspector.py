"""Our Inspector against Go's: the same reports on the same data, and Go sees what ours did."""

import base64
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
import redis.asyncio

from asynq_exporter.core import Client, Task, TaskState, keys
from asynq_exporter.core.errors import TaskActiveError
from asynq_exporter.core.inspector import Inspector, ServerView, TaskFilter
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.states import Operation
from tests.conftest import RedisServer, wait_until
from tests.interop.comparing import all_tasks, same_tasks, seconds, told
from tests.interop.conftest import Filled
from tests.interop.golang import Go, Json

#: Two looks one after the other.
SLACK_SECONDS = 5


@pytest.fixture
async def ours(own_filled: Filled) -> AsyncIterator[Inspector]:
    """Our Inspector on data by Go that this test may change."""
    async with redis.asyncio.Redis(port=own_filled.redis.port) as client:
        yield Inspector(client)


@pytest.fixture
async def reader(filled: Filled) -> AsyncIterator[Inspector]:
    """Our Inspector on data by Go that all tests share."""
    async with redis.asyncio.Redis(port=filled.redis.port) as client:
        yield Inspector(client)


@pytest.fixture
async def watcher(lively: RedisServer) -> AsyncIterator[Inspector]:
    """Our Inspector beside a live Go server and scheduler."""
    async with redis.asyncio.Redis(port=lively.port) as client:
        yield Inspector(client)


@pytest.mark.parametrize("size", [7, 30, 200])
async def test_pages_are_gos_in_gos_order(go: Go, filled: Filled, reader: Inspector, size: int) -> None:
    """4.5: every task of every state, told the same, in the same order, whatever the page size."""
    report = go.inspect(filled.redis)
    assert sorted(report["queues"]) == await reader.queues()
    assert await same_tasks(reader, report, size=size) > 400


async def test_one_task_is_told_like_its_page(filled: Filled, reader: Inspector) -> None:
    """4.6: by itself, and found by its ID alone."""
    for queue in filled.plan:
        for state in TaskState:
            for task in (await all_tasks(reader, queue, state, 30))[:3]:
                alone = await reader.get_task(queue, task.id)
                assert told(alone) == told(task)
                assert [found.queue for found in await reader.find_task(task.id)] != []


async def test_search_finds_what_go_lists(go: Go, filled: Filled, reader: Inspector) -> None:
    """The filter chooses among the tasks that Go lists, in their order."""
    listed = go.inspect(filled.redis)["queues"]["dead_letter"]["tasks"]["archived"]
    expected = [task["id"] for task in listed if "skip retry" in task["last_err"]]
    assert 0 < len(expected) < len(listed)
    found: list[str] = []
    cursor = None
    while True:
        page = await reader.search_tasks(
            "dead_letter",
            TaskState.ARCHIVED,
            TaskFilter(type="charge:*", error="SKIP RETRY"),
            size=4,
            cursor=cursor,
        )
        found += [task.id for task in page.tasks]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == expected


async def test_numbers_are_gos(go: Go, filled: Filled, reader: Inspector) -> None:
    """4.2-4.4: info, groups, history and memory of each queue."""
    for queue, found in go.inspect(filled.redis)["queues"].items():
        info, go_info = await reader.queue_info(queue), found["info"]
        assert {str(state): number for state, number in info.tasks.items()} == {
            state: go_info[state] for state in TaskState
        }
        assert (info.stored, info.groups, info.paused) == (
            go_info["size"],
            go_info["groups"],
            go_info["paused"],
        )
        assert (info.processed_today, info.failed_today) == (go_info["processed"], go_info["failed"])
        assert (info.processed_total, info.failed_total) == (
            go_info["processed_total"],
            go_info["failed_total"],
        )
        assert info.latency_seconds == pytest.approx(go_info["latency"] / NANOSECONDS, abs=SLACK_SECONDS)
        assert await reader.memory_usage_bytes(queue) == go_info["memory_usage"]
        assert {group.name: group.size for group in (await reader.groups(queue)).groups} == found["groups"]
        days = await reader.history(queue, len(found["history"]))
        assert [
            {"date": day.date, "processed": day.processed, "failed": day.failed} for day in days
        ] == found["history"]


def worker_list(server: ServerView) -> list[tuple[Any, ...]]:
    """What a server runs."""
    return [
        (worker.task_id, worker.task_type, worker.payload, worker.queue, worker.started_at, worker.deadline)
        for worker in server.workers
    ]


async def test_servers_and_schedulers_are_gos(go: Go, lively: RedisServer, watcher: Inspector) -> None:
    """4.11, 4.12: a live server with its workers, a live scheduler with its entries and events."""
    report = go.inspect(lively)
    servers = await watcher.servers()
    assert len(servers) == len(report["servers"]) == 1
    for server, found in zip(servers, report["servers"], strict=True):
        assert (server.server_id, server.host, server.pid) == (found["id"], found["host"], found["pid"])
        assert (server.concurrency, server.queues) == (found["concurrency"], found["queues"])
        assert (server.strict_priority, server.status) == (found["strict_priority"], found["status"])
        assert server.started_at == pytest.approx(seconds(found["started"]))
        assert server.worker_count == len(found["workers"]) == 3
        for ours_, theirs_ in zip(worker_list(server), found["workers"], strict=True):
            assert ours_[:2] == (theirs_["task_id"], theirs_["task_type"])
            assert ours_[2:4] == (base64.b64decode(theirs_["payload"]), theirs_["queue"])
            assert ours_[4:] == pytest.approx((seconds(theirs_["started"]), seconds(theirs_["deadline"])))
    entries = await watcher.scheduler_entries()
    assert len(entries) == len(report["scheduler_entries"]) == 3
    for entry, found in zip(entries, report["scheduler_entries"], strict=True):
        assert (entry.entry_id, entry.spec, entry.task_type) == (found["id"], found["spec"], found["type"])
        assert entry.payload == base64.b64decode(found["payload"] or "")
        # Go drops what its parser does not know, such as task IDs.
        assert set(found["options"]) <= set(entry.options)
        events = await watcher.enqueue_events(entry.entry_id, size=1000)
        listed = [(event.task_id, event.enqueued_at) for event in events]
        expected = [(event["task_id"], seconds(event["enqueued_at"])) for event in found["events"]]
        # The entry that fires each second may have fired once more meanwhile.
        same = listed[len(listed) - len(expected) :]
        assert [task_id for task_id, _ in same] == [task_id for task_id, _ in expected]
        assert [moment for _, moment in same] == pytest.approx([moment for _, moment in expected])


def ids(report: Json, queue: str, state: TaskState) -> list[str]:
    """IDs of the tasks that Go lists."""
    return [task["id"] for task in report["queues"][queue]["tasks"][state]]


def total(report: Json) -> int:
    """Number of all tasks that Go counts."""
    return sum(queue["info"]["size"] for queue in report["queues"].values())


SINGLE: Mapping[str, tuple[Callable[[Inspector], Callable[..., Any]], TaskState | None]] = {
    "run": (lambda inspector: inspector.run_task, TaskState.PENDING),
    "archive": (lambda inspector: inspector.archive_task, TaskState.ARCHIVED),
    "delete": (lambda inspector: inspector.delete_task, None),
}

PLACES = {
    TaskState.PENDING: "default",
    TaskState.SCHEDULED: "scheduled",
    TaskState.RETRY: "default",
    TaskState.ARCHIVED: "dead_letter",
    TaskState.COMPLETED: "default",
    TaskState.AGGREGATING: "low",
}


async def test_go_sees_every_single_change(go: Go, own_filled: Filled, ours: Inspector) -> None:
    """4.7: after each change of one task, in each state, Go lists it where ours put it, and nowhere else."""
    before = go.inspect(own_filled.redis)
    expected: dict[str, tuple[str, TaskState | None]] = {}
    for index, (operation, (method, after)) in enumerate(SINGLE.items()):
        for state, queue in PLACES.items():
            if (operation, state) in {("run", TaskState.PENDING), ("archive", TaskState.ARCHIVED)}:
                continue
            task_id = ids(before, queue, state)[index]
            assert await method(ours)(queue, task_id) is state
            expected[task_id] = (queue, after)
    report = go.inspect(own_filled.redis)
    for task_id, (queue, after) in expected.items():
        holders = [state for state in TaskState if task_id in ids(report, queue, state)]
        assert holders == ([after] if after else []), task_id
    assert total(report) == total(before) - sum(after is None for _, after in expected.values())
    await same_tasks(ours, report)


async def test_go_sees_every_bulk_change(go: Go, own_filled: Filled, ours: Inspector) -> None:
    """4.8: after each change of all tasks of a state Go counts and orders what ours says."""
    before = go.inspect(own_filled.redis)

    def of(queue: str, state: TaskState) -> list[str]:
        return ids(before, queue, state)

    await ours.run_all("default", TaskState.RETRY)
    await ours.run_all("low", TaskState.AGGREGATING, group="digest")
    await ours.archive_all("high", TaskState.PENDING)
    await ours.archive_all("scheduled", TaskState.SCHEDULED)
    await ours.delete_all("dead_letter", TaskState.ARCHIVED)
    await ours.delete_all("low", TaskState.AGGREGATING, group="a:b")
    await ours.delete_all(own_filled.odd_queue, TaskState.PENDING)
    report = go.inspect(own_filled.redis)
    assert ids(report, "default", TaskState.PENDING) == [
        *of("default", TaskState.PENDING),
        *of("default", TaskState.RETRY),
    ]
    assert ids(report, "high", TaskState.ARCHIVED)[:2] == of("high", TaskState.ARCHIVED)
    assert sorted(ids(report, "high", TaskState.ARCHIVED)[2:]) == sorted(of("high", TaskState.PENDING))
    assert sorted(ids(report, "scheduled", TaskState.ARCHIVED)) == sorted(
        of("scheduled", TaskState.SCHEDULED)
    )
    assert ids(report, "dead_letter", TaskState.ARCHIVED) == []
    assert report["queues"]["low"]["groups"] == {"größe": 1}
    assert ids(report, own_filled.odd_queue, TaskState.PENDING) == []
    assert total(report) == total(before) - len(of("dead_letter", TaskState.ARCHIVED)) - 3 - 2
    await same_tasks(ours, report)


async def test_archiving_all_leaves_what_gos_leaves(go: Go, own_redis: RedisServer) -> None:
    """4.8: the same keys, scores and hashes in Redis as after Go's own call."""
    seen = []
    for db in (0, 1):
        async with redis.asyncio.Redis(port=own_redis.port, db=db) as client:
            for n in range(249):
                await Client(client).enqueue(Task("t"), task_id=f"{n:03}", queue="low")
            await Client(client).enqueue(Task("t", b"x"), task_id="249", queue="low", unique_seconds=600)
            if db == 0:
                assert go.run("archive", own_redis, "-queue", "low") == {"archived": 250}
            else:
                assert (await Inspector(client).archive_all("low", TaskState.PENDING)).done == 250
            seen.append(await contents(client))
    theirs_, ours_ = seen
    assert theirs_.keys() == ours_.keys()
    assert len(theirs_) == 253  # the queue's name, the archive, a lock, the hashes
    archived = keys.archived("low").encode()
    assert list(theirs_[archived]) == list(ours_[archived])
    for task_id, score in theirs_[archived].items():
        assert abs(score - ours_[archived][task_id]) <= SLACK_SECONDS
    del theirs_[archived], ours_[archived]
    assert theirs_ == ours_


async def contents(client: "redis.asyncio.Redis") -> dict[Any, Any]:
    """Everything in a database but the moments at which tasks were enqueued."""
    found: dict[Any, Any] = {}
    for key in await client.keys("*"):
        kind = await client.type(key)
        if kind == b"hash":
            found[key] = await client.hgetall(key)
            found[key].pop(b"pending_since", None)
        elif kind == b"zset":
            scored: Any = await client.zrange(key, 0, -1, withscores=True)
            found[key] = dict(scored)
        elif kind == b"set":
            found[key] = await client.smembers(key)
        else:
            found[key] = await client.get(key)
    return found


async def test_go_sees_new_payload_and_flags(go: Go, own_filled: Filled, ours: Inspector) -> None:
    """4.7, 4.10: payload, pause and unpause."""
    [task_id, *_] = ids(go.inspect(own_filled.redis), "scheduled", TaskState.SCHEDULED)
    await ours.update_payload("scheduled", task_id, b"new")
    await ours.pause("default")
    await ours.unpause("low")
    report = go.inspect(own_filled.redis)
    [task, *_] = report["queues"]["scheduled"]["tasks"]["scheduled"]
    assert (task["id"], base64.b64decode(task["payload"])) == (task_id, b"new")
    assert {name for name, queue in report["queues"].items() if queue["info"]["paused"]} == {"default"}


async def test_go_sees_deleted_queues(go: Go, own_filled: Filled, ours: Inspector) -> None:
    """4.9: gone by force, with their tasks; what is left of them is there again with their name."""
    before = go.inspect(own_filled.redis)
    await ours.delete_queue("default", force=True)
    await ours.delete_queue("low", force=True)
    report = go.inspect(own_filled.redis)
    assert before["queues"].keys() - report["queues"].keys() == {"default", "low"}
    go.enqueue(own_filled.redis, {"type": "t", "payload": None, "queue": "default"})
    again = go.inspect(own_filled.redis)["queues"]["default"]
    assert {state: again["info"][state] for state in TaskState} == {
        **dict.fromkeys(TaskState, 0),
        TaskState.PENDING: 1,
        TaskState.COMPLETED: before["queues"]["default"]["info"]["completed"],
    }


async def test_go_server_obeys_our_cancelation(go: Go, own_redis: RedisServer) -> None:
    """3.26: a task that a Go worker runs ends with "context canceled"; archiving it is refused before."""
    async with redis.asyncio.Redis(port=own_redis.port) as client:
        inspector = Inspector(client)
        with go.live(own_redis, "-scheduler=false"):
            for operation in (Operation.ARCHIVE, Operation.DELETE, Operation.RUN):
                [outcome] = await inspector.batch(operation, "critical", ["blocked-critical-0"])
                assert isinstance(outcome.error, TaskActiveError)
            assert await inspector.cancel_task("critical", "blocked-critical-0") == 1
            hash_ = keys.task("critical", "blocked-critical-0")
            with own_redis.client() as sync:
                wait_until(lambda: sync.hget(hash_, "state") == b"retry", what="the task waits for a retry")
            task = await inspector.get_task("critical", "blocked-critical-0")
        assert task.info is not None
        assert (task.state, task.info.last_error) == (TaskState.RETRY, "context canceled")
