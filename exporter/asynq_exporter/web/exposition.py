"""Prints whole pages of metrics: those of a scan, the count of scrapes, and the process' own."""

from collections import Counter
from collections.abc import Iterable

from isal import igzip

from asynq_exporter import metrics
from asynq_exporter.metrics import api as api_metrics
from asynq_exporter.metrics import exporter, worker_process
from asynq_exporter.metrics.exposition import Format, Printer
from asynq_exporter.metrics.family import Family, by_label
from asynq_exporter.metrics.process import Process
from asynq_exporter.metrics.worker_process import WorkerProcess
from asynq_exporter.scan.queues import label
from asynq_exporter.scan.snapshot import Snapshot

#: The end mark of OpenMetrics.
END = b"# EOF\n"

#: The best ratio of time and size on pages like these.
GZIP_LEVEL = 1


class Pages:
    """Prints pages; keeps the printers, the count of scrapes and the process' own metrics.

    Whoever shares a scan shares its page too: fifty scrapers cost little more than one.
    """

    def __init__(self, api: api_metrics.Counts | None = None, *, with_process: bool = True) -> None:
        """`api` is what the management API counts, where it is on."""
        self._api = api
        self._printers = {format_: Printer(format_, label=label) for format_ in Format}
        self._scrapes: Counter[str] = Counter()
        #: The last whole page, and of what it is.
        self._page: tuple[Snapshot, Format, bytes] | None = None
        self._compressed: tuple[bytes, bytes] = (b"", b"")
        self._process = Process() if with_process else None

    def main(self, snapshot: Snapshot, format_: Format, names: frozenset[str]) -> bytes:
        """The metrics of a snapshot; only those named, when any are."""
        self._scrapes[exporter.result(snapshot)] += 1
        if not names and self._page is not None and self._page[0] is snapshot and self._page[1] is format_:
            return self._page[2]
        families = metrics.collect(snapshot)
        families.append(
            by_label(exporter.SCRAPES, {result: self._scrapes[result] for result in exporter.SCRAPE_RESULTS})
        )
        if self._api is not None:
            families += api_metrics.collect(self._api)
        page = self.print(families, format_, names)
        if not names:
            self._page = snapshot, format_, page
        return page

    def compress(self, page: bytes) -> bytes:
        """A page in gzip."""
        if self._compressed[0] is not page:
            self._compressed = page, igzip.compress(page, GZIP_LEVEL, mtime=0)
        return self._compressed[1]

    def worker(self, process: WorkerProcess, format_: Format, names: frozenset[str]) -> bytes:
        """The metrics of a worker process."""
        return self.print(worker_process.collect(process), format_, names)

    def print(self, families: Iterable[Family], format_: Format, names: frozenset[str]) -> bytes:
        """Families and the process' own metrics as a page."""
        families = [*families, *(self._process.collect() if self._process else ())]
        if names:
            families = [family for family in families if _is_named(family, names)]
        page = self._printers[format_].print(families)
        return page + END if format_ is Format.OPENMETRICS else page


def _is_named(family: Family, names: frozenset[str]) -> bool:
    # A counter is known by the name of its sample and, in OpenMetrics, by that of its family; a histogram by
    # that of its family and of any of its samples.
    name, kind = family.metric.name, family.metric.kind
    others = {
        "counter": (name.removesuffix("_total"),),
        "histogram": (f"{name}_bucket", f"{name}_count", f"{name}_sum"),
    }
    return any(one in names for one in (name, *others.get(kind, ())))
