"""Operations on the records of live schedulers and what they enqueued (wire sections 3.24 and 3.25)."""

from collections.abc import Iterable

from asynq_exporter.core import keys, messages
from asynq_exporter.core.broker.base import Operations, asynq_errors
from asynq_exporter.core.messages import SchedulerEnqueueEvent, SchedulerEntry
from asynq_exporter.core.scripts import Call

#: Two heartbeats of 10 s.
SCHEDULER_TTL_SECONDS = 20

#: Enqueue events kept for an entry.
HISTORY_SIZE = 1000


class Schedulers(Operations):
    """The heartbeat of a scheduler, its end, and its history."""

    async def write_scheduler_entries(
        self,
        scheduler_id: str,
        entries: Iterable[SchedulerEntry],
        *,
        ttl_seconds: int = SCHEDULER_TTL_SECONDS,
    ) -> None:
        """Says that a scheduler lives, and which entries it has; they are stored last first."""
        key = keys.scheduler_entries(scheduler_id)
        call = Call(
            script="write_scheduler_entries",
            keys=(key,),
            args=(ttl_seconds, *(messages.encode(entry) for entry in entries)),
        )
        await self._run_after([("ZADD", keys.SCHEDULERS, self._now_seconds() + ttl_seconds, key)], call)

    async def clear_scheduler_entries(self, scheduler_id: str) -> None:
        """Says that a scheduler has ended."""
        key = keys.scheduler_entries(scheduler_id)
        with asynq_errors():
            await self._redis.zrem(keys.SCHEDULERS, key)
            await self._redis.delete(key)

    async def record_enqueue_event(self, entry_id: str, event: SchedulerEnqueueEvent) -> None:
        """Notes that a scheduler entry enqueued a task; the newest 1000 stay."""
        await self._run(
            "record_enqueue_event",
            (keys.scheduler_history(entry_id),),
            event.enqueue_time.seconds,
            messages.encode(event),
            HISTORY_SIZE,
        )

    async def clear_scheduler_history(self, entry_id: str) -> None:
        """Forgets what a scheduler entry enqueued."""
        with asynq_errors():
            await self._redis.delete(keys.scheduler_history(entry_id))
