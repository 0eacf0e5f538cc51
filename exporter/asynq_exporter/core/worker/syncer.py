"""Writes later what Redis did not take at once (wire section 5.4)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from asynq_exporter.core.clock import Clock
from asynq_exporter.core.errors import AsynqError, InvalidArgumentError, NotFoundError, UnavailableError
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.worker.leases import Lease

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """The ending of an attempt, to be written while its lease lasts."""

    ending: str
    queue: str
    task_id: str
    lease: Lease
    #: Each call is a try of its own.
    make: Callable[[], Awaitable[None]]


class Syncer:
    """Holds writes that failed and tries them again until their leases are over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._backlog: list[Write] = []

    def __len__(self) -> int:
        return len(self._backlog)

    async def write(self, write: Write) -> bool:
        """Writes now if Redis takes it, else later; False when the task is not ours to write about."""
        try:
            return await self._try(write)
        except AsynqError as exc:
            logger.warning("[Asynq] Could not write, will try again", extra=_fields(write, exc))
            self._backlog.append(write)
            return True

    async def retry_all(self) -> None:
        """Tries everything again; raises the last error of what still cannot be written."""
        waiting, self._backlog = self._backlog, []
        error: AsynqError | None = None
        for write in waiting:
            try:
                await self._try(write)
            except AsynqError as exc:
                self._backlog.append(write)
                error = exc
        if error is not None:
            raise error

    async def _try(self, write: Write) -> bool:
        left_seconds = write.lease.expires_at - self._now()
        if left_seconds < 0:
            # Others may have the task by now; the recoverer sees to it.
            logger.warning("[Asynq] The lease is over, nothing is written", extra=_fields(write))
            return False
        try:
            # A time of its own for each try: a lease that ends is no reason to wait any longer.
            async with asyncio.timeout(left_seconds):
                await write.make()
        except (NotFoundError, InvalidArgumentError) as exc:
            # Gone, or written by a try whose answer got lost; another try would say the same.
            logger.warning("[Asynq] Nothing to write about", extra=_fields(write, exc))
            return False
        except TimeoutError as exc:
            raise UnavailableError("no answer until the lease was over") from exc
        return True

    def _now(self) -> float:
        return self._clock.now_ns() / NANOSECONDS


def _fields(write: Write, error: BaseException | None = None) -> dict[str, str]:
    fields = {"ending": write.ending, "queue": write.queue, "task_id": write.task_id}
    return fields if error is None else {**fields, "error": str(error)}
