"""What a handler is given, and the one place where its attempt ends."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from asynq_exporter.core.client import Task
from asynq_exporter.core.clock import Clock
from asynq_exporter.core.messages import NANOSECONDS, TaskMessage
from asynq_exporter.core.worker.broker import WorkerBroker
from asynq_exporter.core.worker.errors import AttemptOverError
from asynq_exporter.core.worker.leases import Lease


class Attempt:
    """A task that is being worked on, as its handler sees it."""

    def __init__(
        self, message: TaskMessage, *, deadline_ns: int, clock: Clock, results: "ResultWriter"
    ) -> None:
        self.task = task_of(message)
        self.id: str = message.id
        self.queue: str = message.queue
        #: Retries counted so far, and how many there may be.
        self.retried: int = message.retried
        self.max_retry: int = message.retry
        #: Unix seconds.
        self.deadline = deadline_ns / NANOSECONDS
        self._clock = clock
        self._results = results

    @property
    def type(self) -> str:
        """What kind of task this is."""
        return self.task.type

    @property
    def payload(self) -> bytes:
        """The bytes that the task was enqueued with."""
        return self.task.payload or b""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that the task was enqueued with."""
        return self.task.headers

    def remaining_seconds(self) -> float:
        """The time until the deadline; never below 0."""
        return max(self.deadline - self._clock.now_ns() / NANOSECONDS, 0.0)

    async def write_result(self, result: bytes) -> int:
        """Keeps bytes with the task, in place of earlier ones; without retention they go with it at the end.

        Returns the number of bytes.

        Raises:
            AttemptOverError: too late, the attempt has ended.
            UnavailableError: Redis does not answer.
        """
        return await self._results.write(result)


Handler = Callable[[Attempt], Awaitable[None]]


class Run:
    """An attempt as its server sees it; of all that can end it the first wins."""

    def __init__(self, message: TaskMessage, *, lease: Lease, started_ns: int, deadline_ns: int) -> None:
        self.message = message
        self.lease = lease
        self.started_ns = started_ns
        self.deadline_ns = deadline_ns
        #: The error, or None for a success; canceled when the task is to go back to its queue.
        self.over: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    @property
    def key(self) -> tuple[str, str]:
        """Queue and ID; an ID alone is one of its kind in its queue only."""
        return self.message.queue, self.message.id

    def end(self, error: Exception | None) -> None:
        """Ends the attempt, unless something else has."""
        if not self.over.done():
            self.over.set_result(error)

    def abort(self) -> None:
        """Ends it without an outcome: there is no more time for it."""
        self.over.cancel()


class ResultWriter:
    """Writes what a handler has to say while its attempt lasts."""

    def __init__(self, broker: WorkerBroker, run: Run) -> None:
        self._broker = broker
        self._run = run

    async def write(self, result: bytes) -> int:
        """Writes; see `Attempt.write_result`."""
        queue, task_id = self._run.key
        if self._run.over.done():
            # The task may be gone by now; its result would make a ghost of it (trap 12).
            raise AttemptOverError(f"the attempt at task {task_id} is over")
        return await self._broker.write_result(queue, task_id, result)


def task_of(message: TaskMessage) -> Task:
    """The part of a message that its maker wrote for the handler."""
    return Task(message.type, message.payload, dict(message.headers))
