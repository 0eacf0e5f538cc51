"""Whether both sides say, and leave, the same."""

import base64
from typing import Any

import redis.asyncio

from asynq_exporter.core import TaskState, messages
from asynq_exporter.core.inspector import InspectedTask, Inspector
from asynq_exporter.core.messages import NANOSECONDS
from tests.interop.golang import Json


def seconds(moment: int | None) -> float | None:
    """Go's nanoseconds as seconds."""
    return None if moment is None else moment / NANOSECONDS


def theirs(task: Json) -> dict[str, Any]:
    """A task as Go tells it, in our words; the next time of a pending task is now on both sides."""
    now = task["state"] == "pending"
    return {
        **{name: task[name] for name in ("id", "queue", "type", "state", "max_retry", "retried", "group")},
        "payload": base64.b64decode(task["payload"] or ""),
        "result": base64.b64decode(task["result"] or ""),
        "headers": task["headers"] or {},
        "last_error": task["last_err"],
        "timeout_seconds": task["timeout"] // NANOSECONDS,
        "retention_seconds": task["retention"] // NANOSECONDS,
        **{name: seconds(task[name]) for name in ("last_failed_at", "deadline", "completed_at")},
        "next_process_at": "now" if now else seconds(task["next_process_at"]),
        "orphaned": task["is_orphaned"],
    }


def told(task: InspectedTask) -> dict[str, Any]:
    """The same of a task of ours."""
    info = task.info
    assert info is not None
    return {
        **{name: getattr(info, name) for name in ("id", "queue", "type", "max_retry", "retried", "group")},
        **{name: getattr(info, name) for name in ("payload", "result", "last_error", "timeout_seconds")},
        **{name: getattr(info, name) for name in ("retention_seconds", "last_failed_at", "deadline")},
        "completed_at": info.completed_at,
        "state": str(info.state),
        "headers": dict(info.headers),
        "next_process_at": "now" if info.state is TaskState.PENDING else info.next_process_at,
        "orphaned": task.orphaned,
    }


async def pages(
    inspector: Inspector, queue: str, state: TaskState, group: str, size: int
) -> list[InspectedTask]:
    """All tasks of a state, page by page."""
    found: list[InspectedTask] = []
    page = 1
    while tasks := (await inspector.list_tasks(queue, state, group=group, page=page, size=size)).tasks:
        found += tasks
        page += 1
    return found


async def all_tasks(inspector: Inspector, queue: str, state: TaskState, size: int) -> list[InspectedTask]:
    """As the Go program does it: group after group by name."""
    if state is not TaskState.AGGREGATING:
        return await pages(inspector, queue, state, "", size)
    groups = (await inspector.groups(queue)).groups
    return [task for group in groups for task in await pages(inspector, queue, state, group.name, size)]


async def same_tasks(inspector: Inspector, report: Json, *, size: int = 200) -> int:
    """Compares every task of every state and queue, in order; how many."""
    compared = 0
    for queue, found in report["queues"].items():
        for state in TaskState:
            tasks = await all_tasks(inspector, queue, state, size)
            assert list(map(told, tasks)) == list(map(theirs, found["tasks"][state])), (queue, state)
            compared += len(tasks)
    return compared


#: One side writes a moment after the other, perhaps across the turn of a second.
SLACK_SECONDS = 5


async def dump(client: "redis.asyncio.Redis") -> dict[Any, Any]:
    """Everything in a database; strings with the time they have left."""
    found: dict[Any, Any] = {}
    for key in sorted(await client.keys("*")):
        kind = await client.type(key)
        if kind == b"string":
            found[key] = (await client.get(key), await client.ttl(key))
        elif kind == b"list":
            found[key] = await client.lrange(key, 0, -1)
        elif kind == b"set":
            found[key] = await client.smembers(key)
        elif kind == b"zset":
            scored: list[Any] = await client.zrange(key, 0, -1, withscores=True)
            found[key] = dict(scored)
        else:
            found[key] = await client.hgetall(key)
    return found


def alike(theirs: Any, ours: Any) -> bool:
    """Equal, but for moments, which may differ by the time between two writes."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return theirs.keys() == ours.keys() and all(
            _fields_alike(key, theirs[key], ours[key]) for key in theirs
        )
    if isinstance(theirs, list | tuple) and isinstance(ours, list | tuple):
        return len(theirs) == len(ours) and all(map(alike, theirs, ours))
    if isinstance(theirs, int | float) and isinstance(ours, int | float):
        return abs(theirs - ours) <= SLACK_SECONDS
    return bool(theirs == ours)


def _fields_alike(key: Any, theirs: Any, ours: Any) -> bool:
    if key == b"pending_since":
        return abs(int(theirs) - int(ours)) <= SLACK_SECONDS * NANOSECONDS
    if key == b"msg":
        return _messages_alike(theirs, ours)
    return alike(theirs, ours)


def _messages_alike(theirs: bytes, ours: bytes) -> bool:
    """Equal to the byte, but for the moments in a message and the order of headers, random in Go."""
    a, b = messages.decode_task(theirs), messages.decode_task(ours)
    if not a.last_failed_at and not a.completed_at and len(a.headers) < 2:
        return theirs == ours
    for moment in ("last_failed_at", "completed_at"):
        if abs(getattr(a, moment) - getattr(b, moment)) > SLACK_SECONDS:
            return False
        setattr(b, moment, getattr(a, moment))
    return a == b


#: What differs between two reports of the same data read one after the other.
CLOCKS = {"timestamp", "latency", "next_process_at", "last_failed_at", "completed_at"}


def without_clocks(value: Json) -> Json:
    """A report of the Inspector without moments."""
    if isinstance(value, dict):
        return {key: without_clocks(one) for key, one in value.items() if key not in CLOCKS}
    return [without_clocks(one) for one in value] if isinstance(value, list) else value
