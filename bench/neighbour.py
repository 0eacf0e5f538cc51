"""What another client of the same Redis feels of a scrape."""

import statistics
from contextlib import ExitStack

from bench import processes, workload
from bench.pings import pings
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
        rows.append(_row("nothing", pings(port, None, seconds=SECONDS)))
        rows.append(_row("our scrapes", pings(port, our_url, seconds=SECONDS)))
        rows.append(_row("Go scrapes", pings(port, go_url, seconds=SECONDS)))
    return table(["meanwhile", "p50", "p99", "p99.9", "worst"], rows)


def _row(name: str, times: list[float]) -> list[str]:
    cuts = statistics.quantiles(times, n=1000)
    return [name, *(f"{1000 * t:.2f} ms" for t in (cuts[499], cuts[989], cuts[998], max(times)))]


SECTION = Section(name="neighbour", title="A neighbour on the same Redis", text=TEXT, run=run)
