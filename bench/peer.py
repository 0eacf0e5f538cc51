"""Ours against redis_exporter, told to watch the keys of the same queues."""

import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

from asynq_exporter.core import keys
from bench import contestants, processes, workload
from bench.cost import redis_cpu
from bench.pings import p99, pings
from bench.report import Section, SkippedError, table
from bench.rounds import in_turn

QUEUES = (6, 100, 1000)
ROUNDS = 15
PING_SECONDS = 5.0

#: Where Debian's package and a build of one's own leave it.
PROGRAMS = (
    str(Path(__file__).parent / "bin" / "redis_exporter"),
    "redis_exporter",
    "prometheus-redis-exporter",
)

#: The keys of a queue that redis_exporter is told to watch.
WATCHED = (
    keys.pending,
    keys.active,
    keys.scheduled,
    keys.retry,
    keys.archived,
    keys.completed,
    keys.processed,
    keys.failed,
)

TEXT = f"""
redis_exporter is the exporter that most who run Redis have. It knows nothing of Asynq, but can be told which keys to watch
(`check-single-keys`): here the {len(WATCHED)} keys of each queue that hold its six states and its two totals, so it serves the length of
each, the value of those two and, newer versions, the memory of each key. Ours reads these and a few more, and makes latencies, overdue
tasks, expired leases, today's counts and utilization of them, which redis_exporter cannot. Both ask Redis for INFO. The names of the
keys travel with each request to redis_exporter, as with Prometheus's `params`: those of a thousand queues fit no command line.
PING is that of a neighbour while scrapes follow one another without a pause: of the faster exporter it meets more.

Exporters of Celery are not compared: what they serve are counts of events that they keep themselves, with one LLEN for each queue
and the time that Celery's workers take to answer; there is no reading of queues to be timed against ours.
"""


def run() -> str:
    """The table over numbers of queues."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise SkippedError("redis_exporter is not here; on Debian: apt-get install prometheus-redis-exporter")
    rows = []
    with processes.redis_server() as port:
        for queues in QUEUES:
            print(f"  {queues} queues ...", file=sys.stderr)
            rows += _measure(port, queues, program)
    head = [
        "queues",
        "exporter",
        "a scrape",
        "scrape / ours",
        "Redis CPU",
        "CPU / ours",
        "PING p99",
        "series",
    ]
    return f"redis_exporter {_version(program)}.\n\n" + table(head, rows)


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"Redis Metrics Exporter (.+?)\s{2,}", done.stdout + done.stderr)
    return found[1] if found else "of unknown version"


def _measure(port: int, queues: int, program: str) -> list[list[str]]:
    names = workload.fill(port, queues, 20)
    with ExitStack() as stack:
        urls = {
            "ours": stack.enter_context(processes.our_exporter(port, *processes.scrape_only(queues))),
            "redis_exporter": _watching(stack.enter_context(processes.redis_exporter(program)), port, names),
        }
        once = {name: contestants.scrape(url) for name, url in urls.items()}
        times = in_turn(once, ROUNDS)
        costs = {name: redis_cpu(port, once[name]) for name in urls}
        alone = p99(pings(port, None, seconds=PING_SECONDS))
        felt = {name: p99(pings(port, url, seconds=PING_SECONDS)) for name, url in urls.items()}
        rows = [
            [
                f"{queues:,}",
                name,
                f"{1000 * times.median(name):.2f} ms",
                f"{times.ratio(name, 'ours'):.1f}",
                f"{1000 * costs[name]:.2f} ms",
                f"{costs[name] / costs['ours']:.1f}",
                f"{1000 * felt[name]:.2f} ms",
                f"{_series(url):,}",
            ]
            for name, url in urls.items()
        ]
    return [[f"{queues:,}", "none", "-", "-", "-", "-", f"{1000 * alone:.2f} ms", "-"], *rows]


def _watching(url: str, port: int, names: Sequence[str]) -> str:
    watched = ",".join(f"db0={key(name)}" for name in names for key in WATCHED)
    return f"{url}?{urlencode({'target': f'redis://127.0.0.1:{port}', 'check-single-keys': watched})}"


def _series(url: str) -> int:
    with urllib.request.urlopen(url, timeout=60) as response:
        return sum(not line.startswith(b"#") for line in response)


SECTION = Section(name="peer", title="redis_exporter on the same queues", text=TEXT, run=run)
