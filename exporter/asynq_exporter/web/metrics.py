"""The pages for Prometheus: /metrics and the one compatible with upstream's exporter."""

from aiohttp import web

from asynq_exporter.metrics import upstream
from asynq_exporter.metrics.exposition import Format
from asynq_exporter.scan.snapshot import Snapshot
from asynq_exporter.settings import Settings
from asynq_exporter.web import appkeys
from asynq_exporter.web.exposition import Pages

TIMEOUT_HEADER = "X-Prometheus-Scrape-Timeout-Seconds"

#: However little time a scraper leaves, this much is spent on asking Redis.
MIN_TIMEOUT_SECONDS = 0.05

#: Longer no scraper waits; a stranger who says so would keep a scan of a Redis that hangs under way for ever.
MAX_TIMEOUT_SECONDS = 120.0


async def page(request: web.Request) -> web.Response:
    """The metrics; answers 200 in time whatever Redis does."""
    timeout_seconds = deadline(request, request.app[appkeys.SETTINGS])
    snapshot = await request.app[appkeys.SCANS].get(timeout_seconds=timeout_seconds)
    return respond_snapshot(request, request.app[appkeys.PAGES], snapshot)


async def upstream_page(request: web.Request) -> web.Response:
    """The metrics under upstream's names, in the one text format that upstream has."""
    timeout_seconds = deadline(request, request.app[appkeys.SETTINGS])
    view = await request.app[appkeys.VIEWS].get(timeout_seconds=timeout_seconds)
    families = upstream.collect(view.queues, aggregating=view.aggregating, memory_bytes=view.memory_bytes)
    body = request.app[appkeys.PAGES].print(families, Format.PROMETHEUS, names(request))
    return respond(request, body, Format.PROMETHEUS)


def respond_snapshot(request: web.Request, pages: Pages, snapshot: Snapshot) -> web.Response:
    """The page of a snapshot, in the format that the scraper likes best."""
    format_ = negotiate(request.headers.get("Accept", ""))
    return respond(request, pages.main(snapshot, format_, names(request)), format_)


def deadline(request: web.Request, settings: Settings) -> float:
    """Seconds for the scan: what the scraper grants less the offset, else the configured time."""
    try:
        granted = float(request.headers[TIMEOUT_HEADER])
    except (KeyError, ValueError):
        return settings.scan_timeout_seconds
    if not 0 < granted < float("inf"):
        return settings.scan_timeout_seconds
    asked = min(granted, MAX_TIMEOUT_SECONDS) - settings.scan_timeout_offset_seconds
    return max(asked, MIN_TIMEOUT_SECONDS)


def negotiate(accept: str) -> Format:
    """The format a scraper likes best; Prometheus' own text when it does not say."""
    weights = _weights(accept)
    openmetrics = weights.get("application/openmetrics-text", 0.0)
    text = max(weights.get(kind, 0.0) for kind in ("text/plain", "text/*"))
    return Format.OPENMETRICS if openmetrics > 0 and openmetrics >= text else Format.PROMETHEUS


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a scraper takes gzip."""
    weights = _weights(accept_encoding)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _weights(header: str) -> dict[str, float]:
    """Value -> weight of an Accept header; the highest where a value comes more than once."""
    weights: dict[str, float] = {}
    for item in header.split(","):
        value, *parameters = (part.strip() for part in item.split(";"))
        weight = 1.0
        for parameter in parameters:
            key, _, text = parameter.partition("=")
            if key.strip() == "q":
                try:
                    weight = float(text)
                except ValueError:
                    weight = 0.0
        weights[value.lower()] = max(weight, weights.get(value.lower(), 0.0))
    return weights


def names(request: web.Request) -> frozenset[str]:
    """The families that are asked for; none of them is all."""
    return frozenset(request.query.getall("name[]", ()))


def respond(request: web.Request, body: bytes, format_: Format) -> web.Response:
    """A page of metrics as an answer."""
    headers = {"Content-Type": format_.value, "Vary": "Accept, Accept-Encoding"}
    if accepts_gzip(request.headers.get("Accept-Encoding", "")):
        body = request.app[appkeys.PAGES].compress(body)
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=body, headers=headers)
