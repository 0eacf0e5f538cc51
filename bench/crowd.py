"""Many scrapers at the same time."""

import statistics
import threading
from contextlib import ExitStack

from bench import contestants, processes, workload
from bench.report import Section, table

QUEUES = 1000
SCRAPERS = (1, 10, 50)
SCRAPES = 6

TEXT = f"""
{QUEUES:,} queues; each scraper fetches {SCRAPES} pages one after the other. Ours shares one scan among all who ask at the same time.
"""


def run() -> str:
    """The table over numbers of scrapers."""
    rows: list[list[str]] = []
    alone: dict[str, float] = {}
    with processes.redis_server() as port, ExitStack() as stack:
        workload.fill(port, QUEUES, 20)
        urls = {
            "ours": stack.enter_context(processes.our_exporter(port, *processes.scrape_only(QUEUES))),
            "Go": stack.enter_context(processes.go_exporter(port)),
        }
        for count in SCRAPERS:
            row = [str(count)]
            for name, url in urls.items():
                times = _crowd(url, count)
                middle, high = statistics.median(times), statistics.quantiles(times, n=100)[98]
                alone.setdefault(name, middle)
                row += [f"{1000 * middle:.0f} ms", f"{1000 * high:.0f} ms", f"{high / alone[name]:.1f}"]
            rows.append(row)
    columns = ["p50", "p99", "p99 / p50 of one"]
    head = [f"{name}, {column}" for name in ("ours", "Go") for column in columns]
    return table(["scrapers", *head], rows)


def _crowd(url: str, count: int) -> list[float]:
    """Seconds of each scrape."""
    times: list[float] = []
    together = threading.Barrier(count)

    def scrape() -> None:
        once = contestants.scrape(url)
        once()
        together.wait()
        times.extend(once() for _ in range(SCRAPES))

    threads = [threading.Thread(target=scrape) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


SECTION = Section(name="crowd", title="Many scrapers", text=TEXT, run=run)
