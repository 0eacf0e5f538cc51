"""Scan and scrape against the limit, against Go's calls and against the Go exporter."""

import asyncio
import platform
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import redis

from asynq_exporter.scan.queues import FIRST_ROUND_COMMANDS
from bench import contestants, processes, traffic, workload
from bench.cost import redis_cpu
from bench.recording import Command, on_the_wire
from bench.replay import Way, replay
from bench.report import Section, table
from bench.rounds import Times, in_turn

QUEUES = (6, 100, 1000, 5000)
TASKS = 20

#: Enough for a median on a noisy machine.
ROUNDS = 31
SLOW_ROUNDS = 11

TEXT = f"""
- **limit**: a C program sends the commands of our scan, all rounds of them, recorded on the wire, as one prebuilt buffer and counts
  the replies. No client that sends plain commands can be faster.
- **first round**: the same with the first round only, {FIRST_ROUND_COMMANDS} commands a queue: what a scan costs that knows nothing of latencies,
  leases and ages. Queues that hold something, as all do here, take a few commands more.
- **scan**: our pass over Redis into a snapshot, in process, all rounds of it.
- **Go-like**: a C program sends the commands of Go's exporter, recorded on the wire, each after the reply to the one before, as
  Go's exporter does: its least possible time, without Go, rendering or HTTP. **Stats only** leaves out its memory sampling, which it
  cannot switch off and which our scrape does not contain: the comparison of like with like.
- **our scrape**, **Go scrape**: `GET /metrics` over HTTP with gzip, as Prometheus does it.
- **Redis CPU**: what Redis spends on the commands of one scrape (`INFO commandstats`).

Each queue holds {TASKS} tasks in each of six states. Our background collectors are off: they do not belong to a scrape. Times are
medians; ratios are medians of those taken round by round.
"""

#: Contestant -> its name in the tables.
NAMES = {
    "first": "first round",
    "limit": "limit",
    "scan": "scan",
    "ours": "our scrape",
    "stats": "Go-like, stats only",
    "like": "Go-like",
    "go": "Go scrape",
}

RATIOS = [
    ("scan", "first"),
    ("scan", "limit"),
    ("ours", "limit"),
    ("stats", "ours"),
    ("like", "ours"),
    ("go", "ours"),
]

COSTS = ["ours", "stats", "like", "go"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was found with a number of queues."""

    queues: int
    times: Times
    #: Seconds of Redis.
    costs: Mapping[str, float]


def run() -> str:
    """The tables over numbers of queues."""
    with processes.redis_server() as port:
        results = []
        for queues in QUEUES:
            print(f"  {queues} queues ...", file=sys.stderr)
            results.append(measure(port, queues))
        version = redis.Redis(port=port).info("server")["redis_version"]
    where = f"Redis {version} on loopback, Python {platform.python_version()}, {platform.machine()}."
    return "\n\n".join([where, _times(results), _ratios(results), _costs(results)])


def _times(results: list[Result]) -> str:
    rows = [[f"{r.queues:,}", *(f"{1000 * r.times.median(name):.2f} ms" for name in NAMES)] for r in results]
    return table(["queues", *NAMES.values()], rows)


def _ratios(results: list[Result]) -> str:
    rows = [[f"{r.queues:,}", *(f"{r.times.ratio(*pair):.2f}" for pair in RATIOS)] for r in results]
    return table(["queues", *(f"{NAMES[above]} / {NAMES[below]}" for above, below in RATIOS)], rows)


def _costs(results: list[Result]) -> str:
    others = COSTS[1:]
    rows = [
        [
            f"{r.queues:,}",
            *(f"{1000 * r.costs[name]:.2f} ms" for name in COSTS),
            *(f"{r.costs[name] / r.costs['ours']:.1f}" for name in others),
        ]
        for r in results
    ]
    heads = [NAMES[name] for name in COSTS] + [f"{NAMES[name]} / ours" for name in others]
    return table(["Redis CPU, queues", *heads], rows)


def measure(port: int, queues: int) -> Result:
    """Times every contestant in turn."""
    names = workload.fill(port, queues, TASKS)
    loop = asyncio.new_event_loop()
    scan = traffic.of_scan(port, loop, queues)
    go = traffic.of_go(port)
    with ExitStack() as stack:

        def replayed(commands: list[Command], way: Way) -> contestants.Once:
            return stack.enter_context(replay(port, on_the_wire(commands), way))

        go_url = stack.enter_context(processes.go_exporter(port))
        our_url = stack.enter_context(processes.our_exporter(port, *processes.scrape_only(queues)))
        once = {
            "first": replayed(traffic.first_round(names), "together"),
            "limit": replayed(scan, "together"),
            "scan": contestants.scan(port, loop, queues),
            "ours": contestants.scrape(our_url),
            "stats": replayed(go.stats_only, "one-by-one"),
            "like": replayed(go.all, "one-by-one"),
            "go": contestants.scrape(go_url),
        }
        times = in_turn(once, ROUNDS if queues < 1000 else SLOW_ROUNDS)
        costs = {name: redis_cpu(port, once[name]) for name in COSTS}
    return Result(queues=queues, times=times, costs=costs)


SECTION = Section(name="scrape", title="Scrape", text=TEXT, run=run)
