"""Enqueues tasks again and again, when their time has come (wire section 5.11).

scheduler = Scheduler(redis, zone=ZoneInfo("Asia/Shanghai"))
scheduler.register("0 3 * * *", Task("report:daily"), queue="low")
await scheduler.start()

Several schedulers know nothing of each other: each enqueues. A `unique_seconds` among the options lets one
of them do it.
"""

import asyncio
import logging
import math
import os
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Unpack

from redis.asyncio import Redis

from asynq_exporter.core import messages
from asynq_exporter.core.broker import Broker
from asynq_exporter.core.client import Client, Options, Task
from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.core.errors import (
    AsynqError,
    DuplicateTaskError,
    FailedPreconditionError,
    NotFoundError,
    UnavailableError,
)
from asynq_exporter.core.messages import NANOSECONDS, SchedulerEnqueueEvent, SchedulerEntry, TaskInfo
from asynq_exporter.core.worker import cron, option_text
from asynq_exporter.core.worker.cron import Schedule
from asynq_exporter.core.worker.errors import ServerClosedError
from asynq_exporter.core.worker.heartbeat import host_name
from asynq_exporter.core.worker.outage import Outage
from asynq_exporter.core.worker.routine import Routine, end, happens

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 10.0

#: The longest sleep; a clock that is set meanwhile is noticed after it.
LOOK_SECONDS = 10.0

#: What Redis has for one operation.
TIMEOUT_SECONDS = 10.0

#: Told of each enqueueing: the entry, and the task or the error.
AfterEnqueue = Callable[[str, TaskInfo | AsynqError], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class _Entry:
    id: str
    spec: str
    schedule: Schedule
    task: Task
    options: Options
    next: datetime | None
    prev: datetime | None = None

    def record(self) -> SchedulerEntry:
        return SchedulerEntry(
            id=self.id,
            spec=self.spec,
            task_type=self.task.type,
            task_payload=self.task.payload or b"",
            enqueue_options=option_text.texts_of(self.options),
            next_enqueue_time=messages.timestamp(_unix_ns(self.next)),
            prev_enqueue_time=messages.timestamp(_unix_ns(self.prev)),
        )


class Scheduler:
    """Holds entries and enqueues their tasks; entries may come and go while it runs."""

    def __init__(
        self,
        redis: Redis,
        *,
        zone: tzinfo = UTC,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        after_enqueue: AfterEnqueue | None = None,
        client: Client | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Makes a scheduler that does nothing yet.

        Args:
            redis: client with `decode_responses=False`.
            zone: time zone of specifications that name none.
            heartbeat_seconds: between the records that the Inspector reads; they live twice as long.
            after_enqueue: told of each task that was enqueued, or could not be.
            client: enqueues, such as one with an admission.
            clock: of the process.
        """
        self._clock: Clock = clock or SystemClock()
        self._broker = Broker(redis, self._clock)
        self._client = client or Client(redis, self._clock)
        self._zone = zone
        self._after_enqueue = after_enqueue
        self._ttl_seconds = math.ceil(2 * heartbeat_seconds)
        self._outage = Outage()
        self.scheduler_id = f"{host_name()}:{os.getpid()}:{uuid.uuid4()}"
        self._entries: dict[str, _Entry] = {}
        self._changed = asyncio.Event()
        self._is_closed = False
        self._firing: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.Task[None] | None = None
        self._beats = Routine(
            "scheduler heartbeat",
            self._beat,
            interval_seconds=heartbeat_seconds,
            outage=self._outage,
            # Go's is not to be seen for its first seconds.
            at_once=True,
        )

    def register(self, spec: str, task: Task, **options: Unpack[Options]) -> str:
        """Adds an entry; returns its ID, which is new in each process.

        Raises:
            InvalidArgumentError: the specification is none.
        """
        schedule = cron.parse(spec, self._zone)
        entry = _Entry(
            id=str(uuid.uuid4()),
            spec=spec,
            schedule=schedule,
            task=task,
            options=options,
            next=schedule.next_after(self._now()),
        )
        self._entries[entry.id] = entry
        self._changed.set()
        return entry.id

    def unregister(self, entry_id: str) -> None:
        """Removes an entry; its history stays in Redis, as in asynq.

        Raises:
            NotFoundError: there is none.
        """
        if self._entries.pop(entry_id, None) is None:
            raise NotFoundError(f"no scheduler entry {entry_id}")
        self._changed.set()

    async def start(self) -> None:
        """Begins to enqueue; Redis need not answer yet.

        Raises:
            FailedPreconditionError: it runs already.
            ServerClosedError: it was shut down.
        """
        if self._is_closed:
            raise ServerClosedError("the scheduler was shut down")
        if self._ticker is not None:
            raise FailedPreconditionError("the scheduler is already running")
        for entry in self._entries.values():
            entry.next = entry.schedule.next_after(self._now())
        self._ticker = asyncio.create_task(self._tick(), name="scheduler")
        self._beats.start()

    async def shutdown(self) -> None:
        """Ends, and takes its records and histories out of Redis."""
        if self._ticker is None or self._is_closed:
            return
        self._is_closed = True
        await end(self._ticker)
        if self._firing:
            await asyncio.wait(self._firing, timeout=TIMEOUT_SECONDS)
        await self._beats.stop(within_seconds=TIMEOUT_SECONDS)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self._broker.clear_scheduler_entries(self.scheduler_id)
                for entry_id in self._entries:
                    await self._broker.clear_scheduler_history(entry_id)
        except (AsynqError, TimeoutError) as exc:
            logger.warning("[Asynq] Redis was away at the end of the scheduler", extra={"error": str(exc)})

    async def _tick(self) -> None:
        while True:
            self._changed.clear()
            now = self._now()
            for entry in tuple(self._entries.values()):
                if entry.next is not None and entry.next <= now:
                    self._fire(entry)
                    # From now on: what was missed while the process stood still happens once.
                    entry.prev, entry.next = entry.next, entry.schedule.next_after(now)
            await happens(self._changed, within_seconds=self._sleep_seconds())

    def _sleep_seconds(self) -> float:
        now = self._now()
        waits = [(e.next - now).total_seconds() for e in self._entries.values() if e.next is not None]
        return min(max(min(waits, default=LOOK_SECONDS), 0.0), LOOK_SECONDS)

    def _fire(self, entry: _Entry) -> None:
        firing = asyncio.create_task(self._enqueue(entry))
        self._firing.add(firing)
        firing.add_done_callback(self._firing.discard)

    async def _enqueue(self, entry: _Entry) -> None:
        outcome: TaskInfo | AsynqError
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                outcome = await self._client.enqueue(entry.task, **entry.options)
        except DuplicateTaskError as exc:
            # The guide's word (appendix A); another scheduler, or the time before, was here.
            logger.info("ErrDuplicateTask", extra=_fields(entry))
            outcome = exc
        except AsynqError as exc:
            outcome = exc
        except TimeoutError:
            outcome = UnavailableError("no answer to the enqueueing")
        await self._note(entry, outcome)

    async def _note(self, entry: _Entry, outcome: TaskInfo | AsynqError) -> None:
        try:
            if isinstance(outcome, TaskInfo):
                self._outage.answered()
                enqueued_at = messages.timestamp(self._clock.now_ns())
                event = SchedulerEnqueueEvent(task_id=outcome.id, enqueue_time=enqueued_at)
                await self._broker.record_enqueue_event(entry.id, event)
            elif not isinstance(outcome, DuplicateTaskError):
                error = str(outcome)
                logger.warning(
                    "[Asynq] A periodic task was not enqueued", extra={**_fields(entry), "error": error}
                )
            if self._after_enqueue is not None:
                await self._after_enqueue(entry.id, outcome)
        except Exception:
            # The task is enqueued, or is not; the next time comes all the same.
            logger.exception("[Asynq] A periodic task could not be noted", extra=_fields(entry))

    async def _beat(self) -> None:
        records = [entry.record() for entry in self._entries.values()]
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self._broker.write_scheduler_entries(
                    self.scheduler_id, records, ttl_seconds=self._ttl_seconds
                )
        except TimeoutError as exc:
            raise UnavailableError("no answer to the scheduler's heartbeat") from exc

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ns() / NANOSECONDS, tz=UTC)


def _unix_ns(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp()) * NANOSECONDS


def _fields(entry: _Entry) -> dict[str, str]:
    return {"entry": entry.id, "spec": entry.spec, "type": entry.task.type}
