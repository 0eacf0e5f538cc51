"""The company's scheduler of periodic tasks."""

from random import Random

from redis.asyncio import Redis

from asynq_exporter.core.admission import Admission
from asynq_exporter.core.client import Client, Options
from asynq_exporter.core.worker import Scheduler
from asynq_exporter.demo import jobs
from asynq_exporter.demo.process import Process
from asynq_exporter.demo.redis_server import EmbeddedRedis
from asynq_exporter.demo.scenarios import Stage

HEARTBEAT_SECONDS = 3.0

#: When, what, and how other than usual.
PERIODIC: tuple[tuple[str, str, Options], ...] = (
    ("@every 15s", "cache:warm", {"unique_seconds": 10}),
    ("* * * * *", "session:cleanup", {}),
    ("*/5 * * * *", "report:daily", {}),
    ("0 6 * * *", "report:daily", {}),
)


async def run(redis: EmbeddedRedis, stage: Stage, rng: Random) -> None:
    """Schedules while there is to be a scheduler; gone, it leaves no record; for ever."""
    while True:
        await stage.until(lambda now: now.scheduling)
        process = Process(redis, "scheduler")
        try:
            await process.start(make_scheduler(process.redis, rng))
            await stage.until(lambda now: not now.scheduling)
        finally:
            await process.stop()


def make_scheduler(redis: Redis, rng: Random) -> Scheduler:
    """One with all periodic tasks."""
    client = Client(redis, admission=Admission(redis))
    scheduler = Scheduler(redis, heartbeat_seconds=HEARTBEAT_SECONDS, client=client)
    for spec, kind, changes in PERIODIC:
        task, options = jobs.plain_request(jobs.KINDS[kind], rng)
        options.update(changes)
        scheduler.register(spec, task, **options)
    return scheduler
