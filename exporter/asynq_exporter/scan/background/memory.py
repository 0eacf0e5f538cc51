"""About how much memory a queue takes in Redis: a few tasks of each state, measured and extrapolated."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asynq_exporter.core import keys
from asynq_exporter.scan.background import groups
from asynq_exporter.scan.background.reader import Ask
from asynq_exporter.scan.commands import pack
from asynq_exporter.scan.pipe import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How many tasks are measured."""

    #: Tasks of one state, and of one group.
    tasks: int
    #: Groups of a queue.
    groups: int


#: Enough for a trend, at a seventh of upstream's cost.
LIGHT = Sampling(tasks=3, groups=2)

#: As the upstream exporter does it (wire section 4.3).
UPSTREAM = Sampling(tasks=20, groups=5)

#: State -> its key, and the command that lists its first members.
STATES: dict[str, tuple[Callable[[str], str], str]] = {
    "active": (keys.active, "LRANGE"),
    "pending": (keys.pending, "LRANGE"),
    "scheduled": (keys.scheduled, "ZRANGE"),
    "retry": (keys.retry, "ZRANGE"),
    "archived": (keys.archived, "ZRANGE"),
    "completed": (keys.completed, "ZRANGE"),
}


async def collect(ask: Ask, queue: str, numbers: Mapping[str, Any], sampling: Sampling = LIGHT) -> int:
    """Estimated bytes of one queue: keys of the states, and mean task size times number of tasks."""
    requests = []
    for key_of, listing in STATES.values():
        key = key_of(queue)
        count = "LLEN" if listing == "LRANGE" else "ZCARD"
        requests += [
            pack("MEMORY", "USAGE", key),
            pack(count, key),
            pack(listing, key, 0, sampling.tasks - 1),
        ]
    replies = groups.checked(await ask(requests))
    total = 0.0
    for own, count, task_ids in zip(replies[0::3], replies[1::3], replies[2::3], strict=True):
        total += (own or 0) + await _mean_task_bytes(ask, queue, task_ids) * count
    if numbers["groups"]:
        total += await _groups_bytes(ask, queue, numbers["groups"], sampling)
    return int(total)


async def _groups_bytes(ask: Ask, queue: str, group_count: int, sampling: Sampling) -> float:
    names = await groups.group_names(ask, queue, group_count)
    total = await groups.total(ask, queue, names, group_count)
    prefix = keys.group_prefix(queue).encode("utf-8", "surrogateescape")
    requests = [pack("ZRANGE", prefix + name, 0, sampling.tasks - 1) for name in names[: sampling.groups]]
    task_ids = [task_id for ids in groups.checked(await ask(requests)) for task_id in ids]
    return await _mean_task_bytes(ask, queue, task_ids) * total


async def _mean_task_bytes(ask: Ask, queue: str, task_ids: list[bytes]) -> float:
    if not task_ids:
        return 0.0
    prefix = keys.task_prefix(queue).encode("utf-8", "surrogateescape")
    requests = [pack("MEMORY", "USAGE", prefix + task_id) for task_id in task_ids]
    sizes: list[Reply] = groups.checked(await ask(requests))
    # A task without a hash takes nothing; upstream's script fails on it.
    return sum(size or 0 for size in sizes) / len(sizes)
