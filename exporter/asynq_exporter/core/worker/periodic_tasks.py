"""Keeps a scheduler as a configuration says that may change (wire section 5.11)."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from asynq_exporter.core.client import Options, Task
from asynq_exporter.core.errors import AsynqError
from asynq_exporter.core.worker import option_text
from asynq_exporter.core.worker.outage import Outage
from asynq_exporter.core.worker.routine import Routine
from asynq_exporter.core.worker.scheduler import Scheduler

logger = logging.getLogger(__name__)

SYNC_SECONDS = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodicTask:
    """A task, and when it is to be enqueued."""

    spec: str
    task: Task
    options: Options = field(default_factory=Options)

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes it the same as before."""
        headers = tuple(sorted(self.task.headers.items()))
        options = tuple(sorted(option_text.texts_of(self.options)))
        return self.spec, self.task.type, self.task.payload, headers, options


class PeriodicTasks:
    """Asks for the tasks every now and then, and registers and unregisters what differs."""

    def __init__(
        self,
        scheduler: Scheduler,
        wanted: Callable[[], Awaitable[Iterable[PeriodicTask]]],
        *,
        interval_seconds: float = SYNC_SECONDS,
    ) -> None:
        self._scheduler = scheduler
        self._wanted = wanted
        self._entries: dict[tuple[object, ...], str] = {}
        self._routine = Routine(
            "periodic tasks", self.sync, interval_seconds=interval_seconds, outage=Outage(), at_once=True
        )

    @property
    def entries(self) -> Mapping[tuple[object, ...], str]:
        """What is registered now: identity -> ID of the entry."""
        return self._entries

    async def start(self) -> None:
        """Starts the scheduler, and keeps it in step; raises as `Scheduler.start`."""
        await self._scheduler.start()
        self._routine.start()

    async def shutdown(self) -> None:
        """Ends both."""
        await self._routine.stop(within_seconds=1.0)
        await self._scheduler.shutdown()

    async def sync(self) -> None:
        """Asks now; a task that can never be scheduled is left out, and the log says so."""
        wanted = {periodic.identity: periodic for periodic in await self._wanted()}
        for identity in set(self._entries) - set(wanted):
            self._scheduler.unregister(self._entries.pop(identity))
        for identity, periodic in wanted.items():
            if identity not in self._entries:
                self._register(identity, periodic)

    def _register(self, identity: tuple[object, ...], periodic: PeriodicTask) -> None:
        try:
            self._entries[identity] = self._scheduler.register(
                periodic.spec, periodic.task, **periodic.options
            )
        except AsynqError as exc:
            fields = {"spec": periodic.spec, "type": periodic.task.type, "error": str(exc)}
            logger.warning("[Asynq] A periodic task was left out", extra=fields)
