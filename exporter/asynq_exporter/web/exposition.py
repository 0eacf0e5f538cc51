"""Prints whole pages of metrics: those of a scan, the count of scrapes, and the process' own."""

from collections import Counter
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from asynq_exporter import metrics
from asynq_exporter.metrics import exporter
from asynq_exporter.metrics.exposition import Format, Printer
from asynq_exporter.metrics.family import Family, by_label
from asynq_exporter.scan.queues import label
from asynq_exporter.scan.snapshot import Snapshot


class Pages:
    """Prints pages; keeps the printers, the count of scrapes and the process' own metrics."""

    def __init__(self, *, with_process: bool = True) -> None:
        self._printers = {format_: Printer(format_, label=label) for format_ in Format}
        self._scrapes: Counter[str] = Counter()
        self._registry = CollectorRegistry(auto_describe=True)
        for collector in (ProcessCollector, PlatformCollector, GCCollector) if with_process else ():
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


def _is_named(family: Family, names: frozenset[str]) -> bool:
    # A counter is known by the name of its sample and, in OpenMetrics, by that of its family.
    name = family.metric.name
    return name in names or (family.metric.kind == "counter" and name.removesuffix("_total") in names)
