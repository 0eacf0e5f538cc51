"""Operations on queues: move what is due, delete what is over, pause (wire sections 3.14, 3.15, 3.28)."""

from collections.abc import Iterable

from asynq_exporter.core import keys
from asynq_exporter.core.broker.base import Operations, asynq_errors
from asynq_exporter.core.errors import FailedPreconditionError
from asynq_exporter.core.messages import NANOSECONDS

#: Tasks that one script call moves or deletes at most, so that it does not block Redis.
BATCH_SIZE = 100


class Queues(Operations):
    """The upkeep of queues."""

    async def forward(self, queues: Iterable[str]) -> int:
        """Moves all tasks that are due to pending, or back into their group; how many."""
        moved = 0
        for queue in queues:
            for source in (keys.scheduled(queue), keys.retry(queue)):
                while count := await self._forward_batch(queue, source):
                    moved += count
        return moved

    async def delete_expired_completed(self, queue: str, *, batch_size: int = BATCH_SIZE) -> int:
        """Deletes all kept successes whose retention is over; how many."""
        deleted = 0
        while count := await self._run(
            "delete_expired_completed",
            (keys.completed(queue),),
            self._now_seconds(),
            keys.task_prefix(queue),
            batch_size,
        ):
            deleted += int(count)
        return deleted

    async def pause(self, queue: str) -> None:
        """Stops the queue from handing out tasks; raises FailedPreconditionError when it is paused."""
        with asynq_errors():
            done = await self._redis.set(keys.paused(queue), self._now_seconds(), nx=True)
        if not done:
            raise FailedPreconditionError(f"queue {queue!r} is already paused")

    async def unpause(self, queue: str) -> None:
        """Lets the queue hand out tasks again; raises FailedPreconditionError when it is not paused."""
        with asynq_errors():
            deleted = await self._redis.delete(keys.paused(queue))
        if not deleted:
            raise FailedPreconditionError(f"queue {queue!r} is not paused")

    async def _forward_batch(self, queue: str, source: str) -> int:
        now_ns = self._now_ns()
        count: int = await self._run(
            "forward",
            (source, keys.pending(queue)),
            now_ns // NANOSECONDS,
            now_ns,
            BATCH_SIZE,
            keys.task_prefix(queue),
            keys.group_prefix(queue),
        )
        return count
