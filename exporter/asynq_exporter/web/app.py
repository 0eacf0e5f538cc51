"""The program: what is built from the settings, which page is answered by what, and what lives how long."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import redis.asyncio
from aiohttp import web
from aiohttp.typedefs import Middleware

from asynq_exporter.core.catalog import Catalog
from asynq_exporter.metrics import api as api_metrics
from asynq_exporter.scan.cluster import Cluster
from asynq_exporter.scan.route import Source
from asynq_exporter.scan.shared import end
from asynq_exporter.settings import Settings
from asynq_exporter.settings.targets import Target
from asynq_exporter.web import appkeys, headers, memory, metrics, probes, record_numbers, status
from asynq_exporter.web import targets as further
from asynq_exporter.web.api import off
from asynq_exporter.web.api.paths import ROOT
from asynq_exporter.web.exposition import Pages
from asynq_exporter.web.watch import Watch

#: No page takes a body.
MAX_BODY_BYTES = 1024


def create_app(
    settings: Settings,
    catalog: Catalog,
    source: Source,
    *,
    api_client: "redis.asyncio.Redis | None" = None,
    where: str = "",
    targets: Sequence[Target] = (),
    middlewares: tuple[Middleware, ...] = (),
) -> web.Application:
    """The whole server.

    Args:
        settings: the options.
        catalog: the queues to expect.
        source: where Redis is; closed with the application.
        api_client: where the management API finds it, when that is elsewhere or another user; closed too.
        where: the same for people, without secrets.
        targets: further Redis, to be asked for by name.
        middlewares: what every request passes first, such as authentication.
    """
    app = web.Application(middlewares=(*middlewares, memory.guard), client_max_size=MAX_BODY_BYTES)
    watch = Watch(settings, catalog, source, records=record_numbers.collector(settings))
    counts = api_metrics.Counts() if settings.api_token_file is not None else None
    app[appkeys.SETTINGS] = settings
    app[appkeys.WHERE] = where
    app[appkeys.SCANS] = watch.scans
    app[appkeys.VIEWS] = watch.views
    app[appkeys.PAGES] = Pages(counts)
    others = further.add(app, targets)
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

        client = api_client or source
        assert not isinstance(client, Cluster)  # noqa: S101 -- there connect makes the API a client of its own
        site.add_to(
            app,
            settings,
            catalog,
            client,
            scan=lambda: watch.scans.get(timeout_seconds=settings.scan_timeout_seconds),
            counts=counts,
        )

    async def lifetime(_app: web.Application) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(each.collect_when_scanned()) for each in others]
        tasks.append(asyncio.create_task(watch.collect()))
        yield
        for task in tasks:
            await end(task)
        for each in (*others, watch):
            await each.close()
        if api_client is not None:
            await api_client.aclose()

    app.cleanup_ctx.append(lifetime)
    return app
