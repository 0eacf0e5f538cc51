"""The demo as a whole: what starts, in which order, and that nothing is left of it."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from random import Random
from typing import Any

from redis.asyncio import Redis

from asynq_exporter import connect
from asynq_exporter.core import keys
from asynq_exporter.core.admission import Admission
from asynq_exporter.core.breakers import Breakers
from asynq_exporter.core.catalog import documented
from asynq_exporter.core.client import Client
from asynq_exporter.core.clock import SystemClock
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.demo import banner, scheduler, workers
from asynq_exporter.demo.dead_letters import DeadLetters
from asynq_exporter.demo.handlers import make_mux
from asynq_exporter.demo.history import History
from asynq_exporter.demo.orphans import Orphans
from asynq_exporter.demo.pauses import Pauses
from asynq_exporter.demo.producers import Producers
from asynq_exporter.demo.redis_server import EmbeddedRedis
from asynq_exporter.demo.routine import attempt, side_by_side
from asynq_exporter.demo.scenarios import TABLE, Stage, direct
from asynq_exporter.scan.shared import end
from asynq_exporter.settings import OPTIONS, REDIS, TLS, Settings, StartupError
from asynq_exporter.settings.options import Address
from asynq_exporter.settings.redis_url import RedisUrl
from asynq_exporter.web import server
from asynq_exporter.web.app import create_app

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
TOGGLE_SIGNAL = signal.SIGUSR1

#: Background samples as often, so that whoever watches sees them move.
COLLECTOR_SECONDS = 5.0

#: The log is the exporter's: dozens of lines a second about tasks, and all that workers say of failed ones,
#: would drown it. Whoever wants them asks for debug.
HUSHED = {"asynq_exporter.core": logging.WARNING, "asynq_exporter.core.worker": logging.ERROR}


def run(settings: Settings, *, scenario: str) -> int:
    """Runs the demo until SIGTERM or SIGINT; the exit code.

    Whatever the settings say of Redis is left aside: the demo brings its own.

    Raises:
        StartupError: there is no redis-server to run, an address cannot be listened on, or no such scenario.
    """
    if scenario not in TABLE:
        raise StartupError(f"no scenario {scenario!r}; choose one of {', '.join(TABLE)}")
    return asyncio.run(_play(settings, scenario))


def demo_settings(settings: Settings, redis_url: str) -> Settings:
    """The settings with the demo's own Redis in place of the user's."""
    defaults = {f.name: f.default for f in fields(Settings)}
    foreign = {name: defaults[name] for name, each in OPTIONS.items() if each.group in (REDIS, TLS)}
    changes: dict[str, Any] = {
        **foreign,
        "redis_url": RedisUrl.parse(redis_url),
        # The demo's workers share them, and there is nothing that is not to be seen.
        "collector_task_timings": True,
    }
    if settings.collector_interval_seconds == defaults["collector_interval_seconds"]:
        changes["collector_interval_seconds"] = COLLECTOR_SECONDS
    return replace(settings, **changes)


async def _play(settings: Settings, scenario: str) -> int:
    stop, toggle = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(TOGGLE_SIGNAL, toggle.set)
    _hush()
    redis = await EmbeddedRedis.open()
    try:
        settings = demo_settings(settings, redis.url)
        async with redis.client("demo") as client:
            parts = await _workload(redis, client, scenario, toggle)
            async with _meanwhile(parts, stop):
                await _first_heartbeats(client, stop)
                async with _exporter(settings) as addresses:
                    banner.tell(banner.banner(settings, addresses=addresses, redis=redis, scenario=scenario))
                    toggle.set()
                    await stop.wait()
    finally:
        await redis.close()
    banner.tell("Stopped; nothing is left of the demo.")
    return 0


def _hush() -> None:
    chosen = logging.getLogger().getEffectiveLevel()
    for name, level in HUSHED.items() if chosen > logging.DEBUG else ():
        logging.getLogger(name).setLevel(max(level, chosen))


async def _workload(
    redis: EmbeddedRedis, client: Redis, scenario: str, toggle: asyncio.Event
) -> list[Coroutine[Any, Any, None]]:
    """Writes the past; returns what makes the present, each to run for ever."""
    rng = Random()  # noqa: S311 - a company's ups and downs are no secret
    await History(client, rng).write()
    stage = Stage()
    admission = Admission(client)
    queue = Client(client, admission=admission)
    mux = make_mux(queue, Breakers(client), stage, rng)
    orphans = Orphans(redis, client, stage, rng)
    await orphans.pair()
    return [
        redis.follow(stage, banner.tell),
        workers.staff(redis, mux, stage, rng),
        scheduler.run(redis, stage, rng),
        *Producers(client, admission, queue, stage, rng).routines(),
        *DeadLetters(client, queue, stage, rng).routines(),
        Pauses(client, stage).run(),
        orphans.run(),
        direct(TABLE[scenario], stage, toggle, banner.tell),
    ]


@asynccontextmanager
async def _meanwhile(parts: list[Coroutine[Any, Any, None]], stop: asyncio.Event) -> AsyncIterator[None]:
    """Runs all parts meanwhile; a mistake of ours in one of them ends the demo and is raised."""
    playing = asyncio.create_task(side_by_side(parts))
    playing.add_done_callback(lambda _: stop.set())
    try:
        yield
    finally:
        await end(playing)
    if not playing.cancelled():
        playing.result()


async def _first_heartbeats(client: Redis, stop: asyncio.Event) -> None:
    """Waits for the workers and the scheduler to be there, so that the first page shows a healthy company."""

    async def look() -> None:
        while not (stop.is_set() or await _all_there(client)):  # noqa: ASYNC110 - Redis has no events for us
            await asyncio.sleep(0.01)

    # However long it takes on a machine with other things to do; without Redis nobody comes.
    await attempt(look)


async def _all_there(client: Redis) -> bool:
    now = SystemClock().now_ns() / NANOSECONDS
    alive = await client.zcount(keys.SERVERS, now, "+inf")
    scheduling = await client.zcount(keys.SCHEDULERS, now, "+inf")
    return alive >= workers.PROCESSES and scheduling > 0


@asynccontextmanager
async def _exporter(settings: Settings) -> AsyncIterator[list[Address]]:
    """The same server as `serve`; yields where it listens, with ports that were chosen for us."""
    app = create_app(settings, documented(), connect.make_redis(settings), where=connect.safe_url(settings))
    runner = await server.start(app, settings)
    try:
        yield [Address(host=host, port=port) for host, port, *_ in runner.addresses]
    finally:
        await runner.cleanup()
