"""Whether the exporter grows with the number of scrapes: it must not."""

import statistics
import sys

import psutil
import redis

from bench import contestants, processes, workload
from bench.report import Section, table

QUEUES = 100
SCRAPES = (100, 1_000, 5_000, 10_000)

#: After it the memory is to stay as it is.
SETTLED = 1_000

TEXT = f"""
{SCRAPES[-1]:,} scrapes of {QUEUES} queues over one connection, with everything switched on as users run it. Between any two of them tasks
come and end in {workload.STIRRED} queues and a server writes another heartbeat; after every {workload.STAY} a queue goes and one with a name
never seen before comes. Memory is resident memory; a scrape is the median since the line above.
"""


def run() -> str:
    """The table over numbers of scrapes."""
    with processes.redis_server() as port:
        names = workload.fill(port, QUEUES, 20)
        serving = processes.our_exporter(port, f"--queues.max={QUEUES + 10}")
        with processes.watched(serving) as (url, process):
            return _measure(redis.Redis(port=port), names, contestants.scrape(url), process)


def _measure(client: "redis.Redis", names: list[str], once: contestants.Once, process: psutil.Process) -> str:
    rows: list[tuple[int, float, float, int, int]] = []
    seconds: list[float] = []
    for turn in range(1, SCRAPES[-1] + 1):
        workload.stir(client, names, turn)
        seconds.append(once())
        if turn in SCRAPES:
            print(f"  {turn:,} scrapes ...", file=sys.stderr)
            state = process.memory_info().rss / 1e6, process.num_fds(), process.num_threads()
            rows.append((turn, statistics.median(seconds), *state))
            seconds = []
    settled = next(memory for turn, _, memory, _, _ in rows if turn == SETTLED)
    return table(
        ["scrapes", "memory", f"memory, ratio to {SETTLED:,}", "descriptors", "threads", "a scrape"],
        [
            [
                f"{turn:,}",
                f"{memory:.1f} MB",
                f"{memory / settled:.3f}",
                str(descriptors),
                str(threads),
                f"{1000 * middle:.2f} ms",
            ]
            for turn, middle, memory, descriptors, threads in rows
        ],
    )


SECTION = Section(name="endurance", title="Ten thousand scrapes", text=TEXT, run=run)
