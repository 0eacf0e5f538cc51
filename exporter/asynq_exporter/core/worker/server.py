"""The server: its parts, their start and their end (wire section 5.10).

server = Server(redis, mux, ServerConfig(queues={"critical": 10, "default": 4}, concurrency=10))
await server.run()  # until SIGTERM or SIGINT
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

from redis.asyncio import Redis

from asynq_exporter.core.client import Client
from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.core.control import WorkerControl
from asynq_exporter.core.errors import AsynqError, FailedPreconditionError, InvalidArgumentError
from asynq_exporter.core.shared_timings import SharedTimings
from asynq_exporter.core.timings import TaskTimings
from asynq_exporter.core.worker.aggregator import GroupChecks
from asynq_exporter.core.worker.attempt import Handler
from asynq_exporter.core.worker.broker import WorkerBroker
from asynq_exporter.core.worker.config import ServerConfig
from asynq_exporter.core.worker.errors import ServerClosedError
from asynq_exporter.core.worker.failures import Failures
from asynq_exporter.core.worker.forwarder import Forwarder
from asynq_exporter.core.worker.health import Health
from asynq_exporter.core.worker.heartbeat import Heartbeat
from asynq_exporter.core.worker.janitor import Janitor
from asynq_exporter.core.worker.orders import Orders
from asynq_exporter.core.worker.outage import Outage
from asynq_exporter.core.worker.processor import Processor
from asynq_exporter.core.worker.recoverer import Recoverer
from asynq_exporter.core.worker.routine import Routine
from asynq_exporter.core.worker.runner import Runner
from asynq_exporter.core.worker.sharing import Sharing
from asynq_exporter.core.worker.subscriber import Subscriber
from asynq_exporter.core.worker.syncer import Syncer
from asynq_exporter.core.worker.throttle import Throttle

logger = logging.getLogger(__name__)


class ServerStatus(StrEnum):
    """Where a server is in its life, in asynq's words."""

    NEW = "new"
    ACTIVE = "active"
    #: Takes no new tasks; what runs goes on.
    STOPPED = "stopped"
    CLOSED = "closed"


class Server:
    """Works on the tasks of some queues and keeps house there, beside any number of others, ours and Go's."""

    def __init__(
        self,
        redis: Redis,
        handler: Handler,
        config: ServerConfig | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        """Makes a server that does nothing yet.

        Args:
            redis: client with `decode_responses=False`, best without second tries of its own: a task that
                is taken twice waits for the recoverer.
            handler: works on all tasks; a `Mux` hands them to others by type.
            config: the defaults are Go's.
            clock: of the process.
        """
        self._config = config = config or ServerConfig()
        self._clock: Clock = clock or SystemClock()
        self._redis = redis
        self._status = ServerStatus.NEW
        self._is_announced = False
        self._outage = Outage()
        self._throttle = Throttle(concurrency=config.slots, polling=config.polling)
        self._orders = Orders(WorkerControl(redis, self._clock), timeout_seconds=config.redis_timeout_seconds)
        self._broker = WorkerBroker(
            redis,
            self._clock,
            lease_seconds=config.lease_seconds,
            timeout_seconds=config.redis_timeout_seconds,
        )
        self._syncer = Syncer(self._clock)
        self._runner = Runner(handler, self._broker, config, clock=self._clock, syncer=self._syncer)
        self._processor = Processor(
            self._broker, self._runner, config, clock=self._clock, outage=self._outage
        )
        self._heartbeat = Heartbeat(
            self._broker, config, clock=self._clock, runs=lambda: self._processor.runs
        )
        self._subscriber = Subscriber(
            redis, self._processor.cancel, pause_seconds=config.resubscribe_seconds, outage=self._outage
        )
        self._sharing = Sharing(
            SharedTimings(redis, self._clock), self._runner.timings.read, server_id=self.server_id
        )
        self._make_routines(tuple(config.weights))

    @property
    def server_id(self) -> str:
        """The ID in the records of this server, one for each object."""
        return self._heartbeat.server.server_id

    @property
    def status(self) -> ServerStatus:
        """Where it is in its life."""
        return self._status

    @property
    def concurrency(self) -> int:
        """How many tasks run at the same time at most."""
        return self._processor.concurrency

    @property
    def own_concurrency(self) -> int:
        """The same without what is asked of all workers through Redis."""
        return self._throttle.concurrency

    @property
    def active_tasks(self) -> int:
        """How many tasks run now."""
        return len(self._processor.runs)

    def timings(self) -> Mapping[str, TaskTimings]:
        """How long tasks took and waited so far, by type; the callback of whoever shows metrics."""
        return self._runner.timings.read()

    async def run(self) -> None:
        """Works until SIGTERM or SIGINT, then shuts down; SIGTSTP ends the taking of tasks before.

        Raises as `start`.
        """
        loop = asyncio.get_running_loop()
        asked = asyncio.Event()
        loop.add_signal_handler(signal.SIGTSTP, self.stop)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, asked.set)
        try:
            await self.start()
            await asked.wait()
            self.stop()
        finally:
            for number in (signal.SIGTSTP, signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
            await self.shutdown()

    async def start(self) -> None:
        """Begins to work; Redis need not answer yet.

        Raises:
            FailedPreconditionError: it runs already.
            ServerClosedError: it was shut down.
        """
        if self._status is ServerStatus.CLOSED:
            raise ServerClosedError("the server was shut down")
        if self._status is not ServerStatus.NEW:
            raise FailedPreconditionError("the server is already running")
        self._status = ServerStatus.STOPPED if self._throttle.is_stopped else ServerStatus.ACTIVE
        self._processor.set_polling(polling=self._throttle.is_open)
        self._heartbeat.begin()
        self._obeys.start()
        self._beats.start()
        if self._health is not None:
            self._health.start()
        self._subscriber.start()
        for routine in (self._syncs, self._recovers, self._forwards):
            routine.start()
        self._processor.start()
        if self._shares is not None:
            self._shares.start()
        self._cleans.start()
        if self._checks is not None:
            self._checks.start()

    def stop(self) -> None:
        """Takes no new tasks; what runs goes on, and so does the upkeep. The emergency stop."""
        self.set_polling(polling=False)

    def set_polling(self, *, polling: bool, by: str = "") -> None:
        """Takes tasks, or none; without effect before the start and after the end.

        `by` is who wants it, for the log. A stop that is asked of all workers through Redis goes before.
        """
        if self._status not in (ServerStatus.ACTIVE, ServerStatus.STOPPED):
            return
        self._throttle.polling = polling
        self._apply(by)

    def set_concurrency(self, concurrency: int, *, by: str = "") -> None:
        """Changes how many tasks run at the same time; what runs beyond a lower number goes on to its end.

        `by` is who wants it, for the log. A number that is asked of all workers through Redis goes before.

        Raises:
            InvalidArgumentError: less than 1; to take none there is `stop`.
        """
        if concurrency < 1:
            raise InvalidArgumentError(f"concurrency is 1 or more, not {concurrency}")
        self._throttle.concurrency = concurrency
        self._apply(by)

    async def shutdown(self) -> None:
        """Ends: what runs has some time, then it goes back to its queue as the next to run."""
        if self._status in (ServerStatus.NEW, ServerStatus.CLOSED):
            return
        self._status = ServerStatus.CLOSED
        seconds = self._config.redis_timeout_seconds
        await asyncio.gather(
            self._obeys.stop(within_seconds=seconds),
            self._forwards.stop(within_seconds=seconds),
            self._processor.shutdown(),
        )
        # One time for all that is left: a Redis that hangs would be waited for by each of them anew.
        until = asyncio.get_running_loop().time() + seconds
        parts = (self._recovers, self._syncs, self._shares, self._cleans, self._health, self._beats)
        await asyncio.gather(
            self._subscriber.stop(),
            self._stop_checks(within_seconds=seconds),
            *(part.stop(within_seconds=seconds) for part in parts if part is not None),
        )
        await self._once("syncer", self._syncer.retry_all(), until=until)
        if self._shares is not None:
            await self._once("timings", self._sharing.share(), until=until)
        await self._once("heartbeat", self._heartbeat.clear(), until=until)
        await self._broker.close()

    async def _beat(self) -> None:
        record = self._heartbeat.server
        record.status, record.concurrency = self._status, self.concurrency
        await self._heartbeat.beat()
        if not self._is_announced and self._status is ServerStatus.ACTIVE and self._throttle.is_open:
            self._is_announced = True
            # The words are the guide's (appendix A).
            logger.info("[Asynq] Polling system initialized successfully", extra=self._fields())

    async def _obey(self) -> None:
        self._throttle.asked = await self._orders.read()
        self._apply("redis")

    def _apply(self, by: str) -> None:
        """Makes the processor do as the throttle says, and tells what has changed."""
        throttle, before = self._throttle, self.concurrency
        self._processor.set_concurrency(throttle.slots)
        if before != self.concurrency:
            fields = {"by": by, "before": before, "concurrency": self.concurrency}
            logger.warning("[Asynq] Concurrency changed", extra=fields)
        if self._status not in (ServerStatus.ACTIVE, ServerStatus.STOPPED):
            return
        status = ServerStatus.STOPPED if throttle.is_stopped else ServerStatus.ACTIVE
        if status is not self._status:
            what = "stopped" if throttle.is_stopped else "resumed"
            logger.warning("[Asynq] Polling %s", what, extra={"by": by, "active": self.active_tasks})
        self._status = status
        self._processor.set_polling(polling=throttle.is_open)

    async def _stop_checks(self, *, within_seconds: float) -> None:
        if self._checks is not None:
            # A check waits for its pass for a moment only, so it ends long before the passes do.
            await self._checks.stop(within_seconds=within_seconds)
            await self._groups.close(within_seconds=within_seconds)

    async def _once(self, part: str, action: Awaitable[None], *, until: float) -> None:
        """Does what is done at the end whether or not Redis is there."""
        try:
            async with asyncio.timeout_at(until):
                await action
        except (AsynqError, TimeoutError) as exc:
            logger.warning("[Asynq] Redis was away at the end", extra={"part": part, "error": str(exc)})

    def _make_routines(self, queues: tuple[str, ...]) -> None:
        config, broker = self._config, self._broker
        failures = Failures(config, self._clock)
        recoverer = Recoverer(broker, failures, queues, grace_seconds=config.recover_grace_seconds)
        janitor = Janitor(broker, queues, batch_size=config.janitor_batch_size)
        self._beats = self._routine("heartbeat", self._beat, config.heartbeat_seconds, at_once=True)
        self._obeys = self._routine("control", self._obey, config.heartbeat_seconds, at_once=True)
        self._shares = None
        if config.share_timings:
            self._shares = self._routine("timings", self._sharing.share, config.heartbeat_seconds)
        self._syncs = self._routine("syncer", self._syncer.retry_all, config.sync_seconds)
        self._recovers = self._routine("recoverer", recoverer.recover, config.recover_seconds, at_once=True)
        self._forwards = self._routine("forwarder", Forwarder(broker, queues).forward, config.forward_seconds)
        self._cleans = self._routine("janitor", janitor.clean, config.janitor_seconds)
        self._checks = self._health = None
        if config.aggregator is not None:
            client = Client(self._redis, self._clock)
            self._groups = GroupChecks(
                broker, client, config.aggregator, config, clock=self._clock, queues=queues
            )
            self._checks = self._routine("aggregator", self._groups.check, self._groups.interval_seconds)
        if config.health_check is not None:
            health = Health(broker, config.health_check)
            self._health = self._routine("health", health.check, config.health_check_seconds)

    def _routine(
        self,
        name: str,
        action: Callable[[], Awaitable[None]],
        interval_seconds: float,
        *,
        at_once: bool = False,
    ) -> Routine:
        return Routine(name, action, interval_seconds=interval_seconds, outage=self._outage, at_once=at_once)

    def _fields(self) -> dict[str, object]:
        queues = ",".join(f"{name}={weight}" for name, weight in self._config.weights.items())
        return {"server_id": self.server_id, "queues": queues, "concurrency": self.concurrency}
