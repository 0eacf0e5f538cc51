"""The pages for Prometheus: /metrics and the one compatible with upstream's exporter."""

import gzip
from collections import Counter
from collections.abc import Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from asynq_exporter import metrics
from asynq_exporter.metrics import exporter, upstream
from asynq_exporter.metrics.exposition import Format, Printer
from asynq_exporter.metrics.family import Family, by_label
from asynq_exporter.scan.queues import label
from asynq_exporter.scan.snapshot import Snapshot
from asynq_exporter.settings import Settings
from asynq_exporter.web import appkeys

TIMEOUT_HEADER = "X-Prometheus-Scrape-Timeout-Seconds"

#: However little time a scraper leaves, this much is spent on asking Redis.
MIN_TIMEOUT_SECONDS = 0.05

#: The best ratio of time and size on pages like these.
GZIP_LEVEL = 1


class Pages:
    """Prints pages; keeps the printers, the count of scrapes and the process' own metrics."""

    def __init__(self) -> None:
        self._printers = {format_: Printer(format_, label=label) for format_ in Format}
        self._scrapes: Counter[str] = Counter()
        self._registry = CollectorRegistry(auto_describe=True)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)

    def main(self, snapshot: Snapshot, format_: Format, names: frozenset[str]) -> bytes:
        """The metrics of a snapshot; only those named, when any are."""
        self._scrapes[exporter.result(snapshot)] += 1
        families = metrics.collect(snapshot)
        families.append(
            by_label(exporter.SCRAPES, {result: self._scrapes[result] for result in exporter.SCRAPE_RESULTS})
        )
        return self.print(families, format_, names)

    def print(self, families: Iterable[Family], format_: Format, names: frozenset[str]) -> bytes:
        """Families and the process' own metrics as a page."""
        if names:
            families = [family for family in families if _is_named(family, names)]
        text = self._printers[format_].print(families)
        registry = self._registry.restricted_registry(names) if names else self._registry
        print_process = generate_openmetrics if format_ is Format.OPENMETRICS else generate_latest
        return text.encode() + print_process(registry)


async def page(request: web.Request) -> web.Response:
    """The metrics; answers 200 in time whatever Redis does."""
    timeout_seconds = deadline(request, request.app[appkeys.SETTINGS])
    snapshot = await request.app[appkeys.SCANS].get(timeout_seconds=timeout_seconds)
    format_ = negotiate(request.headers.get("Accept", ""))
    return _respond(request, request.app[appkeys.PAGES].main(snapshot, format_, _names(request)), format_)


async def upstream_page(request: web.Request) -> web.Response:
    """The metrics under upstream's names, in the one text format that upstream has."""
    timeout_seconds = deadline(request, request.app[appkeys.SETTINGS])
    view = await request.app[appkeys.VIEWS].get(timeout_seconds=timeout_seconds)
    families = upstream.collect(view.queues, aggregating=view.aggregating, memory_bytes=view.memory_bytes)
    body = request.app[appkeys.PAGES].print(families, Format.PROMETHEUS, _names(request))
    return _respond(request, body, Format.PROMETHEUS)


def deadline(request: web.Request, settings: Settings) -> float:
    """Seconds for the scan: what the scraper grants less the offset, else the configured time."""
    try:
        granted = float(request.headers[TIMEOUT_HEADER])
    except (KeyError, ValueError):
        return settings.scan_timeout_seconds
    if not 0 < granted < float("inf"):
        return settings.scan_timeout_seconds
    return max(granted - settings.scan_timeout_offset_seconds, MIN_TIMEOUT_SECONDS)


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


def _names(request: web.Request) -> frozenset[str]:
    return frozenset(request.query.getall("name[]", ()))


def _is_named(family: Family, names: frozenset[str]) -> bool:
    # A counter is known by the name of its sample and, in OpenMetrics, by that of its family.
    name = family.metric.name
    return name in names or (family.metric.kind == "counter" and name.removesuffix("_total") in names)


def _respond(request: web.Request, body: bytes, format_: Format) -> web.Response:
    headers = {"Content-Type": format_.value, "Vary": "Accept, Accept-Encoding"}
    if accepts_gzip(request.headers.get("Accept-Encoding", "")):
        body = gzip.compress(body, GZIP_LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=body, headers=headers)
