"""Reading tasks: pages, one task, a task by its ID (wire sections 4.5 and 4.6)."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from asynq_exporter.core import Broker, FixedClock, TaskState, keys, messages
from asynq_exporter.core.errors import InvalidArgumentError, QueueNotFoundError, TaskNotFoundError
from asynq_exporter.core.inspector import InspectedTask, Inspector, Problem
from asynq_exporter.core.messages import TaskInfo
from tests.conftest import RedisServer
from tests.core.inspector.placing import GROUP_OF, fill, place
from tests.core.queue_state import Q, T, a_task, everything

S = TaskState


def ids_of(tasks: list[InspectedTask]) -> list[str]:
    """The IDs of some tasks."""
    return [task.id for task in tasks]


@pytest.mark.parametrize("state", S)
async def test_pages_are_in_the_documented_order(
    inspector: Inspector, redis_sync: Redis, state: TaskState
) -> None:
    """4.5: next to run, longest running, earliest time first; every page, and one beyond the end."""
    ids = fill(redis_sync, state, (f"{n:02}" for n in range(50)))
    pages = [
        await inspector.list_tasks(Q, state, group=GROUP_OF[state], page=page, size=20)
        for page in range(1, 5)
    ]
    assert [ids_of(page.tasks) for page in pages] == [ids[:20], ids[20:40], ids[40:], []]
    assert {page.total for page in pages} == {50}
    assert {task.state for page in pages for task in page.tasks} == {state}
    assert len((await inspector.list_tasks(Q, state, group=GROUP_OF[state])).tasks) == 30
    far = await inspector.list_tasks(Q, state, group=GROUP_OF[state], page=10**9, size=200)
    assert (far.tasks, far.total) == ([], 50)


async def test_equal_scores_go_by_id(inspector: Inspector, redis_sync: Redis) -> None:
    """4.5: by the bytes of the ID."""
    fill(redis_sync, S.RETRY, ["b", "a", "B", "é", "10", "9"])
    redis_sync.zadd(keys.retry(Q), dict.fromkeys(["b", "a", "B", "é", "10", "9"], T))
    assert ids_of((await inspector.list_tasks(Q, S.RETRY)).tasks) == ["10", "9", "B", "a", "b", "é"]


@pytest.mark.parametrize("state", S)
async def test_task_tells_everything_in_page_and_alone(
    inspector: Inspector, broker: Broker, state: TaskState
) -> None:
    """4.5, 4.6: message, next time, score, lease, result; the same both ways."""
    await place(broker, state, "1", payload=b"pay", headers={"k": "v"})
    await broker.write_result(Q, "1", b"res")
    [listed] = (await inspector.list_tasks(Q, state, group=GROUP_OF[state])).tasks
    assert listed == await inspector.get_task(Q, "1")
    failed = state in {S.RETRY, S.ARCHIVED}
    assert listed.info == TaskInfo(
        id="1",
        queue=Q,
        type="t",
        payload=b"pay",
        state=state,
        max_retry=25,
        retried=int(state is S.RETRY),
        last_error="boom" if failed else "",
        last_failed_at=T if failed else None,
        timeout_seconds=1800,
        deadline=None,
        group=GROUP_OF[state],
        retention_seconds=60 if state is S.COMPLETED else 0,
        completed_at=T if state is S.COMPLETED else None,
        next_process_at={S.PENDING: T, S.SCHEDULED: T + 60, S.RETRY: T + 60}.get(state),
        headers={"k": "v"},
        result=b"res",
    )
    scores = {S.SCHEDULED: T + 60, S.RETRY: T + 60, S.ARCHIVED: T, S.COMPLETED: T + 60, S.AGGREGATING: T}
    assert listed.score == scores.get(state)
    assert listed.pending_since == (T if state is S.PENDING else None)
    assert listed.lease_expires_at == (T + 30 if state is S.ACTIVE else None)
    assert (listed.payload_bytes, listed.result_bytes, listed.problem) == (3, 3, None)
    assert (listed.payload_cut, listed.result_cut, listed.orphaned) == (False, False, False)


@pytest.mark.parametrize(("seconds", "orphaned"), [(29, False), (30, True), (1000, True)])
async def test_orphaned_active_task(
    inspector: Inspector, broker: Broker, clock: FixedClock, seconds: int, orphaned: bool
) -> None:
    """4.5: from the second its lease ends."""
    await place(broker, S.ACTIVE)
    clock.advance(seconds)
    [task] = (await inspector.list_tasks(Q, S.ACTIVE)).tasks
    assert task.orphaned is orphaned
    assert (await inspector.get_task(Q, "1")).orphaned is orphaned


async def test_active_task_without_lease(inspector: Inspector, redis_sync: Redis) -> None:
    """Trap 13: not orphaned in asynq's sense, but told."""
    fill(redis_sync, S.ACTIVE, ["1"])
    [task] = (await inspector.list_tasks(Q, S.ACTIVE)).tasks
    assert (task.lease_expires_at, task.orphaned) == (None, False)


BROKEN: dict[Problem, dict[Any, Any]] = {
    Problem.NO_HASH: {},
    Problem.NO_MESSAGE: {"state": "retry"},
    Problem.CORRUPT_MESSAGE: {"state": "retry", "msg": b"\x0a\xff"},
}


async def test_broken_tasks_do_not_break_the_page(inspector: Inspector, redis_sync: Redis) -> None:
    """Trap 12: each is shown as what it is, between sound ones."""
    ids = fill(redis_sync, S.RETRY, ["a", *BROKEN, "json", "long corrupt", "z"])
    for task_id, fields in [
        *BROKEN.items(),
        ("json", {"state": "retry", "msg": b'{"Type":"t"}'}),
        ("long corrupt", {"state": "retry", "msg": b"\xff" * 100_000}),
    ]:
        redis_sync.delete(keys.task(Q, task_id))
        if fields:
            redis_sync.hset(keys.task(Q, task_id), mapping=fields)
    before = everything(redis_sync)
    tasks = (await inspector.list_tasks(Q, S.RETRY)).tasks
    assert everything(redis_sync) == before
    assert ids_of(tasks) == ids
    corrupt = Problem.CORRUPT_MESSAGE
    assert [task.problem for task in tasks] == [None, *BROKEN, corrupt, corrupt, None]
    assert all((task.info is None) == (task.problem is not None) for task in tasks)
    assert {task.state for task in tasks} == {S.RETRY}
    for task in tasks:
        if task.problem is not Problem.NO_HASH:
            assert (await inspector.get_task(Q, task.id)) == task


@pytest.mark.parametrize(
    ("fields", "text"), [({"state": "stuck"}, "stuck"), ({"result": "x"}, ""), ({"state": b"\xff"}, "\ufffd")]
)
async def test_unknown_state_is_told(
    inspector: Inspector, redis_sync: Redis, fields: dict[Any, Any], text: str
) -> None:
    """Wire 8, rule 6: no failure; the word is shown. In a page the collection says the state."""
    fill(redis_sync, S.RETRY, ["1"])
    redis_sync.hdel(keys.task(Q, "1"), "state")
    redis_sync.hset(keys.task(Q, "1"), mapping=fields)
    task = await inspector.get_task(Q, "1")
    assert (task.state, task.state_text, task.problem) == (None, text, Problem.UNKNOWN_STATE)
    [listed] = (await inspector.list_tasks(Q, S.RETRY)).tasks
    assert (listed.state, listed.state_text, listed.problem) == (S.RETRY, text, None)


async def test_id_that_is_no_text(inspector: Inspector, redis_sync: Redis) -> None:
    """Foreign bytes in a collection are shown, not a crash."""
    fill(redis_sync, S.RETRY, ["1"])
    redis_sync.zadd(keys.retry(Q), {b"\xff\x00": T + 9})
    redis_sync.hset(b"asynq:{default}:t:\xff\x00", mapping={"msg": b"x" * 50_000, "state": "retry"})
    tasks = (await inspector.list_tasks(Q, S.RETRY)).tasks
    assert ids_of(tasks) == ["1", "\ufffd\x00"]


@pytest.mark.parametrize("size", [16_000, 17_000, 300_000, 5_000_000])
async def test_long_payload_and_result_are_cut(inspector: Inspector, redis_sync: Redis, size: int) -> None:
    """The limit decides what is given, the true lengths are told, all else is there."""
    payload, result = b"p" * size, b"r" * size
    fill(redis_sync, S.COMPLETED, ["1"], payload=payload, headers={"k": "v"}, max_retry=7)
    redis_sync.hset(keys.task(Q, "1"), "result", result)
    [listed] = (await inspector.list_tasks(Q, S.COMPLETED, payload_limit_bytes=1000)).tasks
    alone = await inspector.get_task(Q, "1", payload_limit_bytes=20_000)
    for task, limit in ((listed, 1000), (alone, 20_000)):
        assert task.info is not None
        assert (task.info.payload, task.info.result) == (payload[:limit], result[:limit])
        assert (task.payload_bytes, task.result_bytes) == (size, size)
        assert task.payload_cut is task.result_cut is (limit < size)
        assert (task.info.type, task.info.headers, task.info.max_retry) == ("t", {"k": "v"}, 7)
        assert task.message_bytes > size


async def test_message_beyond_all_measure_is_not_looked_into(inspector: Inspector, redis_sync: Redis) -> None:
    """Above 8 MiB even copying it inside Redis takes too long: its size is told."""
    fill(redis_sync, S.ARCHIVED, ["1"], payload=bytes(9 * 1024 * 1024))
    [task] = (await inspector.list_tasks(Q, S.ARCHIVED)).tasks
    assert (task.problem, task.payload_bytes) == (Problem.TOO_LONG, None)
    assert task.message_bytes > 9 * 1024 * 1024
    assert (await inspector.get_task(Q, "1")).problem is Problem.TOO_LONG


async def test_page_of_long_tasks_stays_small(inspector: Inspector, redis_sync: Redis) -> None:
    """100 tasks of 100 kB: what comes over the wire is bounded by the limit, not by the payloads."""
    fill(redis_sync, S.ARCHIVED, (str(n) for n in range(100)), payload=bytes(100_000))
    before = int(redis_sync.info("stats")["total_net_output_bytes"])
    page = await inspector.list_tasks(Q, S.ARCHIVED, size=100, payload_limit_bytes=100)
    sent = int(redis_sync.info("stats")["total_net_output_bytes"]) - before
    assert all(task.payload_cut and task.payload_bytes == 100_000 for task in page.tasks)
    assert sent < 100_000


def a_long_message(
    payload: bytes, error: str, headers: dict[str, str], unknown: bytes
) -> tuple[bytes, messages.TaskMessage]:
    """Bytes of a message, and the message."""
    message = a_task("1", payload=payload, headers=headers, unique_key="lock", group="g")
    message.error_msg = error
    return messages.encode(message) + unknown, message


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    payload=st.one_of(st.binary(max_size=300), st.integers(0, 40_000).map(bytes)),
    error=st.one_of(st.text(max_size=50), st.integers(0, 20_000).map(lambda n: "é中😀"[n % 3] * n)),
    headers=st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=5),
    limit=st.integers(0, 400),
)
@example(payload=b"", error="", headers={}, limit=0)
@example(payload=b"x", error="😀" * 20_000, headers={"k": "v" * 20_000}, limit=1)
def test_cut_message_is_the_message(
    redis_server: RedisServer, payload: bytes, error: str, headers: dict[str, str], limit: int
) -> None:
    """Whatever is cut where, the rest is what protobuf itself reads from the whole message."""
    data, message = a_long_message(payload, error, headers, b"\xaa\x06\x03abc")
    with redis_server.client() as sync:
        sync.flushall()
        sync.sadd(keys.QUEUES, Q)
        sync.hset(keys.task(Q, "1"), mapping={"msg": data, "state": "archived"})

    async def read() -> InspectedTask:
        async with AsyncRedis(port=redis_server.port) as client:
            return await Inspector(client).get_task(Q, "1", payload_limit_bytes=limit)

    task = asyncio.run(read())
    assert task.info is not None
    assert (task.info.payload, task.payload_bytes) == (payload[:limit], len(payload))
    assert (task.info.type, task.info.max_retry, task.info.group) == ("t", 25, "g")
    assert message.error_msg.startswith(task.info.last_error)
    if len(error.encode()) <= 16_384:
        assert task.info.last_error == error
    else:
        assert len(task.info.last_error.encode()) > 16_380
    if all(len(value) < 1000 for value in headers.values()):
        assert task.info.headers == headers


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), limit=st.integers(0, 20))
@example(data=b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", limit=0)
@example(data=b"\x12\x05ab", limit=1)
@example(data=b"\x0b\x0c", limit=0)
@example(data=b"\x08" * 100, limit=0)
def test_any_bytes_are_read_or_corrupt(redis_server: RedisServer, data: bytes, limit: int) -> None:
    """No bytes break the reading; what protobuf refuses is corrupt, what it takes is not made worse."""
    with redis_server.client() as sync:
        sync.flushall()
        sync.sadd(keys.QUEUES, Q)
        sync.zadd(keys.archived(Q), {"1": 1})
        sync.hset(keys.task(Q, "1"), mapping={"msg": data, "state": "archived"})

    async def read() -> tuple[InspectedTask, InspectedTask]:
        async with AsyncRedis(port=redis_server.port) as client:
            inspector = Inspector(client)
            page = await inspector.list_tasks(Q, S.ARCHIVED, payload_limit_bytes=limit)
            return await inspector.get_task(Q, "1", payload_limit_bytes=limit), page.tasks[0]

    alone, listed = asyncio.run(read())
    for task in (alone, listed):
        assert task.problem in {None, Problem.CORRUPT_MESSAGE, Problem.NO_MESSAGE}
        if task.info is not None:
            assert len(task.info.payload) == min(limit, task.payload_bytes or 0)


@pytest.mark.parametrize(
    "options",
    [
        {"page": 0},
        {"page": -1},
        {"page": 10**9 + 1},
        {"size": 0},
        {"size": 201},
        {"payload_limit_bytes": -1},
        {"payload_limit_bytes": 65_537},
        {"group": "g"},
        {"queue": " "},
        {"queue": "\udcff"},
        {"state": S.AGGREGATING},
        {"state": S.AGGREGATING, "group": "\t"},
    ],
)
async def test_page_that_cannot_be(inspector: Inspector, redis_sync: Redis, options: dict[str, Any]) -> None:
    """Asynq's odd answers to odd numbers (4.5) are refusals here."""
    fill(redis_sync, S.RETRY, ["1"])
    with pytest.raises(InvalidArgumentError):
        await inspector.list_tasks(**{"queue": Q, "state": S.RETRY, **options})


async def test_what_is_not_there(inspector: Inspector, redis_sync: Redis) -> None:
    """4.5, 4.6: unknown queues and tasks have their errors, an empty state and group an empty page."""
    fill(redis_sync, S.RETRY, ["1"])
    with pytest.raises(QueueNotFoundError):
        await inspector.list_tasks("nowhere", S.RETRY)
    with pytest.raises(QueueNotFoundError):
        await inspector.get_task("nowhere", "1")
    with pytest.raises(TaskNotFoundError):
        await inspector.get_task(Q, "2")
    for state in set(S) - {S.RETRY}:
        page = await inspector.list_tasks(Q, state, group=GROUP_OF[state])
        assert (page.tasks, page.total) == ([], 0)


async def test_task_is_found_in_all_queues_by_id_alone(
    inspector: Inspector, broker: Broker, redis_sync: Redis
) -> None:
    """Trap 24: IDs are unique per queue; each holder is told, in whatever state."""
    await broker.schedule(a_task("same", queue="b"), process_at=T + 60)
    await broker.enqueue(a_task("same", queue="a:{x}"))
    await broker.enqueue(a_task("other", queue="c"))
    redis_sync.sadd(keys.QUEUES, *(f"empty-{n}" for n in range(1200)), b"\xff")
    found = await inspector.find_task("same")
    assert [(task.queue, task.state) for task in found] == [("a:{x}", S.PENDING), ("b", S.SCHEDULED)]
    assert await inspector.find_task("nobody") == []
    with pytest.raises(InvalidArgumentError):
        await inspector.find_task(" ")


async def test_reading_writes_nothing(inspector: Inspector, broker: Broker, redis_sync: Redis) -> None:
    """Every read leaves the database as it was."""
    for state in S:
        await place(broker, state, f"in-{state}")
        if state is S.PENDING:
            redis_sync.delete(keys.pending(Q))
    redis_sync.zadd(keys.SERVERS, {"asynq:servers:{gone}": T - 100})
    before = everything(redis_sync)
    for state in S:
        await inspector.list_tasks(Q, state, group=GROUP_OF[state])
        await inspector.get_task(Q, f"in-{state}")
    await inspector.find_task("in-retry")
    await inspector.queues()
    await inspector.queue_info(Q)
    await inspector.history(Q, 90)
    await inspector.memory_usage_bytes(Q)
    await inspector.groups(Q)
    await inspector.aggregation_sets(Q)
    await inspector.servers()
    await inspector.scheduler_entries()
    assert everything(redis_sync) == before
