"""How much memory the tasks of a queue take, from a sample (wire section 4.3)."""

from collections.abc import Sequence

from asynq_exporter.core import keys
from asynq_exporter.core.inspector.base import LIST_STATES, Inspection, collection
from asynq_exporter.core.states import TaskState

#: Tasks weighed in each collection, and groups, as asynq does it.
SAMPLED_TASKS = 20
SAMPLED_GROUPS = 5

#: Groups whose tasks are counted; those of further ones weigh nothing here.
COUNTED_GROUPS = 1_000


class Memory(Inspection):
    """Weighs queues."""

    async def memory_usage_bytes(self, queue: str) -> int:
        """About how many bytes the tasks of a queue take, reckoned as asynq does from 20 tasks in each state.

        An ID without a hash weighs nothing, as in asynq after 0.26.0. Raises QueueNotFoundError.
        """
        await self._require_queue(queue)
        usage = 0.0
        for state in TaskState:
            if state is not TaskState.AGGREGATING:
                usage += await self._weigh(queue, state)
        return int(usage + await self._weigh_groups(queue))

    async def _weigh(self, queue: str, state: TaskState) -> float:
        key = collection(queue, state, "")
        length, slice_ = ("LLEN", "LRANGE") if state in LIST_STATES else ("ZCARD", "ZRANGE")
        size, ids, own = await self._pipeline(
            [(length, key), (slice_, key, 0, SAMPLED_TASKS - 1), ("MEMORY USAGE", key)]
        )
        return await self._mean(queue, ids) * int(size) + int(own or 0)

    async def _weigh_groups(self, queue: str) -> float:
        """The tasks of all groups; the sets of these are not added."""
        # Of a smaller set all, in the order that asynq sees.
        [names] = await self._pipeline([("SRANDMEMBER", keys.groups(queue), COUNTED_GROUPS)])
        groups = [keys.group_prefix(queue).encode() + name for name in names]
        sizes = await self._pipeline([("ZCARD", group) for group in groups])
        samples = await self._pipeline(
            [("ZRANGE", group, 0, SAMPLED_TASKS - 1) for group in groups[:SAMPLED_GROUPS]]
        )
        total: int = sum(sizes)
        return total * await self._mean(queue, [task_id for ids in samples for task_id in ids])

    async def _mean(self, queue: str, ids: Sequence[bytes]) -> float:
        prefix = keys.task_prefix(queue).encode()
        weights = await self._pipeline([("MEMORY USAGE", prefix + task_id) for task_id in ids])
        total: int = sum(weight or 0 for weight in weights)
        return total / max(len(ids), 1)
