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
    """Tasks in the groups of a queue; a lower bound when it has more than MAX_GROUPS."""
    groups = numbers["groups"]
    return sum(await sizes(ask, queue, await group_names(ask, queue, groups))) if groups else 0


async def group_names(ask: Ask, queue: str, count: int) -> list[bytes]:
    """At most MAX_GROUPS group names; in the order of SMEMBERS, which is upstream's, when that is bounded."""
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
