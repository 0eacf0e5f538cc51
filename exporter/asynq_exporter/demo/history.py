"""What happened before the demo began, made by the core with a clock that goes back."""

from random import Random

from redis.asyncio import Redis

from asynq_exporter.core import keys
from asynq_exporter.core.broker import Broker
from asynq_exporter.core.broker.base import STATS_TTL_SECONDS
from asynq_exporter.core.client import Client
from asynq_exporter.core.clock import utc_day
from asynq_exporter.core.messages import NANOSECONDS, TaskMessage
from asynq_exporter.demo import jobs
from asynq_exporter.demo.jobs import KINDS, Request
from asynq_exporter.demo.past import PastClock

HOUR = 3600
DAY = 24 * HOUR

#: Attempts of an ordinary day, and the share of them that failed.
ATTEMPTS_A_DAY = {
    "critical": 5200,
    "high": 2900,
    "default": 8700,
    "scheduled": 5600,
    "low": 900,
    "dead_letter": 240,
}
FAILURES = 0.002
DAYS = 7

#: Queue -> ages of its dead letters.
DEAD_LETTERS = {
    "dead_letter": (0.4 * HOUR, 3 * HOUR, 7 * HOUR, 1.2 * DAY, 2 * DAY, 2.5 * DAY, 5 * DAY),
    "default": (2 * HOUR, 9 * HOUR, 1.5 * DAY, 3 * DAY),
    "high": (6 * HOUR, 4 * DAY),
    "scheduled": (0.7 * HOUR, 5 * HOUR, 11 * HOUR, 2 * DAY, 6 * DAY),
    "low": (3.5 * DAY,),
}

#: Type -> kept successes, retries and scheduled tasks at the beginning.
COMPLETED = {"payment:callback": 60, "image:resize": 50, "video:transcode": 20, "report:daily": 3}
RETRIES = {"email:send": 3, "webhook:deliver": 4, "task:process": 5, "video:transcode": 2}
SCHEDULED = {"task:process": 30, "report:daily": 3, "email:send": 12}
GROUPED = {"notification:add": 18}


class History:
    """Writes the past into an empty Redis that nobody works on yet."""

    def __init__(self, redis: Redis, rng: Random) -> None:
        self._redis = redis
        self._rng = rng
        self._clock = PastClock()
        self._client = Client(redis, self._clock)
        self._broker = Broker(redis, self._clock)

    async def write(self) -> None:
        """All of it."""
        await self._counters()
        await self._dead_letters()
        await self._completed()
        await self._retries()
        await self._waiting()
        self._clock.seconds_ago = 0

    async def _counters(self) -> None:
        # By hand: thousands of attempts through the core would keep the visitor waiting.
        now_ns = self._clock.now_ns()
        pipe = self._redis.pipeline(transaction=False)
        for queue, usual in ATTEMPTS_A_DAY.items():
            for days_ago in range(DAYS):
                attempts = int(usual * self._rng.uniform(0.8, 1.2))
                failures = int(attempts * FAILURES * self._rng.uniform(0.5, 1.5))
                day = utc_day(now_ns - days_ago * DAY * NANOSECONDS)
                pipe.set(keys.processed_on(queue, day), attempts, ex=STATS_TTL_SECONDS - days_ago * DAY)
                pipe.set(keys.failed_on(queue, day), failures, ex=STATS_TTL_SECONDS - days_ago * DAY)
                pipe.incrby(keys.processed(queue), attempts)
                pipe.incrby(keys.failed(queue), failures)
        await pipe.execute()

    async def _dead_letters(self) -> None:
        for queue, ages in DEAD_LETTERS.items():
            kind = jobs.kinds_of(queue)[0]
            for age in ages:
                message = await self._started(jobs.plain_request(kind, self._rng), seconds_ago=age)
                await self._broker.archive(message, error=self._rng.choice(kind.errors))

    async def _completed(self) -> None:
        for name, count in COMPLETED.items():
            kind = KINDS[name]
            for _ in range(count):
                age = self._rng.uniform(0, kind.retention_seconds)
                message = await self._started(jobs.plain_request(kind, self._rng), seconds_ago=age)
                await self._broker.mark_complete(message)

    async def _retries(self) -> None:
        for name, count in RETRIES.items():
            kind = KINDS[name]
            for number in range(count):
                message = await self._started(jobs.plain_request(kind, self._rng), seconds_ago=60)
                for _ in range(number % 3):
                    await self._retry(message, in_seconds=0)
                    await self._broker.forward([kind.queue])
                    message = await self._taken(kind.queue)
                await self._retry(message, in_seconds=60 + self._rng.uniform(0, kind.retry.max_seconds))

    async def _waiting(self) -> None:
        self._clock.seconds_ago = 0
        for name, count in SCHEDULED.items():
            requests = [jobs.plain_request(KINDS[name], self._rng) for _ in range(count)]
            await self._client.enqueue_many(
                [(task, {**o, "process_in_seconds": self._rng.uniform(5, 600)}) for task, o in requests]
            )
        for name, count in GROUPED.items():
            for _ in range(count):
                self._clock.seconds_ago = self._rng.uniform(0, 30)
                task, options = jobs.request(KINDS[name], self._rng)
                await self._client.enqueue(task, **options)

    async def _started(self, request: Request, *, seconds_ago: float) -> TaskMessage:
        """A task that a worker took at a moment of the past."""
        self._clock.seconds_ago = seconds_ago
        task, options = request
        await self._client.enqueue(task, **options)
        return await self._taken(options["queue"])

    async def _taken(self, queue: str) -> TaskMessage:
        delivery = await self._broker.dequeue([queue])
        if delivery is None:
            raise RuntimeError(f"queue {queue!r} of a Redis of our own is empty; who else works on it?")
        return delivery.message

    async def _retry(self, message: TaskMessage, *, in_seconds: float) -> None:
        error = self._rng.choice(KINDS[message.type].errors)
        at = self._clock.now_ns() / NANOSECONDS + in_seconds
        await self._broker.retry(message, retry_at=at, error=error)
