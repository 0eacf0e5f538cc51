"""Which types of task a queue holds: a bounded sample of each state."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from asynq_exporter.core import keys, messages
from asynq_exporter.core.errors import CorruptMessageError
from asynq_exporter.scan.background import groups
from asynq_exporter.scan.background.reader import Ask
from asynq_exporter.scan.commands import pack
from asynq_exporter.scan.snapshot import TypeCount

#: Tasks looked at in each state.
SAMPLE = 20

#: Types told apart in each state; the rarer ones are `other`.
TOP = 10
OTHER = "other"

#: Messages larger than this are not fetched for the sake of their type.
MAX_MESSAGE_BYTES = 65_536
OVERSIZED = "oversized"
CORRUPT = "corrupt"

MAX_TYPE_CHARACTERS = 100

#: State -> how its next tasks are listed.
LISTINGS: dict[str, Callable[[str], bytes]] = {
    "pending": lambda q: pack("LRANGE", keys.pending(q), -SAMPLE, -1),
    "active": lambda q: pack("LRANGE", keys.active(q), -SAMPLE, -1),
    "scheduled": lambda q: pack("ZRANGE", keys.scheduled(q), 0, SAMPLE - 1),
    "retry": lambda q: pack("ZRANGE", keys.retry(q), 0, SAMPLE - 1),
    "archived": lambda q: pack("ZRANGE", keys.archived(q), -SAMPLE, -1),
}


async def collect(ask: Ask, queue: str, numbers: Mapping[str, Any]) -> list[TypeCount]:
    """The types of the sampled tasks of a queue, by state."""
    counts: list[TypeCount] = []
    for state, listing in LISTINGS.items():
        if numbers[state]:
            task_ids = groups.checked(await ask([listing(queue)]))[0]
            counts += _top(queue, state, await _types(ask, queue, task_ids))
    return counts


async def _types(ask: Ask, queue: str, task_ids: list[bytes]) -> Counter[str]:
    prefix = keys.task_prefix(queue).encode("utf-8", "surrogateescape")
    task_keys = [prefix + task_id for task_id in task_ids]
    lengths = groups.checked(await ask([pack("HSTRLEN", key, "msg") for key in task_keys]))
    small = [key for key, length in zip(task_keys, lengths, strict=True) if 0 < length <= MAX_MESSAGE_BYTES]
    found = groups.checked(await ask([pack("HGET", key, "msg") for key in small]))
    types = Counter(_type(data) for data in found if data is not None)
    if oversized := sum(length > MAX_MESSAGE_BYTES for length in lengths):
        types[OVERSIZED] = oversized
    return types


def _type(data: bytes) -> str:
    try:
        return messages.decode_task(data).type[:MAX_TYPE_CHARACTERS]
    except CorruptMessageError:
        return CORRUPT


def _top(queue: str, state: str, types: Counter[str]) -> list[TypeCount]:
    top = dict(types.most_common(TOP))
    if rest := types.total() - sum(top.values()):
        top[OTHER] = top.get(OTHER, 0) + rest
    return [TypeCount(queue=queue, state=state, task_type=name, count=count) for name, count in top.items()]
