"""The program: what is built from the settings, which page is answered by what, and what lives how long."""

import asyncio
import logging
from collections.abc import AsyncIterator

import redis.asyncio
from aiohttp import web
from aiohttp.typedefs import Middleware

from asynq_exporter.core.catalog import Catalog
from asynq_exporter.metrics import api as api_metrics
from asynq_exporter.scan.background.collectors import NAMES, BackgroundCollectors
from asynq_exporter.scan.scanner import UNREACHABLE, QueueFilter, Scanner
from asynq_exporter.scan.shared import Shared, end
from asynq_exporter.scan.snapshot import Snapshot
from asynq_exporter.scan.upstream import UpstreamSampler, UpstreamView
from asynq_exporter.settings import Settings
from asynq_exporter.web import appkeys, headers, metrics, probes, status
from asynq_exporter.web.api import off
from asynq_exporter.web.api.paths import ROOT
from asynq_exporter.web.exposition import Pages
from asynq_exporter.web.reports import Reporter

logger = logging.getLogger(__name__)

#: No page takes a body.
MAX_BODY_BYTES = 1024


def create_app(
    settings: Settings,
    catalog: Catalog,
    client: "redis.asyncio.Redis",
    *,
    api_client: "redis.asyncio.Redis | None" = None,
    where: str = "",
    middlewares: tuple[Middleware, ...] = (),
) -> web.Application:
    """The whole server.

    Args:
        settings: the options.
        catalog: the queues to expect.
        client: where Redis is; closed with the application.
        api_client: the same for the management API, where it has a user of its own; closed too.
        where: the same for people, without secrets.
        middlewares: what every request passes first, such as authentication.
    """
    app = web.Application(middlewares=middlewares, client_max_size=MAX_BODY_BYTES)
    names = tuple(name for name in NAMES if getattr(settings, f"collector_{name}"))
    background = BackgroundCollectors(
        client,
        names,
        interval_seconds=settings.collector_interval_seconds,
        commands_per_second=settings.collector_max_commands_per_second,
    )
    scanner = Scanner(
        client,
        catalog,
        queue_filter=QueueFilter(
            include=settings.queues_include, exclude=settings.queues_exclude, maximum=settings.queues_max
        ),
        samples=background.samples,
    )
    sampler = UpstreamSampler(client, with_memory=settings.collector_memory)
    reporter = Reporter()

    async def scan(timeout_seconds: float) -> Snapshot:
        snapshot = await scanner.scan(timeout_seconds=timeout_seconds)
        reporter.report(snapshot)
        return snapshot

    def late(timeout_seconds: float) -> Snapshot:
        return scanner.unanswered(error=f"no answer within {timeout_seconds:g} s")

    scans = Shared(scan, late, max_age_seconds=settings.scan_cache_ttl_seconds)

    async def view(timeout_seconds: float) -> UpstreamView:
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_seconds
        snapshot = await scans.get(timeout_seconds=timeout_seconds)
        try:
            async with asyncio.timeout_at(end):
                return await sampler.view(snapshot)
        except UNREACHABLE as exc:
            logger.warning("Upstream page could not be sampled", extra={"error": str(exc)})
            await sampler.close()
            return UpstreamView()

    app[appkeys.SETTINGS] = settings
    app[appkeys.WHERE] = where
    app[appkeys.SCANS] = scans
    app[appkeys.VIEWS] = Shared(view, lambda _: UpstreamView())
    counts = api_metrics.Counts() if settings.api_token_file is not None else None
    app[appkeys.PAGES] = Pages(counts)
    app.on_response_prepare.append(headers.add)
    app.router.add_get("/", status.page)
    app.router.add_get(settings.web_telemetry_path, metrics.page)
    app.router.add_get("/metrics/upstream", metrics.upstream_page)
    app.router.add_get("/-/healthy", probes.healthy)
    app.router.add_get("/-/ready", probes.ready)
    if counts is None:
        app.router.add_route("*", ROOT + "{path:.*}", off.page)
    else:
        from asynq_exporter.web.api import site  # noqa: PLC0415 -- pydantic takes long

        site.add_to(
            app,
            settings,
            catalog,
            api_client or client,
            scan=lambda: scans.get(timeout_seconds=settings.scan_timeout_seconds),
            counts=counts,
        )

    async def lifetime(_app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(
            background.run(lambda: scans.get(timeout_seconds=settings.scan_timeout_seconds))
        )
        yield
        await end(task)
        for part in (app[appkeys.VIEWS], scans, scanner, background, sampler):
            await part.close()
        for each in (client, api_client):
            if each is not None:
                await each.aclose()
                await each.connection_pool.disconnect()

    app.cleanup_ctx.append(lifetime)
    return app
