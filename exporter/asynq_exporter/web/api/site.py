"""Puts the API into the application."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web
from redis.asyncio import Redis

from asynq_exporter.core.catalog import Catalog
from asynq_exporter.core.clock import SystemClock
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.metrics.api import Counts
from asynq_exporter.scan.shared import end
from asynq_exporter.scan.snapshot import Snapshot
from asynq_exporter.settings import Settings
from asynq_exporter.web.api import openapi, page
from asynq_exporter.web.api.answers import Answers
from asynq_exporter.web.api.attempts import Attempts
from asynq_exporter.web.api.context import Context
from asynq_exporter.web.api.endpoints import ENDPOINTS
from asynq_exporter.web.api.gate import Gate
from asynq_exporter.web.api.paths import PREFIX, ROOT
from asynq_exporter.web.api.records import Records
from asynq_exporter.web.api.tokens import Tokens


def add_to(
    app: web.Application,
    settings: Settings,
    catalog: Catalog,
    client: Redis,
    *,
    scan: Callable[[], Awaitable[Snapshot]],
    counts: Counts,
) -> None:
    """Adds the endpoints, the document and the page; raises SettingsError for a token file that is wrong."""
    assert settings.api_token_file is not None  # noqa: S101 -- else the API is off
    clock = SystemClock()
    records = Records(settings, client)
    gate = Gate(
        Context(
            inspector=Inspector(client, clock),
            catalog=catalog,
            scan=scan,
            records=records,
            payloads=settings.api_payloads,
        ),
        tokens=Tokens(settings.api_token_file),
        attempts=Attempts(time.monotonic),
        answers=Answers(client, clock),
        counts=counts,
        read_only=settings.api_read_only,
    )
    for endpoint in ENDPOINTS:
        app.router.add_route(endpoint.method, PREFIX + endpoint.path, gate.handler(endpoint))
    app.router.add_route("GET", ROOT + "openapi.json", openapi.page)
    app.router.add_route("GET", ROOT, page.page)
    app.middlewares.append(gate.middleware)

    async def lifetime(_app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(records.keep_completing())
        yield
        await end(task)
        await records.close()

    app.cleanup_ctx.append(lifetime)
