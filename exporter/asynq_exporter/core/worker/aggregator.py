"""Makes one task of the tasks of a group (wire section 5.9)."""

import asyncio
import logging
from collections.abc import Sequence

from asynq_exporter.core.client import Client, Options
from asynq_exporter.core.clock import Clock
from asynq_exporter.core.errors import UnavailableError
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.worker.attempt import task_of
from asynq_exporter.core.worker.broker import WorkerBroker
from asynq_exporter.core.worker.config import Aggregator, ServerConfig
from asynq_exporter.core.worker.each_queue import each
from asynq_exporter.core.worker.routine import end

logger = logging.getLogger(__name__)

#: How often groups are looked at; more often if they have less grace.
CHECK_SECONDS = 7.0

MAX_CHECKS = 3


class GroupChecks:
    """Looks at the groups of some queues, in a few passes at once: a group may take its time."""

    def __init__(
        self,
        broker: WorkerBroker,
        client: Client,
        aggregate: Aggregator,
        config: ServerConfig,
        *,
        clock: Clock,
        queues: Sequence[str],
    ) -> None:
        self._broker = broker
        self._client = client
        self._aggregate = aggregate
        self._config = config
        self._clock = clock
        self._queues = queues
        self._passes: set[asyncio.Task[None]] = set()

    @property
    def interval_seconds(self) -> float:
        """How often to check."""
        return min(CHECK_SECONDS, self._config.group_grace_seconds)

    async def check(self) -> None:
        """Begins a pass unless too many are under way."""
        if len(self._passes) >= MAX_CHECKS:
            logger.warning("[Asynq] Too many checks of groups under way; this one is left out")
            return
        began = asyncio.create_task(self._pass(), name="aggregator")
        self._passes.add(began)
        began.add_done_callback(self._passes.discard)
        # Most passes find nothing; waiting for them for a moment keeps their errors with the caller.
        await asyncio.wait({began}, timeout=self.interval_seconds)
        if began.done():
            began.result()
        else:
            began.add_done_callback(_tell_late_error)

    async def close(self, *, within_seconds: float) -> None:
        """Ends after the passes under way, which have some time; what they leave the recoverer gives back."""
        if self._passes:
            await asyncio.wait(self._passes, timeout=within_seconds)
        for one in tuple(self._passes):
            await end(one)

    async def _pass(self) -> None:
        await each(self._queues, self._check_queue)

    async def _check_queue(self, queue: str) -> None:
        for group in await self._broker.groups(queue):
            try:
                await self._check_group(queue, group)
            except Exception:
                # The set stays, and its tasks go back to the group; other groups go on.
                logger.exception(
                    "[Asynq] A group could not be aggregated", extra={"queue": queue, "group": group}
                )

    async def _check_group(self, queue: str, group: str) -> None:
        set_id = await self._broker.aggregation_check(
            queue,
            group,
            max_size=self._config.group_max_size,
            max_delay_seconds=self._config.group_max_delay_seconds,
            grace_seconds=self._config.group_grace_seconds,
        )
        if set_id is None:
            return
        taken = await self._broker.read_aggregation_set(queue, group, set_id)
        made = await self._aggregate(group, [task_of(message) for message in taken.tasks])
        task, wanted = made if isinstance(made, tuple) else (made, Options())
        options = wanted.copy()
        options["queue"] = queue
        try:
            # After its deadline the set is given back, and the tasks would be done twice.
            async with asyncio.timeout(taken.deadline - self._clock.now_ns() / NANOSECONDS):
                await self._client.enqueue(task, **options)
                await self._broker.delete_aggregation_set(queue, group, set_id)
        except TimeoutError as exc:
            raise UnavailableError("a group was not aggregated in time") from exc


def _tell_late_error(late: asyncio.Task[None]) -> None:
    if not late.cancelled() and (error := late.exception()) is not None:
        logger.warning("[Asynq] A late check of groups failed", extra={"error": str(error)})
