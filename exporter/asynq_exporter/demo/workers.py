"""The company's worker processes: hired, released anew, and dead, as the conditions say."""

from random import Random

from asynq_exporter.core.catalog import documented
from asynq_exporter.core.client import Task
from asynq_exporter.core.worker import Handler, Server, ServerConfig
from asynq_exporter.demo import jobs
from asynq_exporter.demo.handlers import is_failure
from asynq_exporter.demo.process import Process
from asynq_exporter.demo.redis_server import EmbeddedRedis
from asynq_exporter.demo.routine import side_by_side
from asynq_exporter.demo.scenarios import Conditions, Stage

PROCESSES = 3
CONCURRENCY = 10

#: Whoever watches a demo watches it now: most of this is quicker than asynq's own.
HEARTBEAT_SECONDS = 3.0
FORWARD_SECONDS = 1.0
RECOVER_SECONDS = 10.0
RECOVER_GRACE_SECONDS = 30.0
SHUTDOWN_SECONDS = 1.0

NEVER_SECONDS = 1e8

#: When a group becomes one task: quiet, waiting, or full.
GROUP_GRACE_SECONDS = 20.0
GROUP_DELAY_SECONDS = 60.0
GROUP_SIZE = 15


async def staff(redis: EmbeddedRedis, handler: Handler, stage: Stage, rng: Random) -> None:
    """Keeps all positions filled while there are to be workers; for ever."""
    await side_by_side(_fill(redis, handler, stage, rng, number) for number in range(PROCESSES))


def server_config(stage: Stage, rng: Random, *, number: int) -> ServerConfig:
    """What a process is to do under the conditions of now."""

    def delay_seconds(retried: int, _error: Exception, task: Task) -> float:
        return jobs.retry_policy(task).delay_seconds(retried) * stage.now.patience

    now = stage.now
    return ServerConfig(
        concurrency=CONCURRENCY,
        queues={name: profile.weight for name, profile in documented().queues.items()},
        polling=now.fetching,
        retry_delay=delay_seconds,
        is_failure=is_failure,
        aggregator=jobs.digest,
        group_grace_seconds=GROUP_GRACE_SECONDS,
        group_max_delay_seconds=GROUP_DELAY_SECONDS,
        group_max_size=GROUP_SIZE,
        forward_seconds=FORWARD_SECONDS if now.forwarding else NEVER_SECONDS,
        shutdown_seconds=SHUTDOWN_SECONDS,
        share_timings=True,
        heartbeat_seconds=HEARTBEAT_SECONDS,
        recover_seconds=RECOVER_SECONDS,
        # It looks at the start too, so its interval alone would not keep it off.
        recover_grace_seconds=RECOVER_GRACE_SECONDS if now.recovering else NEVER_SECONDS,
        host=f"app-server-{number}",
        pid=rng.randint(1000, 32_000),
        random=rng,
    )


async def _fill(redis: EmbeddedRedis, handler: Handler, stage: Stage, rng: Random, number: int) -> None:
    while True:
        await stage.until(lambda now: now.workers)
        release = _release(stage.now)
        process = Process(redis, f"worker-{number}")
        try:
            await process.start(Server(process.redis, handler, server_config(stage, rng, number=number)))
            await stage.until(lambda now: _release(now) != release)  # noqa: B023
        finally:
            await (process.stop() if stage.now.workers else process.kill())


def _release(now: Conditions) -> tuple[bool, ...]:
    """What a process cannot change while it lives; another one takes its place."""
    return now.workers, now.fetching, now.forwarding, now.recovering
