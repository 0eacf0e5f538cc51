"""What another client of the same Redis feels of a scrape."""

import multiprocessing
import statistics
import time
from contextlib import ExitStack

import redis

from bench import contestants, processes, workload
from bench.report import Section, table

QUEUES = 1000
SECONDS = 8.0

TEXT = f"""
Another client sends PING after PING while scrapes of {QUEUES:,} queues follow one another; "nothing" is the same client alone. Both
exporters share the machine's processors with Redis and the client, so part of what is seen is the machine.
"""


def run() -> str:
    """The table of PING's latencies."""
    rows = []
    with processes.redis_server() as port, ExitStack() as stack:
        workload.fill(port, QUEUES, 20)
        off = [f"--no-collector.{name}" for name in ("memory", "groups", "types")]
        our_url = stack.enter_context(processes.our_exporter(port, f"--queues.max={QUEUES + 10}", *off))
        go_url = stack.enter_context(processes.go_exporter(port))
        rows.append(_row("nothing", _pings(port, None)))
        rows.append(_row("our scrapes", _pings(port, our_url)))
        rows.append(_row("Go scrapes", _pings(port, go_url)))
    return table(["meanwhile", "p50", "p99", "p99.9", "worst"], rows)


def _pings(port: int, url: str | None) -> list[float]:
    """Seconds of each PING while something else goes on, in a process of its own."""
    other = multiprocessing.Process(target=_keep_scraping, args=(url,), daemon=True) if url else None
    client = redis.Redis(port=port)
    client.ping()
    if other:
        other.start()
    times, end = [], time.monotonic() + SECONDS
    while time.monotonic() < end:
        started = time.perf_counter()
        client.ping()
        times.append(time.perf_counter() - started)
    if other:
        other.kill()
        other.join()
    return times


def _keep_scraping(url: str) -> None:
    once = contestants.scrape(url)
    while True:
        once()


def _row(name: str, times: list[float]) -> list[str]:
    cuts = statistics.quantiles(times, n=1000)
    return [name, *(f"{1000 * t:.2f} ms" for t in (cuts[499], cuts[989], cuts[998], max(times)))]


SECTION = Section(name="neighbour", title="A neighbour on the same Redis", text=TEXT, run=run)
