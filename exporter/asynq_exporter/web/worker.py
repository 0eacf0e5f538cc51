"""The worker as a program: a server for tasks with the user's handler, its page, signals that steer it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import redis.asyncio
from aiohttp import web
from aiohttp.typedefs import Middleware

from asynq_exporter import __version__, connect
from asynq_exporter.core.catalog import Catalog
from asynq_exporter.core.policies import retry
from asynq_exporter.core.worker import Handler, Server, ServerConfig, ServerStatus, delay_by
from asynq_exporter.metrics.worker_process import WorkerProcess
from asynq_exporter.scan.pipe import UNREACHABLE
from asynq_exporter.scan.selection import QueueFilter
from asynq_exporter.settings import Settings, SettingsError
from asynq_exporter.web import appkeys, headers, metrics, server
from asynq_exporter.web.app import MAX_BODY_BYTES
from asynq_exporter.web.exposition import Pages
from asynq_exporter.web.steering import Reread, Steering

logger = logging.getLogger(__name__)

CLIENT_NAME = "asynq-worker"

#: What Redis has to answer whoever asks whether the worker is ready.
READY_SECONDS = 5.0

WORKER = web.AppKey("worker", Server)
REDIS: web.AppKey["redis.asyncio.Redis"] = web.AppKey("redis", redis.asyncio.Redis)


def run(settings: Settings, catalog: Catalog, handler: Handler, *, reread: Reread) -> int:
    """Works until SIGTERM or SIGINT; the exit code.

    Raises:
        StartupError: an address cannot be listened on.
        SettingsError: a file that the settings name cannot be used, or no queue is left to serve.
    """
    return asyncio.run(_work(settings, catalog, handler, reread))


def server_config(settings: Settings, catalog: Catalog) -> ServerConfig:
    """The settings as the core has them; raises SettingsError."""
    delay: dict[str, Any] = {}
    if settings.retry_policy != "asynq":
        delay = {"retry_delay": delay_by(retry.documented()[settings.retry_policy])}
    return ServerConfig(
        queues=_weights(settings, catalog),
        strict_priority=settings.queues_strict,
        concurrency=settings.concurrency,
        polling=settings.polling_enabled,
        shutdown_seconds=settings.shutdown_timeout_seconds,
        share_timings=settings.task_timings_share,
        **delay,
    )


def create_worker_app(
    settings: Settings,
    worker: Server,
    client: "redis.asyncio.Redis",
    *,
    middlewares: tuple[Middleware, ...] = (),
) -> web.Application:
    """The pages of a worker: its metrics and probes."""
    app = web.Application(middlewares=middlewares, client_max_size=MAX_BODY_BYTES)
    app[WORKER] = worker
    app[REDIS] = client
    app[appkeys.PAGES] = Pages()
    app.on_response_prepare.append(headers.add)
    app.router.add_get(settings.web_telemetry_path, metrics_page)
    app.router.add_get("/-/healthy", _healthy)
    app.router.add_get("/-/ready", _ready)
    return app


async def metrics_page(request: web.Request) -> web.Response:
    """The metrics of the worker."""
    worker = request.app[WORKER]
    process = WorkerProcess(
        slots=worker.concurrency,
        active=worker.active_tasks,
        status=worker.status,
        timings=worker.timings(),
    )
    format_ = metrics.negotiate(request.headers.get("Accept", ""))
    body = request.app[appkeys.PAGES].worker(process, format_, metrics.names(request))
    return metrics.respond(request, body, format_)


async def _healthy(_request: web.Request) -> web.Response:
    """200 as long as the process serves; says nothing of Redis."""
    return web.Response(text="asynq-exporter worker is healthy.\n")


async def _ready(request: web.Request) -> web.Response:
    """200 when Redis answers and the worker is not about to end, else 503 with the reason.

    A worker that was told to take no tasks is ready: a rollout of that very order must not wait for ever.
    """
    if request.app[WORKER].status is ServerStatus.CLOSED:
        return web.Response(status=503, text="The worker is about to end.\n")
    try:
        async with asyncio.timeout(READY_SECONDS):
            await request.app[REDIS].ping()
    except UNREACHABLE as exc:
        return web.Response(status=503, text=f"Redis does not answer: {exc}\n")
    return web.Response(text="asynq-exporter worker is ready.\n")


async def _work(settings: Settings, catalog: Catalog, handler: Handler, reread: Reread) -> int:
    config = server_config(settings, catalog)
    async with connected(settings) as client:
        worker = Server(client, handler, config)
        # Before any task is taken: an address that is in use is found out here.
        async with _served(settings, worker, client):
            steering = Steering(worker, settings, catalog, reread)
            steering.install()
            try:
                await worker.start()
                logger.info("Working", extra=_described(settings, config.weights))
                await steering.ended.wait()
                logger.info("Stopping", extra={"active": worker.active_tasks})
            finally:
                await worker.shutdown()
                steering.remove()
            logger.info("Stopped")
    return 0


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator["redis.asyncio.Redis"]:
    """The Redis of the settings, as a worker uses it; raises SettingsError."""
    client = connect.make_redis(settings, name=CLIENT_NAME)
    try:
        yield client
    finally:
        await client.aclose()
        await client.connection_pool.disconnect()


@asynccontextmanager
async def _served(settings: Settings, worker: Server, client: "redis.asyncio.Redis") -> AsyncIterator[None]:
    guard = server.guard_of(settings)
    app = create_worker_app(settings, worker, client, middlewares=(guard.middleware,) if guard else ())
    tls = guard.tls.context if guard and guard.tls else None
    runner = await server.start(app, settings, tls=tls, option="worker_listen_addresses")
    try:
        yield
    finally:
        await runner.cleanup()


def _weights(settings: Settings, catalog: Catalog) -> dict[str, int]:
    wanted = QueueFilter(include=settings.queues_include, exclude=settings.queues_exclude)
    names, _ = wanted.select(set(catalog.queues), first=())
    if not names:
        raise SettingsError(
            "no queue is left to serve; widen --queues.include, or narrow --queues.exclude,"
            f" of {', '.join(catalog.queues) or 'no queues: describe some in the config file'}"
        )
    return {name: profile.weight for name, profile in catalog.queues.items() if name in names}


def _described(settings: Settings, weights: Mapping[str, int]) -> dict[str, object]:
    return {
        "version": __version__,
        "addresses": [str(address) for address in settings.worker_listen_addresses],
        "redis": connect.safe_url(settings),
        "queues": ",".join(f"{name}={weight}" for name, weight in weights.items()),
        "concurrency": settings.concurrency,
        "polling": settings.polling_enabled,
    }
