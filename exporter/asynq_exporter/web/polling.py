"""Polling as a program: both sides of it with the user's function, and its page."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from aiohttp import web

from asynq_exporter import __version__, connect
from asynq_exporter.core.errors import AsynqError
from asynq_exporter.core.records import Poll, PollingConfig, PollingProgram, SqlRecords
from asynq_exporter.core.worker import Handler
from asynq_exporter.settings import Settings
from asynq_exporter.web import appkeys, headers, records, server
from asynq_exporter.web.app import MAX_BODY_BYTES
from asynq_exporter.web.exposition import Pages
from asynq_exporter.web.worker import WORKER, connected, metrics_page

logger = logging.getLogger(__name__)

RECORDS = web.AppKey("records", SqlRecords)


def run(settings: Settings, poll: Handler) -> int:
    """Polls until SIGTERM or SIGINT; the exit code.

    Raises:
        StartupError: an address cannot be listened on, or the database cannot be used.
        SettingsError: an option, or a file that one names, cannot be used.
    """
    return asyncio.run(_poll(settings, cast("Poll", poll)))


async def _poll(settings: Settings, poll: Poll) -> int:
    async with records.opened(settings) as store, connected(settings) as client:
        program = PollingProgram(store, client, poll, config_of(settings), refunds=records.refunds(settings))
        async with _served(settings, program, store):
            stop = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            logger.info("Polling", extra=_described(settings))
            await program.run(stop)
            logger.info("Stopped")
    return 0


def config_of(settings: Settings) -> PollingConfig:
    """The settings as the core has them."""
    return PollingConfig(
        enabled=settings.polling_enabled,
        fallback=settings.polling_fallback,
        interval_seconds=settings.polling_interval_seconds,
        migrate_existing=settings.polling_migrate_existing,
        queues=settings.polling_queues,
        concurrency=settings.concurrency,
        shutdown_seconds=settings.shutdown_timeout_seconds,
    )


@asynccontextmanager
async def _served(settings: Settings, program: PollingProgram, store: SqlRecords) -> AsyncIterator[None]:
    guard = server.guard_of(settings)
    app = web.Application(middlewares=(guard.middleware,) if guard else (), client_max_size=MAX_BODY_BYTES)
    app[WORKER] = program.server
    app[RECORDS] = store
    app[appkeys.PAGES] = Pages()
    app.on_response_prepare.append(headers.add)
    app.router.add_get(settings.web_telemetry_path, metrics_page)
    app.router.add_get("/-/healthy", _healthy)
    app.router.add_get("/-/ready", _ready)
    tls = guard.tls.context if guard and guard.tls else None
    runner = await server.start(app, settings, tls=tls, option="worker_listen_addresses")
    try:
        yield
    finally:
        await runner.cleanup()


async def _healthy(_request: web.Request) -> web.Response:
    """200 as long as the process serves."""
    return web.Response(text="asynq-exporter poll is healthy.\n")


async def _ready(request: web.Request) -> web.Response:
    """200 when the database answers, else 503; Redis may be away, for then the fallback polls."""
    try:
        await request.app[RECORDS].get("any will do")
    except AsynqError as exc:
        return web.Response(status=503, text=f"The database does not answer: {exc}\n")
    return web.Response(text="asynq-exporter poll is ready.\n")


def _described(settings: Settings) -> dict[str, object]:
    return {
        "version": __version__,
        "addresses": [str(address) for address in settings.worker_listen_addresses],
        "redis": connect.safe_url(settings),
        "database": str(settings.records_database_url),
        "concurrency": settings.concurrency,
    }
