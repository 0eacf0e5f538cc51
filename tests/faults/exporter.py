"""The exporter as users run it, and its page as a scraper sees it."""

import contextlib
import http.client
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.parser import text_string_to_metric_families

from asynq_exporter.scan.whole_pass import PARTS
from tests.conftest import free_port, wait_until
from tests.processes import ROOT

#: What a scrape has, and what an answer may take beyond it on a busy machine.
TIMEOUT_SECONDS = 3.0
SLACK_SECONDS = 8.0

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What a scrape got."""

    seconds: float
    samples: Mapping[tuple[str, Labels], float]

    def value(self, name: str, **labels: str) -> float | None:
        """A sample; None where there is none."""
        return self.samples.get((name, tuple(sorted(labels.items()))))

    def labels(self, name: str, label: str) -> set[str]:
        """The values that a label has among the samples of a metric."""
        return {dict(labels)[label] for metric, labels in self.samples if metric == name}

    @property
    def up(self) -> bool:
        """Whether Redis answered."""
        return self.value("asynq_up") == 1


class Exporter:
    """A running exporter."""

    def __init__(self, port: int, process: psutil.Popen, log: Path) -> None:
        self.port = port
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body of a page."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", path, headers=dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.read()

    def scrape(self, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Page:
        """A scrape; it has to be answered with 200 in time, whatever is wrong."""
        started = time.monotonic()
        status, body = self.get("/metrics", {"X-Prometheus-Scrape-Timeout-Seconds": str(timeout_seconds)})
        seconds = time.monotonic() - started
        assert status == http.HTTPStatus.OK
        assert seconds < timeout_seconds + SLACK_SECONDS
        samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
        }
        return Page(seconds, samples)

    def recovers(self) -> Page:
        """The first scrape that is whole again."""

        def whole() -> Page | None:
            page = self.scrape()
            # Background collectors have their own pace.
            good = all(page.value("asynq_exporter_collector_success", collector=part) for part in PARTS)
            return page if page.up and good else None

        return wait_until(whole, what="a scrape is whole again")

    def is_alive(self) -> bool:
        """Whether the process answers for itself."""
        with contextlib.suppress(OSError):
            return self.get("/-/healthy")[0] == http.HTTPStatus.OK
        return False


@contextmanager
def exporting(
    folder: Path, url: str, *flags: str, may_end: bool = False, **options: Any
) -> Iterator[Exporter]:
    """Runs an exporter on a Redis until the block ends; it must not have ended by itself."""
    port = free_port()
    argv = [sys.executable, "-m", "asynq_exporter", "serve", f"--redis.url={url}"]
    argv += [f"--web.listen-address=127.0.0.1:{port}", *flags]
    log = folder / "exporter.log"
    with log.open("wb") as output:
        process = psutil.Popen(argv, stdout=output, stderr=output, cwd=ROOT, **options)
        exporter = Exporter(port, process, log)
        try:
            wait_until(exporter.is_alive, what="the exporter answers")
            yield exporter
            assert may_end or process.poll() is None, exporter.log[-2000:]
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(30)
    assert "Traceback" not in exporter.log, exporter.log[-3000:]
