"""Is the process alive; does it see Redis."""

from aiohttp import web

from asynq_exporter.web import appkeys

#: A scan this young answers for the present.
FRESH_SECONDS = 15.0


async def healthy(_request: web.Request) -> web.Response:
    """200 as long as the process serves; says nothing of Redis."""
    return web.Response(text="asynq-exporter is healthy.\n")


async def ready(request: web.Request) -> web.Response:
    """200 when the last scan succeeded, else 503 with the reason."""
    scans = request.app[appkeys.SCANS]
    snapshot = scans.latest
    if snapshot is None or not snapshot.up or scans.age_seconds() > FRESH_SECONDS:
        snapshot = await scans.get(timeout_seconds=request.app[appkeys.SETTINGS].scan_timeout_seconds)
    if snapshot.up:
        return web.Response(text="asynq-exporter is ready.\n")
    return web.Response(status=503, text=f"Redis does not answer: {snapshot.error}\n")
