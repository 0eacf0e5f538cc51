"""The worker processes: they take tasks by weight, hold their leases, end them, and send heartbeats."""

import asyncio
import uuid
from collections.abc import Callable
from random import Random

from redis.asyncio import Redis

from asynq_exporter.core import messages
from asynq_exporter.core.broker import Broker
from asynq_exporter.core.catalog import documented
from asynq_exporter.core.client import Client
from asynq_exporter.core.clock import SystemClock
from asynq_exporter.core.errors import TaskIdConflictError
from asynq_exporter.core.messages import NANOSECONDS, ServerInfo, TaskMessage, WorkerInfo
from asynq_exporter.demo import jobs
from asynq_exporter.demo.routine import SURVIVABLE, every, side_by_side
from asynq_exporter.demo.scenarios import Stage
from asynq_exporter.demo.upkeep import Upkeep
from asynq_exporter.scan.shared import end

PROCESSES = 3
CONCURRENCY = 10

#: Quicker than asynq's 5 s and 10 s: whoever watches a demo watches it now.
HEARTBEAT_SECONDS = 2.0
RECORD_SECONDS = 6

LEASE_CHECK_SECONDS = 10.0

#: A process that found nothing to do looks again after this.
IDLE_SECONDS = 0.25

LEASE_LOST = "asynq: task lease expired"


class WorkerProcess:
    """What would be one process of the company's application."""

    def __init__(self, redis: Redis, stage: Stage, rng: Random, *, host: str, pid: int) -> None:
        self._broker = Broker(redis)
        self._client = Client(redis)
        self._stage = stage
        self._rng = rng
        self._clock = SystemClock()
        self._weights = {name: profile.weight for name, profile in documented().queues.items()}
        self._slots = asyncio.Semaphore(CONCURRENCY)
        #: Task ID -> the task and since when it runs; IDs are unique per queue, so both make the key.
        self._running: dict[tuple[str, str], tuple[TaskMessage, int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = ServerInfo(
            host=host,
            pid=pid,
            server_id=str(uuid.uuid4()),
            concurrency=CONCURRENCY,
            queues=self._weights,
            status="active",
            start_time=messages.timestamp(self._clock.now_ns()),
        )

    async def run(self) -> None:
        """Works for ever; cancelled, it drops everything like a process that dies."""
        try:
            await side_by_side(
                [
                    every(HEARTBEAT_SECONDS, self._heartbeat),
                    every(LEASE_CHECK_SECONDS, self._extend_leases),
                    every(IDLE_SECONDS, self._take_tasks),
                ]
            )
        finally:
            await asyncio.gather(*(end(task) for task in self._tasks))

    async def _take_tasks(self) -> None:
        """Takes tasks as long as there are some and slots are free."""
        while self._stage.now.fetching:
            await self._slots.acquire()
            delivery = None
            try:
                delivery = await self._broker.dequeue(self._order())
            finally:
                if delivery is None:
                    self._slots.release()
            if delivery is None:
                return
            task = asyncio.create_task(self._work(delivery.message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _order(self) -> list[str]:
        """The queues in random order, heavier ones rather first: asynq's weighted priority."""
        # The largest of u^(1/w) is a weighted choice without replacement.
        return sorted(self._weights, key=lambda q: self._rng.random() ** (1 / self._weights[q]), reverse=True)

    async def _work(self, message: TaskMessage) -> None:
        slot = (message.queue, message.id)
        self._running[slot] = (message, self._clock.now_ns())
        try:
            kind = jobs.kind_of(message)
            seconds = self._rng.uniform(*kind.seconds) * self._stage.now.durations
            await asyncio.sleep(min(seconds, jobs.MAX_SECONDS))
            await self._end(message)
        except SURVIVABLE:
            return  # Redis is away or the task is not ours any more: the recoverer will see to it
        finally:
            self._running.pop(slot, None)
            self._slots.release()

    async def _end(self, message: TaskMessage) -> None:
        kind = jobs.kind_of(message)
        if jobs.DOOMED in message.headers or (kind.fails and self._rng.random() < self._stage.now.failures):
            await self._fail(message, self._rng.choice(kind.errors))
        elif self._rng.random() < kind.put_off:
            await self._broker.retry(
                message, retry_at=self._retry_at(message), error="rate limit reached", is_failure=False
            )
        else:
            await self._succeed(message)

    async def _fail(self, message: TaskMessage, error: str) -> None:
        if message.retried >= message.retry:
            await self._broker.archive(message, error=error)
        else:
            await self._broker.retry(message, retry_at=self._retry_at(message), error=error)

    async def _succeed(self, message: TaskMessage) -> None:
        if message.retention:
            await self._broker.write_result(message.queue, message.id, b'{"ok":true}')
            await self._broker.mark_complete(message)
        else:
            await self._broker.done(message)
        if follow_up := jobs.next_poll(message, self._rng):
            task, options = follow_up
            try:
                await self._client.enqueue(task, **options)
            except TaskIdConflictError:
                return  # a recovered task ran twice; its next poll is there already

    def _retry_at(self, message: TaskMessage) -> float:
        if jobs.DOOMED in message.headers:
            wait = 1.0
        else:
            wait = (
                jobs.backoff(message.retried, jobs.kind_of(message).retry_seconds) * self._stage.now.patience
            )
        return self._clock.now_ns() / NANOSECONDS + wait

    async def _heartbeat(self) -> None:
        self._server.active_worker_count = len(self._running)
        workers = [
            WorkerInfo(
                host=self._server.host,
                pid=self._server.pid,
                server_id=self._server.server_id,
                task_id=message.id,
                task_type=message.type,
                task_payload=message.payload,
                queue=message.queue,
                start_time=messages.timestamp(started_ns),
                deadline=messages.timestamp(started_ns + message.timeout * NANOSECONDS),
            )
            for message, started_ns in self._running.values()
        ]
        await self._broker.write_server_state(self._server, workers, ttl_seconds=RECORD_SECONDS)

    async def _extend_leases(self) -> None:
        held: dict[str, list[str]] = {}
        for queue, task_id in self._running:
            held.setdefault(queue, []).append(task_id)
        for queue, task_ids in held.items():
            await self._broker.extend_lease(queue, task_ids)


async def staff(connect: Callable[[str], Redis], stage: Stage, rng: Random) -> None:
    """Runs the processes, and the upkeep that asynq does inside of them, while there are to be workers."""
    while True:
        await stage.until(lambda now: now.workers)
        crew = asyncio.create_task(_crew(connect, stage, rng))
        leaving = asyncio.create_task(stage.until(lambda now: not now.workers))
        try:
            done, _ = await asyncio.wait({crew, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if crew in done:
                crew.result()  # it never ends but by a mistake of ours, which must be seen
        finally:
            await asyncio.gather(end(crew), end(leaving))


async def _crew(connect: Callable[[str], Redis], stage: Stage, rng: Random) -> None:
    clients = [connect(f"worker-{number}") for number in range(PROCESSES)]
    processes = [
        WorkerProcess(client, stage, rng, host=f"app-server-{number}", pid=rng.randint(1000, 32_000))
        for number, client in enumerate(clients)
    ]
    upkeep = Upkeep(clients[0], stage, error=LEASE_LOST)
    try:
        await side_by_side([*(process.run() for process in processes), *upkeep.routines()])
    finally:
        for client in clients:
            await client.aclose()
