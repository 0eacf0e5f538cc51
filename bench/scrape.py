"""Scan and scrape against the Go exporter and a raw socket."""

import asyncio
import platform
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass

import redis

from bench import contestants, processes, workload
from bench.report import Section, table

QUEUES = (6, 100, 1000, 5000)
TASKS = 20

#: Enough for a median on a noisy machine.
ROUNDS = 31
SLOW_ROUNDS = 11

TEXT = f"""
- **raw socket**: the first round of the scan as one prebuilt buffer, replies counted in bytes and not parsed: the limit.
- **scan**: our pass over Redis into a snapshot, in process, all rounds of it.
- **our scrape**, **Go scrape**: `GET /metrics` over HTTP with gzip, as Prometheus does it.
- **Redis CPU**: microseconds that Redis spends on the commands of one scrape (`INFO commandstats`).

Each queue holds {TASKS} tasks in each of six states. Our background collectors are off: they do not belong to a scrape. Go's
exporter cannot switch its memory sampling off. Times are medians; ratios are medians of those taken round by round.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The medians for a number of queues; times in seconds."""

    queues: int
    raw: float
    scan: float
    ours: float
    go: float
    scan_to_raw: float
    ours_to_raw: float
    go_to_ours: float
    redis_ours: float
    redis_go: float


def run() -> str:
    """The table over numbers of queues."""
    with processes.redis_server() as port:
        results = []
        for queues in QUEUES:
            print(f"  {queues} queues ...", file=sys.stderr)
            results.append(measure(port, queues))
        version = redis.Redis(port=port).info("server")["redis_version"]
    head = ["queues", "raw socket", "scan", "our scrape", "Go scrape", "scan / raw", "our scrape / raw"]
    rows = [_row(result) for result in results]
    where = f"Redis {version} on loopback, Python {platform.python_version()}, {platform.machine()}.\n\n"
    return where + table([*head, "Go / ours", "Redis CPU, Go / ours"], rows)


def _row(r: Result) -> list[str]:
    times = [f"{1000 * seconds:.2f} ms" for seconds in (r.raw, r.scan, r.ours, r.go)]
    ratios = [f"{ratio:.2f}" for ratio in (r.scan_to_raw, r.ours_to_raw)]
    return [f"{r.queues:,}", *times, *ratios, f"**{r.go_to_ours:.1f}**", f"{r.redis_go / r.redis_ours:.1f}"]


def measure(port: int, queues: int) -> Result:
    """Times every contestant in turn."""
    names = workload.fill(port, queues, TASKS)
    off = [f"--no-collector.{name}" for name in ("memory", "groups", "types")]
    loop = asyncio.new_event_loop()
    with ExitStack() as stack:
        go_url = stack.enter_context(processes.go_exporter(port))
        our_url = stack.enter_context(processes.our_exporter(port, f"--queues.max={queues + 10}", *off))
        once = {
            "raw": contestants.raw(port, names),
            "scan": contestants.scan(port, loop, queues),
            "ours": contestants.scrape(our_url),
            "go": contestants.scrape(go_url),
        }
        times = run_rounds(once, ROUNDS if queues < 1000 else SLOW_ROUNDS)
        costs = {name: redis_cost(port, once[name]) for name in ("ours", "go")}

    def ratio(above: str, below: str) -> float:
        return statistics.median(a / b for a, b in zip(times[above], times[below], strict=True))

    return Result(
        queues=queues,
        **{name: statistics.median(values) for name, values in times.items()},
        scan_to_raw=ratio("scan", "raw"),
        ours_to_raw=ratio("ours", "raw"),
        go_to_ours=ratio("go", "ours"),
        redis_ours=costs["ours"],
        redis_go=costs["go"],
    )


def run_rounds(once: dict[str, contestants.Once], rounds: int) -> dict[str, list[float]]:
    """Seconds of each contestant by round, after a warm-up round."""
    times: dict[str, list[float]] = {name: [] for name in once}
    for turn in range(rounds + 1):
        for name, run in once.items():
            started = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - started)
    return times


def redis_cost(port: int, once: contestants.Once) -> float:
    """Seconds that Redis spends on the commands of one run."""
    client = redis.Redis(port=port)
    client.config_resetstat()
    once()
    stats = client.info("commandstats")
    # What a script calls is counted once more under its own name.
    scripts = [entry for name, entry in stats.items() if name.startswith("cmdstat_eval")]
    own = ("cmdstat_smembers", "cmdstat_sismember")
    entries = scripts + [stats[name] for name in own if name in stats] if scripts else list(stats.values())
    return float(sum(entry["usec"] for entry in entries)) / 1e6


SECTION = Section(name="scrape", title="Scrape", text=TEXT, run=run)
