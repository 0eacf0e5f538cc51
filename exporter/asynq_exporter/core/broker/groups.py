"""Operations on groups of tasks that are aggregated into one (wire sections 3.18-3.21)."""

import uuid
from dataclasses import dataclass

from asynq_exporter.core import keys, messages
from asynq_exporter.core.broker.base import Operations, asynq_errors
from asynq_exporter.core.errors import NotFoundError
from asynq_exporter.core.messages import TaskMessage

#: How long an aggregator has for a set before its tasks go back to the group.
AGGREGATION_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregationSet:
    """Tasks taken out of a group to become one."""

    tasks: list[TaskMessage]
    #: Unix seconds by which the set must be deleted.
    deadline: float


class Groups(Operations):
    """What an aggregator does."""

    async def aggregation_check(
        self,
        queue: str,
        group: str,
        *,
        max_size: int = 0,
        max_delay_seconds: float = 0,
        grace_seconds: float = 60,
    ) -> str | None:
        """Takes tasks out of a group that is full, has waited too long or is quiet.

        Returns the ID of their set, None when the group goes on waiting.
        A size or delay of 0 is no limit; seconds lose their fraction.
        """
        set_id = str(uuid.uuid4())
        now = self._now_seconds()
        taken: int = await self._run(
            "aggregation_check",
            (
                keys.group(queue, group),
                keys.aggregation_set(queue, group, set_id),
                keys.aggregation_sets(queue),
                keys.groups(queue),
            ),
            max_size,
            int(max_delay_seconds),
            int(grace_seconds),
            now,
            now + AGGREGATION_SECONDS,
            group,
        )
        return set_id if taken else None

    async def read_aggregation_set(self, queue: str, group: str, set_id: str) -> AggregationSet:
        """The tasks of a set, the one that waited longest first; one without data is an empty message.

        Raises:
            NotFoundError: the set is not registered: deleted, or taken back.
            CorruptMessageError: one of them is no message of asynq.
        """
        key = keys.aggregation_set(queue, group, set_id)
        found: list[bytes | None] = await self._run("read_aggregation_set", (key,), keys.task_prefix(queue))
        with asynq_errors():
            deadline: float | None = await self._redis.zscore(keys.aggregation_sets(queue), key)
        if deadline is None:
            raise NotFoundError(f"aggregation set {set_id} of group {group!r} is not registered")
        return AggregationSet(tasks=[messages.decode_task(data or b"") for data in found], deadline=deadline)

    async def delete_aggregation_set(self, queue: str, group: str, set_id: str) -> None:
        """Deletes a set and its tasks after they became one; their locks stay and nothing is counted."""
        await self._run(
            "delete_aggregation_set",
            (keys.aggregation_set(queue, group, set_id), keys.aggregation_sets(queue)),
            keys.task_prefix(queue),
        )

    async def reclaim_stale_aggregation_sets(self, queue: str) -> int:
        """Puts the tasks of sets past their deadline back into their groups; the number of sets.

        The group is not listed again, so its tasks wait until another one joins (trap 10).
        """
        count: int = await self._run(
            "reclaim_stale_aggregation_sets", (keys.aggregation_sets(queue),), self._now_seconds()
        )
        return count
