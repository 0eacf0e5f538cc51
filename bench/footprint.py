"""How long the exporters take to start, and the memory they hold."""

import time
from contextlib import AbstractContextManager

from bench import contestants, processes, workload
from bench.report import Section, table

QUEUES = (6, 1000, 5000)
SCRAPES = 20

TEXT = f"""
From the start of the process to its first page, and the resident memory after {SCRAPES} scrapes.
"""


def run() -> str:
    """The table over numbers of queues."""
    rows = []
    with processes.redis_server() as port:
        for queues in QUEUES:
            workload.fill(port, queues, 20)
            ours = _measure(processes.our_exporter(port, f"--queues.max={queues + 10}"))
            go = _measure(processes.go_exporter(port))
            cells = [
                f"{value}" for seconds, mb in (ours, go) for value in (f"{seconds:.2f} s", f"{mb:.0f} MB")
            ]
            rows.append([f"{queues:,}", *cells])
    return table(["queues", "our start", "our memory", "Go start", "Go memory"], rows)


def _measure(serving: AbstractContextManager[str]) -> tuple[float, float]:
    started = time.perf_counter()
    with processes.watched(serving) as (url, process):
        seconds = time.perf_counter() - started
        once = contestants.scrape(url)
        for _ in range(SCRAPES):
            once()
        return seconds, process.memory_info().rss / 1e6


SECTION = Section(name="footprint", title="Start and memory", text=TEXT, run=run)
