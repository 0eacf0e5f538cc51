"""The scheduler of periodic tasks: it enqueues what is due and says what comes next."""

import asyncio
import uuid
from dataclasses import dataclass
from random import Random

from redis.asyncio import Redis

from asynq_exporter.core import messages
from asynq_exporter.core.broker import Broker
from asynq_exporter.core.client import Client
from asynq_exporter.core.clock import SystemClock
from asynq_exporter.core.errors import DuplicateTaskError
from asynq_exporter.core.messages import NANOSECONDS, SchedulerEnqueueEvent, SchedulerEntry
from asynq_exporter.demo import jobs
from asynq_exporter.demo.routine import attempt, every
from asynq_exporter.demo.scenarios import Stage
from asynq_exporter.scan.shared import end

CHECK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A periodic task: as cron writes it, and as seconds with an offset from the epoch."""

    spec: str
    kind: str
    every_seconds: int
    offset_seconds: int = 0
    unique_seconds: int = 0

    def next_after(self, unix_seconds: int) -> int:
        """The first run after a moment."""
        passed = (unix_seconds - self.offset_seconds) // self.every_seconds
        return (passed + 1) * self.every_seconds + self.offset_seconds


PERIODS = (
    Period(spec="@every 15s", kind="cache:warm", every_seconds=15, unique_seconds=10),
    Period(spec="* * * * *", kind="session:cleanup", every_seconds=60),
    Period(spec="*/5 * * * *", kind="report:daily", every_seconds=300),
    Period(spec="0 6 * * *", kind="report:daily", every_seconds=86_400, offset_seconds=6 * 3600),
)


class Scheduler:
    """What would be the company's scheduler process."""

    def __init__(self, redis: Redis, stage: Stage, rng: Random) -> None:
        self._broker = Broker(redis)
        self._client = Client(redis)
        self._clock = SystemClock()
        self._stage = stage
        self._rng = rng
        self._entries = {str(uuid.uuid4()): period for period in PERIODS}
        now = self._now()
        self._next = {entry: period.next_after(now) for entry, period in self._entries.items()}

    async def run(self) -> None:
        """Runs while there is to be a scheduler; gone, it leaves no record."""
        while True:
            await self._stage.until(lambda now: now.scheduling)
            scheduler_id = f"scheduler-0:{self._rng.randint(1000, 32_000)}:{uuid.uuid4()}"
            working = asyncio.create_task(every(CHECK_SECONDS, lambda: self._work(scheduler_id)))  # noqa: B023
            try:
                await self._stage.until(lambda now: not now.scheduling)
            finally:
                await end(working)
            await attempt(lambda: self._broker.clear_scheduler_entries(scheduler_id))  # noqa: B023

    async def _work(self, scheduler_id: str) -> None:
        now = self._now()
        for entry, period in self._entries.items():
            if self._next[entry] <= now:
                self._next[entry] = period.next_after(now)
                await self._enqueue(entry, period)
        await self._broker.write_scheduler_entries(
            scheduler_id, [self._record(*item) for item in self._entries.items()]
        )

    async def _enqueue(self, entry: str, period: Period) -> None:
        task, options = jobs.plain_request(jobs.KINDS[period.kind], self._rng)
        if period.unique_seconds:
            options["unique_seconds"] = period.unique_seconds
        try:
            info = await self._client.enqueue(task, **options)
        except DuplicateTaskError:
            return
        event = SchedulerEnqueueEvent(task_id=info.id, enqueue_time=messages.timestamp(self._clock.now_ns()))
        await self._broker.record_enqueue_event(entry, event)

    def _record(self, entry: str, period: Period) -> SchedulerEntry:
        kind = jobs.KINDS[period.kind]
        options = [f'Queue("{kind.queue}")', f"MaxRetry({kind.max_retry})"]
        if period.unique_seconds:
            options.append(f"Unique({period.unique_seconds}s)")
        next_at = self._next[entry]
        return SchedulerEntry(
            id=entry,
            spec=period.spec,
            task_type=period.kind,
            enqueue_options=options,
            next_enqueue_time=messages.timestamp(next_at * NANOSECONDS),
            prev_enqueue_time=messages.timestamp((next_at - period.every_seconds) * NANOSECONDS),
        )

    def _now(self) -> int:
        return self._clock.now_ns() // NANOSECONDS
