"""Says that a server lives and what it runs, and keeps the leases of that (wire section 5.7)."""

import asyncio
import logging
import math
import os
import socket
import uuid
from collections.abc import Callable, Iterable

from asynq_exporter.core import messages
from asynq_exporter.core.clock import Clock
from asynq_exporter.core.errors import UnavailableError
from asynq_exporter.core.messages import NANOSECONDS, ServerInfo, WorkerInfo
from asynq_exporter.core.worker.attempt import Run
from asynq_exporter.core.worker.broker import WorkerBroker
from asynq_exporter.core.worker.config import ServerConfig
from asynq_exporter.core.worker.errors import LeaseExpiredError

logger = logging.getLogger(__name__)


def host_name() -> str:
    """The name of this host as asynq writes it."""
    return socket.gethostname() or "unknown-host"


class Heartbeat:
    """The records of one server."""

    def __init__(
        self,
        broker: WorkerBroker,
        config: ServerConfig,
        *,
        clock: Clock,
        runs: Callable[[], Iterable[Run]],
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._runs = runs
        self._timeout_seconds = config.redis_timeout_seconds
        self._ttl_seconds = math.ceil(2 * config.heartbeat_seconds)
        self.server = ServerInfo(
            host=config.host or host_name(),
            pid=config.pid or os.getpid(),
            server_id=str(uuid.uuid4()),
            queues=config.weights,
            strict_priority=config.strict_priority,
            status="new",
        )

    def begin(self) -> None:
        """Notes that the server starts now."""
        self.server.start_time.CopyFrom(messages.timestamp(self._clock.now_ns()))

    async def beat(self) -> None:
        """Writes the records and extends the leases; raises UnavailableError."""
        runs = tuple(self._runs())
        held = self._held(runs)
        self.server.active_worker_count = len(runs)
        try:
            # Without an end, a Redis that hangs would hide it from the workers that their leases run out.
            async with asyncio.timeout(self._timeout_seconds):
                # In a cluster these lie on several nodes; one that is lost costs no lease on another.
                outcomes = await asyncio.gather(
                    self._broker.write_server_state(
                        self.server, [self._record(run) for run in runs], ttl_seconds=self._ttl_seconds
                    ),
                    *(self._extend(queue, of_queue) for queue, of_queue in held.items()),
                    return_exceptions=True,
                )
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
        except TimeoutError as exc:
            raise UnavailableError("no answer to the heartbeat") from exc

    async def clear(self) -> None:
        """Says that the server has ended; raises UnavailableError."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._broker.clear_server_state(self.server)
        except TimeoutError as exc:
            raise UnavailableError("no answer to the end of the heartbeat") from exc

    def _held(self, runs: Iterable[Run]) -> dict[str, list[Run]]:
        """What has a lease to extend, by queue; the others are told that they have lost theirs."""
        now = self._now()
        held: dict[str, list[Run]] = {}
        for run in runs:
            if run.lease.is_valid(now):
                held.setdefault(run.message.queue, []).append(run)
            else:
                run.end(LeaseExpiredError())
        return held

    async def _extend(self, queue: str, runs: list[Run]) -> None:
        expires_at = await self._broker.extend_lease(queue, [run.message.id for run in runs])
        now = self._now()
        for run in runs:
            if not run.lease.extend(expires_at, now=now):
                logger.warning(
                    "[Asynq] A lease ended while it was extended", extra={"task_id": run.message.id}
                )

    def _record(self, run: Run) -> WorkerInfo:
        message, server = run.message, self.server
        return WorkerInfo(
            host=server.host,
            pid=server.pid,
            server_id=server.server_id,
            task_id=message.id,
            task_type=message.type,
            task_payload=message.payload,
            queue=message.queue,
            start_time=messages.timestamp(run.started_ns),
            deadline=messages.timestamp(run.deadline_ns),
        )

    def _now(self) -> float:
        return self._clock.now_ns() / NANOSECONDS
