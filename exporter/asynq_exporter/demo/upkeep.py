"""What asynq's servers do beside the tasks: forward, recover, delete what is over, aggregate groups."""

from collections.abc import Coroutine
from typing import Any

from redis.asyncio import Redis

from asynq_exporter.core import keys
from asynq_exporter.core.broker import Broker
from asynq_exporter.core.catalog import documented
from asynq_exporter.core.client import Client
from asynq_exporter.core.clock import SystemClock
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.demo import jobs
from asynq_exporter.demo.routine import every
from asynq_exporter.demo.scenarios import Stage

FORWARD_SECONDS = 1.0
RECOVER_SECONDS = 10.0
DELETE_SECONDS = 8.0
AGGREGATE_SECONDS = 5.0

#: asynq recovers a task when its lease has been over for this long.
RECOVER_AFTER_SECONDS = 30
RECOVER_RETRY_SECONDS = 5

#: When a group becomes one task: full, waiting, or quiet.
GROUP_SIZE = 15
GROUP_DELAY_SECONDS = 60
GROUP_GRACE_SECONDS = 20


class Upkeep:
    """Runs beside the workers and dies with them."""

    def __init__(self, redis: Redis, stage: Stage, *, error: str) -> None:
        self._redis = redis
        self._broker = Broker(redis)
        self._client = Client(redis)
        self._clock = SystemClock()
        self._stage = stage
        self._error = error
        self._queues = tuple(documented().queues)

    def routines(self) -> list[Coroutine[Any, Any, None]]:
        """What runs for ever, side by side."""
        return [
            every(FORWARD_SECONDS, self._forward),
            every(RECOVER_SECONDS, self._recover),
            every(DELETE_SECONDS, self._delete_expired),
            every(AGGREGATE_SECONDS, self._aggregate),
        ]

    async def _forward(self) -> None:
        if self._stage.now.forwarding:
            await self._broker.forward(self._queues)

    async def _recover(self) -> None:
        if not self._stage.now.recovering:
            return
        now = self._clock.now_ns() / NANOSECONDS
        for message in await self._broker.list_lease_expired(
            self._queues, cutoff=now - RECOVER_AFTER_SECONDS
        ):
            if message.retried >= message.retry:
                await self._broker.archive(message, error=self._error)
            else:
                await self._broker.retry(message, retry_at=now + RECOVER_RETRY_SECONDS, error=self._error)

    async def _delete_expired(self) -> None:
        for queue in self._queues:
            await self._broker.delete_expired_completed(queue)

    async def _aggregate(self) -> None:
        for queue in self._queues:
            await self._broker.reclaim_stale_aggregation_sets(queue)
            names: set[bytes] = await self._redis.smembers(keys.groups(queue))  # type: ignore[assignment]
            for name in names:
                await self._aggregate_group(queue, name.decode("utf-8", "surrogateescape"))

    async def _aggregate_group(self, queue: str, group: str) -> None:
        set_id = await self._broker.aggregation_check(
            queue,
            group,
            max_size=GROUP_SIZE,
            max_delay_seconds=GROUP_DELAY_SECONDS,
            grace_seconds=GROUP_GRACE_SECONDS,
        )
        if set_id is None:
            return
        taken = await self._broker.read_aggregation_set(queue, group, set_id)
        task, options = jobs.digest_request(taken.tasks, group)
        await self._client.enqueue(task, **options)
        await self._broker.delete_aggregation_set(queue, group, set_id)
