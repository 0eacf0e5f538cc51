"""Takes tasks by weight and starts a worker for each (wire section 5.3)."""

import asyncio
import logging
from collections.abc import Iterable

from asynq_exporter.core.clock import Clock
from asynq_exporter.core.errors import AsynqError, CorruptMessageError
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.worker import deadline
from asynq_exporter.core.worker.attempt import Run
from asynq_exporter.core.worker.broker import TakenTask, WorkerBroker
from asynq_exporter.core.worker.config import ServerConfig
from asynq_exporter.core.worker.errors import CanceledError, LeaseExpiredError
from asynq_exporter.core.worker.leases import Lease
from asynq_exporter.core.worker.outage import Outage
from asynq_exporter.core.worker.queue_order import QueueOrder
from asynq_exporter.core.worker.routine import end, happens
from asynq_exporter.core.worker.runner import Runner

logger = logging.getLogger(__name__)

#: Tasks asked for in one poll while there are plenty.
MAX_BURST = 32


class Processor:
    """The poll loop of a server, its slots, and what runs in them."""

    def __init__(
        self, broker: WorkerBroker, runner: Runner, config: ServerConfig, *, clock: Clock, outage: Outage
    ) -> None:
        self.concurrency = config.slots
        self._broker = broker
        self._runner = runner
        self._config = config
        self._clock = clock
        self._outage = outage
        self._order = QueueOrder(config.weights, strict=config.strict_priority, random=config.random)
        self._runs: dict[tuple[str, str], Run] = {}
        self._workers: set[asyncio.Task[None]] = set()
        #: Handlers under way; an attempt that only has its end to be written takes no slot.
        self._handling = 0
        self._poller: asyncio.Task[None] | None = None
        #: Requests for tasks under way, how many tasks they are for, and for how many they may be.
        self._asking: set[asyncio.Task[None]] = set()
        self._asked = 0
        self._burst = 1
        self._is_polling = config.polling
        self._closing = asyncio.Event()
        #: Set when a task may be taken that could not be before.
        self._changed = asyncio.Event()

    @property
    def runs(self) -> tuple[Run, ...]:
        """The attempts under way."""
        return tuple(self._runs.values())

    def start(self) -> None:
        """Begins to take tasks."""
        self._poller = asyncio.create_task(self._poll(), name="processor")

    def set_concurrency(self, concurrency: int) -> None:
        """Changes the number of slots; what runs beyond a lower number goes on to its end."""
        self.concurrency = concurrency
        self._changed.set()

    def set_polling(self, *, polling: bool) -> None:
        """Takes tasks, or none; what runs goes on."""
        self._is_polling = polling
        self._changed.set()

    def cancel(self, task_id: str) -> None:
        """Cancels what runs under an ID, in whatever queue."""
        for run in self.runs:
            if run.message.id == task_id:
                run.end(CanceledError())

    async def shutdown(self) -> None:
        """Takes nothing more, waits for what runs, and puts back what takes too long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._config.shutdown_seconds
        self._closing.set()
        self._changed.set()
        if self._poller is not None:
            # Not canceled at once: a task that is on its way here would wait for the recoverer.
            await asyncio.wait({self._poller, *self._asking}, timeout=self._config.shutdown_seconds)
            for task in (self._poller, *self._asking):
                await end(task)
        await _wait_for(self._workers, seconds=max(until - loop.time(), 0.0))
        for run in self.runs:
            run.abort()
        await _wait_for(self._workers, seconds=None)
        await self._runner.close()

    async def _poll(self) -> None:
        while not self._closing.is_set():
            number = min(self._burst, self._free_slots()) - self._asked
            if number < 1 or not self._is_polling:
                self._changed.clear()
                await self._changed.wait()
                continue
            self._asked += number
            asking = asyncio.create_task(self._take(number))
            self._asking.add(asking)
            asking.add_done_callback(self._asking.discard)
            if self._burst > 1:
                continue  # there is more; what frees up meanwhile is asked for at once
            await asyncio.wait({asking})
            if self._burst == 1:
                # After an error too: asynq asks again at once, and burns a core until Redis is back.
                jitter = 0.5 + self._config.random.random()
                await happens(self._closing, within_seconds=jitter * self._config.task_check_seconds)

    def _free_slots(self) -> int:
        # A new task is asked for in the round trip that writes the end of the one before. Where Redis is slow
        # to take the ends, no more than twice the slots are in our hands.
        return min(self.concurrency - self._handling, 2 * self.concurrency - len(self._workers))

    async def _take(self, number: int) -> None:
        """Asks for so many tasks, in as many round trips as one takes."""
        polls = [self._broker.take(self._order.next()) for _ in range(number)]
        outcomes = await asyncio.gather(*polls, return_exceptions=True)
        found = [self._taken(outcome) for outcome in outcomes]
        self._asked -= number
        self._burst = min(2 * self._burst, MAX_BURST) if any(found) else 1
        self._changed.set()

    def _taken(self, outcome: TakenTask | BaseException | None) -> bool:
        """Starts a task; whether there was one."""
        if isinstance(outcome, TakenTask):
            self._start(outcome)
            return True
        if isinstance(outcome, CorruptMessageError):
            logger.error("[Asynq] A task cannot be read and stays active", extra={"error": str(outcome)})
            return True
        if isinstance(outcome, AsynqError):
            self._outage.failed("processor", outcome)
        elif isinstance(outcome, BaseException):
            logger.error("[Asynq] Could not take a task", exc_info=outcome)
        else:
            self._outage.answered()
        return False

    def _start(self, taken: TakenTask) -> None:
        self._outage.answered()
        now_ns = self._clock.now_ns()
        message = taken.message
        if not message.timeout and not message.deadline:
            logger.error("[Asynq] A task has neither timeout nor deadline", extra={"task_id": message.id})
        if taken.pending_since_ns is not None:
            waited_seconds = (now_ns - taken.pending_since_ns) / NANOSECONDS
            self._runner.timings.waited(message.type, waited_seconds)
        run = Run(
            message,
            lease=Lease(taken.lease_expires_at),
            started_ns=now_ns,
            deadline_ns=deadline.deadline_ns(message, now_ns=now_ns),
        )
        if (before := self._runs.get(run.key)) is not None:
            # It was given away again, so that attempt has lost it; nobody else will tell it now.
            before.lease.lose()
            before.end(LeaseExpiredError())
        self._runs[run.key] = run
        self._handling += 1
        run.over.add_done_callback(self._free_slot)
        worker = asyncio.create_task(self._work(run))
        self._workers.add(worker)
        worker.add_done_callback(self._forget)

    async def _work(self, run: Run) -> None:
        try:
            await self._runner.run(run)
        finally:
            # Not another attempt at the same task, taken since this one lost its lease.
            if self._runs.get(run.key) is run:
                del self._runs[run.key]

    def _free_slot(self, _over: "asyncio.Future[Exception | None]") -> None:
        self._handling -= 1
        self._changed.set()

    def _forget(self, worker: "asyncio.Task[None]") -> None:
        self._workers.discard(worker)
        self._changed.set()


async def _wait_for(tasks: Iterable["asyncio.Task[None]"], *, seconds: float | None) -> None:
    if waiting := set(tasks):
        await asyncio.wait(waiting, timeout=seconds)
