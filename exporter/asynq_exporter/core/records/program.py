"""Both sides of polling in one process: what `asynq-exporter poll` runs.

    await PollingProgram(SqlRecords(database), redis, poll).run(stop)

Which sides there are is a matter of the configuration, and may differ between processes that run at the
same time, as they do while a deployment is rolled out: leases decide who polls what.
"""

import asyncio
import logging
from dataclasses import dataclass

from redis.asyncio import Redis

from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.core.errors import UnavailableError
from asynq_exporter.core.policies import retry
from asynq_exporter.core.records import periodic
from asynq_exporter.core.records.cancel import Cancellations
from asynq_exporter.core.records.chain import TASK_TYPE, Chain
from asynq_exporter.core.records.errors import LeaseHeldError
from asynq_exporter.core.records.fallback import CONCURRENCY, INTERVAL_SECONDS, Fallback
from asynq_exporter.core.records.handler import Handler
from asynq_exporter.core.records.jobs import Jobs
from asynq_exporter.core.records.live_queue import LiveQueue
from asynq_exporter.core.records.migration import Migration
from asynq_exporter.core.records.models import DEFAULT_QUEUE
from asynq_exporter.core.records.polling import Poll, Poller
from asynq_exporter.core.records.store import RecordStore, Refunds
from asynq_exporter.core.worker import Mux, Server, ServerConfig, delay_by

logger = logging.getLogger(__name__)

#: Pause before a migration that failed is begun again.
MIGRATE_AGAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PollingConfig:
    """What the process does; the defaults are those of the guide (section 6.1)."""

    #: The side of the queue (ASYNQ_POLLING_ENABLED).
    enabled: bool = True
    #: The other side (UPDATE_TASK), and its rounds (TASK_POLL_INTERVAL).
    fallback: bool = True
    interval_seconds: float = INTERVAL_SECONDS
    #: ASYNQ_MIGRATE_EXISTING.
    migrate_existing: bool = False
    #: Queues of the jobs that poll.
    queues: tuple[str, ...] = (DEFAULT_QUEUE,)
    #: Tasks polled at the same time, on each side.
    concurrency: int = CONCURRENCY
    #: What jobs that run have to end in a shutdown.
    shutdown_seconds: float = 8.0


class PollingProgram:
    """Polls tasks by jobs of the queue and without, completes refunds, and migrates once at the start."""

    def __init__(
        self,
        store: RecordStore,
        redis: Redis,
        poll: Poll,
        config: PollingConfig | None = None,
        *,
        refunds: Refunds | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Takes the records, the Redis of the queues, and what asks the service about a task.

        `refunds` is for a store that does not give credits back by itself.
        """
        self._config = config = config or PollingConfig()
        clock = clock or SystemClock()
        chain = Chain(redis, store, clock)
        self._cancellations = Cancellations(store, Jobs(redis, clock), clock, refunds=refunds)
        poller = Poller(store, self._cancellations, poll, clock)
        self._migration = Migration(store, redis, clock)
        self._fallback = Fallback(
            store,
            poller,
            clock,
            is_queue_usable=LiveQueue(redis, clock, queues=config.queues) if config.enabled else None,
            chain=chain,
            concurrency=config.concurrency,
        )
        #: Runs the jobs; one that was never started where the queue is off.
        self.server = _server(redis, Handler(store, poller, chain, clock), config, clock)

    async def run(self, stop: asyncio.Event) -> None:
        """Works until it is told to stop; polls that are under way have some seconds to end."""
        config = self._config
        logger.info("Polling begins", extra=self._fields())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._cancellations.keep_recovering(stop))
            group.create_task(
                self._fallback.run(stop, enabled=config.fallback, interval_seconds=config.interval_seconds)
            )
            if config.enabled:
                group.create_task(self._serve(stop))
            migration = group.create_task(self._migrate())
            await stop.wait()
            # It goes on where it was at the next start.
            migration.cancel()

    async def _serve(self, stop: asyncio.Event) -> None:
        await self.server.start()
        try:
            await stop.wait()
        finally:
            await self.server.shutdown()

    async def _migrate(self) -> None:
        """Migrates once, however long Redis or the database is away."""
        if not self._config.migrate_existing:
            return
        if not self._config.enabled:
            logger.warning("migrate: Is left, for polling by the queue is off here")
            return
        done = asyncio.Event()

        async def migrate() -> None:
            await self._migration.complete()
            done.set()

        await periodic.repeat(migrate, every_seconds=MIGRATE_AGAIN_SECONDS, stop=done, what="migrate:")

    def _fields(self) -> dict[str, object]:
        config = self._config
        return {
            "by_queue": config.enabled,
            "fallback": config.fallback,
            "interval_seconds": config.interval_seconds,
            "queues": ",".join(config.queues),
        }


def _server(redis: Redis, handler: Handler, config: PollingConfig, clock: Clock) -> Server:
    mux = Mux()
    mux.add(TASK_TYPE, handler)
    settings = ServerConfig(
        concurrency=config.concurrency,
        queues=dict.fromkeys(config.queues, 1),
        shutdown_seconds=config.shutdown_seconds,
        retry_delay=delay_by(retry.for_class(retry.DEFAULT)),
        is_failure=_is_failure,
    )
    return Server(redis, mux, settings, clock=clock)


def _is_failure(error: Exception) -> bool:
    # The others are no fault of the task: a database that is away for hours must not fill the archive.
    return not isinstance(error, LeaseHeldError | UnavailableError)
