"""Searching by type and error text, a bounded stretch at a time."""

import asyncio
import base64
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from asynq_exporter.core import TaskState, keys
from asynq_exporter.core.errors import InvalidArgumentError, QueueNotFoundError
from asynq_exporter.core.inspector import Inspector, TaskFilter
from asynq_exporter.core.messages import encode
from tests.conftest import RedisServer
from tests.core.inspector.placing import GROUP_OF, LISTS, PLACE, fill
from tests.core.queue_state import Q, T, a_task

S = TaskState

EVERYTHING = TaskFilter()


def mark(redis: Redis, task_id: str, *, type_: str = "t", error: str = "") -> None:
    """Gives a task another type and error."""
    message = a_task(task_id)
    message.type, message.error_msg = type_, error
    redis.hset(keys.task(Q, task_id), "msg", encode(message))


async def search_all(
    inspector: Inspector, state: TaskState, wanted: TaskFilter, **options: Any
) -> tuple[list[str], list[int]]:
    """IDs found by following the cursor to the end, and what each call scanned."""
    found: list[str] = []
    scanned: list[int] = []
    cursor = None
    while True:
        page = await inspector.search_tasks(Q, state, wanted, group=GROUP_OF[state], cursor=cursor, **options)
        found += [task.id for task in page.tasks]
        scanned.append(page.scanned)
        cursor = page.cursor
        if cursor is None:
            return found, scanned


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (TaskFilter(), ["0", "1", "2", "3", "4", "ghost"]),
        (TaskFilter(type="mail:send"), ["1"]),
        (TaskFilter(type="mail:*"), ["1", "2"]),
        (TaskFilter(type="*"), ["0", "1", "2", "3", "4"]),
        (TaskFilter(type="mail"), []),
        (TaskFilter(error="TIMEOUT"), ["2", "3"]),
        (TaskFilter(error="straße"), ["4"]),
        (TaskFilter(error="STRASSE"), ["4"]),
        (TaskFilter(type="mail:*", error="timeout"), ["2"]),
        (TaskFilter(error=".*"), []),
    ],
)
async def test_filter(inspector: Inspector, redis_sync: Redis, wanted: TaskFilter, found: list[str]) -> None:
    """The whole type or its beginning, a part of the error in any case; plain text, no patterns."""
    fill(redis_sync, S.RETRY, ["0", "1", "2", "3", "4"])
    mark(redis_sync, "1", type_="mail:send")
    mark(redis_sync, "2", type_="mail:read", error="context Timeout exceeded")
    mark(redis_sync, "3", error="timeout")
    mark(redis_sync, "4", error="in der Straße")
    redis_sync.zadd(keys.retry(Q), {"ghost": T + 99})
    assert (await search_all(inspector, S.RETRY, wanted))[0] == found


@pytest.mark.parametrize("state", S)
async def test_search_goes_through_a_state_in_its_order(
    inspector: Inspector, redis_sync: Redis, state: TaskState
) -> None:
    """In the order of the pages, over pages and budgets, each task once."""
    ids = fill(redis_sync, state, (f"{n:04}" for n in range(1001)))
    for task_id in ids[::7]:
        mark(redis_sync, task_id, type_="seventh")
    found, scanned = await search_all(inspector, state, TaskFilter(type="seventh"), size=200, budget=300)
    assert found == ids[::7]
    assert scanned == [300, 300, 300, 101]
    found, scanned = await search_all(inspector, state, EVERYTHING, size=200)
    assert (found, sum(scanned)) == (ids, 1001)


async def test_budget_bounds_a_call(inspector: Inspector, redis_sync: Redis) -> None:
    """Nothing found is an answer with a cursor, not a long search."""
    fill(redis_sync, S.RETRY, (f"{n:04}" for n in range(500)))
    page = await inspector.search_tasks(Q, S.RETRY, TaskFilter(type="none"), budget=250)
    assert (page.tasks, page.scanned, page.total) == ([], 250, 500)
    assert page.cursor is not None


async def test_full_page_ends_the_call(inspector: Inspector, redis_sync: Redis) -> None:
    """What was not looked at is not counted, and the next call begins there."""
    ids = fill(redis_sync, S.RETRY, (f"{n:04}" for n in range(50)))
    page = await inspector.search_tasks(Q, S.RETRY, EVERYTHING, size=20)
    assert ([task.id for task in page.tasks], page.scanned) == (ids[:20], 20)
    page = await inspector.search_tasks(Q, S.RETRY, EVERYTHING, size=30, cursor=page.cursor)
    assert ([task.id for task in page.tasks], page.cursor) == (ids[20:], None)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), state=st.sampled_from([S.RETRY, S.PENDING]), spread=st.sampled_from([1, 7, 1000]))
def test_no_staying_task_is_missed(
    redis_server: RedisServer, data: st.DataObject, state: TaskState, spread: int
) -> None:
    """Tasks that come and go between two calls hide none that stays; a sorted set shows none twice either."""
    ids = [f"{n:03}" for n in range(60)]
    with redis_server.client() as sync:
        sync.flushall()
        fill(sync, state, ids)
        if state not in LISTS:
            sync.zadd(PLACE[state], {task_id: n // spread for n, task_id in enumerate(ids)})
        gone: set[str] = set()
        seen: list[str] = []

        def disturb() -> None:
            leaving = data.draw(st.lists(st.sampled_from(ids), max_size=10))
            gone.update(leaving)
            new_ids = st.integers(0, 59).map(lambda n: f"{n:03}+")
            new = data.draw(st.lists(new_ids, max_size=3, unique=True))
            if state in LISTS:
                # Workers take from the tail; somebody deletes anywhere.
                for task_id in sync.rpop(PLACE[state], data.draw(st.integers(1, 5))) or []:
                    gone.add(task_id.decode())
                for task_id in leaving:
                    sync.lrem(PLACE[state], 0, task_id)
                if new:
                    sync.lpush(PLACE[state], *new)
            else:
                if leaving:
                    sync.zrem(PLACE[state], *leaving)
                for task_id in new:
                    sync.zadd(PLACE[state], {task_id: int(task_id[:3]) // spread})

        async def search() -> None:
            async with AsyncRedis(port=redis_server.port) as client:
                cursor = None
                for _ in range(200):
                    page = await Inspector(client).search_tasks(
                        Q, state, EVERYTHING, cursor=cursor, size=data.draw(st.integers(1, 12))
                    )
                    seen.extend(task.id for task in page.tasks)
                    cursor = page.cursor
                    if cursor is None:
                        return
                    disturb()

        asyncio.run(search())
    assert set(ids) - gone <= set(seen)
    if state not in LISTS:
        old = [task_id for task_id in seen if task_id in ids]
        assert len(old) == len(set(old))


async def test_list_that_moved_far_goes_on_where_it_can(inspector: Inspector, redis_sync: Redis) -> None:
    """Within 5,000 tasks that left the place is found again; when all that was read left, none is skipped."""
    ids = fill(redis_sync, S.PENDING, (f"{n:05}" for n in range(9_000)))
    page = await inspector.search_tasks(Q, S.PENDING, TaskFilter(type="none"), budget=6_000)
    redis_sync.rpop(keys.pending(Q), 4_000)
    near = await inspector.search_tasks(Q, S.PENDING, EVERYTHING, size=1, cursor=page.cursor)
    assert [task.id for task in near.tasks] == [ids[6_000]]
    redis_sync.rpop(keys.pending(Q), 4_990)
    far = await inspector.search_tasks(Q, S.PENDING, EVERYTHING, cursor=page.cursor)
    assert [task.id for task in far.tasks] == ids[8_990:]


NO_CURSORS = [
    *(b"", b"\xff", b"[]", b"{}", b"[1,2]", b"[[[", b"[" * 100_000),
    *(b'[1,"zz","1"]', b'[1,"","1"]', b'[1,5,"1"]'),
    *(b'[-1,"31","1"]', b'["a","31","1"]', b'[1e99,"31","1"]', b'[1e999,"31","1"]', b'[null,"31","1"]'),
    *(b'[1,"31","x"]', b'[1,"31",""]', b'[1,"31","nan"]', b'[1,"31",[]]'),
]


@pytest.mark.parametrize(
    "cursor", ["", "x", "????", "é", *(base64.urlsafe_b64encode(text).decode() for text in NO_CURSORS)]
)
async def test_cursor_of_something_else_is_refused(
    inspector: Inspector, redis_sync: Redis, cursor: str
) -> None:
    """Whatever a client sends there is an invalid argument, never an error of Redis or of Python."""
    fill(redis_sync, S.RETRY, ["1"])
    with pytest.raises(InvalidArgumentError, match="no cursor"):
        await inspector.search_tasks(Q, S.RETRY, EVERYTHING, cursor=cursor)


async def test_cursor_belongs_to_its_kind_of_state(inspector: Inspector, redis_sync: Redis) -> None:
    """That of a list says nothing about a sorted set, and the other way round."""
    for state in (S.PENDING, S.RETRY):
        fill(redis_sync, state, (f"{state}-{n}" for n in range(5)))
    of_list = (await inspector.search_tasks(Q, S.PENDING, EVERYTHING, size=1)).cursor
    of_set = (await inspector.search_tasks(Q, S.RETRY, EVERYTHING, size=1)).cursor
    for state, cursor in ((S.RETRY, of_list), (S.PENDING, of_set)):
        with pytest.raises(InvalidArgumentError, match="no cursor"):
            await inspector.search_tasks(Q, state, EVERYTHING, cursor=cursor)


@pytest.mark.parametrize(
    "options", [{"size": 0}, {"size": 201}, {"budget": 0}, {"budget": 20_001}, {"payload_limit_bytes": -1}]
)
async def test_numbers_out_of_range(inspector: Inspector, redis_sync: Redis, options: dict[str, int]) -> None:
    """A page, a budget and a limit have bounds."""
    fill(redis_sync, S.RETRY, ["1"])
    with pytest.raises(InvalidArgumentError):
        await inspector.search_tasks(Q, S.RETRY, EVERYTHING, **options)  # type: ignore[arg-type]
    with pytest.raises(QueueNotFoundError):
        await inspector.search_tasks("nowhere", S.RETRY, EVERYTHING)
