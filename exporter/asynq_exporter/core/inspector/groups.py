"""Groups of tasks that wait to become one, and sets that are becoming one (wire sections 4.2 and 3.18)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asynq_exporter.core import keys, messages
from asynq_exporter.core.broker.base import asynq_errors
from asynq_exporter.core.inspector.base import Inspection, check_range, check_text

#: Groups that one page begins at, and the most it may be asked for.
GROUPS_PAGE_SIZE = 1_000
MAX_GROUPS_PAGE_SIZE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group and how many tasks wait in it."""

    name: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPage:
    """Some groups of a queue."""

    #: In the order of their names.
    groups: list[Group]
    #: To be handed to the next call; 0 when the end is reached.
    cursor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregationSetInfo:
    """Tasks of a group that are being aggregated."""

    group: str
    set_id: str
    size: int
    #: Unix second after which they go back to the group.
    deadline: float


class Groups(Inspection):
    """Reads groups."""

    async def groups(self, queue: str, *, cursor: int = 0, count: int = GROUPS_PAGE_SIZE) -> GroupPage:
        """About `count` groups with their sizes; all of them when there are no more than that.

        Going on with the cursor shows every group that stays, now and then one twice. An unknown queue has
        none. A group with tasks can be missing from the list that asynq keeps (wire trap 10).

        Raises:
            InvalidArgumentError: a blank name, a number out of range.
        """
        check_text(queue, what="queue name")
        check_range(count, what="number of groups", low=1, high=MAX_GROUPS_PAGE_SIZE)
        check_range(cursor, what="cursor", low=0, high=2**64 - 1)
        key = keys.groups(queue)
        [[following, names]] = await self._pipeline([("SSCAN", key, cursor, "COUNT", count)])
        names = sorted(set(names))
        prefix = keys.group_prefix(queue).encode()
        sizes = await self._sizes([prefix + name for name in names])
        groups = [
            Group(name=messages.clean_text(name), size=size) for name, size in zip(names, sizes, strict=True)
        ]
        return GroupPage(groups=groups, cursor=int(following))

    async def aggregation_sets(
        self, queue: str, *, count: int = GROUPS_PAGE_SIZE
    ) -> list[AggregationSetInfo]:
        """Sets being aggregated, the earliest deadline first, `count` at most.

        Their tasks are in no other number.

        Raises:
            InvalidArgumentError: a blank name, a number out of range.
        """
        check_text(queue, what="queue name")
        check_range(count, what="number of sets", low=1, high=MAX_GROUPS_PAGE_SIZE)
        with asynq_errors():
            found: Any = await self._redis.zrange(keys.aggregation_sets(queue), 0, count - 1, withscores=True)
        sizes = await self._sizes([key for key, _ in found])
        return [
            _aggregation_set(queue, key, size, deadline)
            for (key, deadline), size in zip(found, sizes, strict=True)
        ]

    async def _sizes(self, sets: Sequence[bytes]) -> list[int]:
        return await self._pipeline([("ZCARD", key) for key in sets])


def _aggregation_set(queue: str, key: bytes, size: int, deadline: float) -> AggregationSetInfo:
    # The ID has no colon, a group may have some (wire section 1.2).
    group, _, set_id = messages.clean_text(key).removeprefix(keys.group_prefix(queue)).rpartition(":")
    return AggregationSetInfo(group=group, set_id=set_id, size=size, deadline=deadline)
