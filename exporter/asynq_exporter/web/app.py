"""The program: what is built from the settings, which page is answered by what, and what lives how long."""

import asyncio
import logging
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Middleware

from asynq_exporter.core.catalog import Catalog
from asynq_exporter.scan.background.collectors import COLLECTORS, BackgroundCollectors
from asynq_exporter.scan.pipe import UNREACHABLE
from asynq_exporter.scan.route import Source
from asynq_exporter.scan.scanner import QueueFilter, Scanner
from asynq_exporter.scan.shared import Shared, end
from asynq_exporter.scan.snapshot import Snapshot
from asynq_exporter.scan.upstream import UpstreamSampler, UpstreamView
from asynq_exporter.settings import Settings
from asynq_exporter.web import appkeys, metrics, probes, status
from asynq_exporter.web.exposition import Pages
from asynq_exporter.web.reports import Reporter

logger = logging.getLogger(__name__)

#: No page takes a body.
MAX_BODY_BYTES = 1024

#: Nothing here is to be framed, guessed at or sent on.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
}


def create_app(
    settings: Settings,
    catalog: Catalog,
    client: Source,
    *,
    where: str = "",
    middlewares: tuple[Middleware, ...] = (),
) -> web.Application:
    """The whole server.

    Args:
        settings: the options.
        catalog: the queues to expect.
        client: where Redis is; closed with the application.
        where: the same for people, without secrets.
        middlewares: what every request passes first, such as authentication.
    """
    app = web.Application(middlewares=middlewares, client_max_size=MAX_BODY_BYTES)
    names = tuple(name for name in COLLECTORS if getattr(settings, f"collector_{name}"))
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
    app[appkeys.PAGES] = Pages()
    app.on_response_prepare.append(_add_headers)
    app.router.add_get("/", status.page)
    app.router.add_get(settings.web_telemetry_path, metrics.page)
    app.router.add_get("/metrics/upstream", metrics.upstream_page)
    app.router.add_get("/-/healthy", probes.healthy)
    app.router.add_get("/-/ready", probes.ready)

    async def lifetime(_app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(
            background.run(lambda: scans.get(timeout_seconds=settings.scan_timeout_seconds))
        )
        yield
        await end(task)
        for part in (app[appkeys.VIEWS], scans, scanner, background, sampler):
            await part.close()
        await client.aclose()

    app.cleanup_ctx.append(lifetime)
    return app


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    # Which library serves, in which version, is nobody's business.
    response.headers["Server"] = "asynq-exporter"
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
