"""How many tasks wait in the groups of each queue, over a bounded number of groups."""

from collections.abc import Mapping
from typing import Any

from asynq_exporter.core import keys
from asynq_exporter.scan.background.reader import Ask
from asynq_exporter.scan.commands import pack
from asynq_exporter.scan.pipe import Reply, ReplyError

#: Groups of one queue that are counted; beyond that the sum is a lower bound and says so.
MAX_GROUPS = 1000


async def collect(ask: Ask, queue: str, numbers: Mapping[str, Any]) -> int:
    """Tasks in the groups of a queue; extrapolated when it has more than MAX_GROUPS."""
    return await total(ask, queue, await group_names(ask, queue, numbers["groups"]), numbers["groups"])


async def total(ask: Ask, queue: str, names: list[bytes], count: int | None) -> int:
    """Tasks in all groups of a queue, from the sizes of some of them."""
    counted = sum(await sizes(ask, queue, names))
    return round(counted * count / len(names)) if names and count else 0


async def group_names(ask: Ask, queue: str, count: int | None) -> list[bytes]:
    """At most MAX_GROUPS group names; all of them, in upstream's order, when there are no more."""
    if not count:
        return []
    if count <= MAX_GROUPS:
        members = checked(await ask([pack("SMEMBERS", keys.groups(queue))]))[0]
        return list(members)[:MAX_GROUPS]
    _, page = checked(await ask([pack("SSCAN", keys.groups(queue), 0, "COUNT", MAX_GROUPS)]))[0]
    return list(page)[:MAX_GROUPS]


async def sizes(ask: Ask, queue: str, names: list[bytes]) -> list[int]:
    """Tasks in each of some groups."""
    prefix = keys.group_prefix(queue).encode("utf-8", "surrogateescape")
    return checked(await ask([pack("ZCARD", prefix + name) for name in names]))


def checked(replies: list[Reply]) -> list[Reply]:
    """The replies, unless one of them is an error.

    Raises:
        ReplyError: the first of them.
    """
    for reply in replies:
        if type(reply) is ReplyError:
            raise reply
    return replies
