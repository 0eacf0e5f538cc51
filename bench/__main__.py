"""Measures scan, scrape, client and server against Go's, in turn, and writes the tables."""

import argparse
import asyncio
import platform
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import redis

from bench import contestants, processes, throughput, workload

README = Path(__file__).parent / "README.md"

#: Enough for a median on a noisy machine.
ROUNDS = 31
SLOW_ROUNDS = 11

TITLE = "# Benchmarks"

HEADING = "## Scan and scrape"

INTRODUCTION = f"""\
{HEADING}

`make bench` fills a Redis, starts the real Go exporter (`x/metrics` of hibiken/asynq behind net/http) and ours beside it, and
times them in turn: each round every contestant once, so that a machine that slows down slows all of them. Shown are medians
and the median of the ratios taken round by round; on a shared machine the ratios matter, not the milliseconds.

- **raw socket**: the first round of the scan as one prebuilt buffer, replies counted in bytes and not parsed: the limit.
- **scan**: our pass over Redis into a snapshot, in process, all rounds of it.
- **our scrape**, **Go scrape**: `GET /metrics` over HTTP with gzip, as Prometheus does it.
- **Redis CPU**: microseconds that Redis spends on the commands of one scrape (`INFO commandstats`).

Each queue holds {{tasks}} tasks in each of six states. Our background collectors are off: they do not belong to a scrape. Go's exporter
cannot switch its memory sampling off.
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


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--queues", type=int, nargs="+", default=[6, 100, 1000], help="numbers of queues")
    parser.add_argument("--tasks", type=int, default=20, help="tasks in each state of a queue")
    parser.add_argument("--no-write", action="store_true", help="print only, leave bench/README.md alone")
    parser.add_argument(
        "--only", choices=("scan", "throughput"), help="measure this part, keep the other in bench/README.md"
    )
    options = parser.parse_args()
    processes.build_go()
    sections = _sections(README.read_text(encoding="utf-8")) if options.only else {}
    with processes.redis_server() as port:
        if options.only != "throughput":
            sections[HEADING] = scan_section(port, options.queues, options.tasks)
        if options.only != "scan":
            print("throughput ...", file=sys.stderr)
            sections[throughput.HEADING] = throughput.section(port)
    text = "\n".join([f"{TITLE}\n", *sections.values()])
    print(text)
    if not options.no_write:
        README.write_text(text, encoding="utf-8")


def _sections(text: str) -> dict[str, str]:
    """Heading -> section, of a file that was written here."""
    parts = text.split("\n## ")[1:]
    return {f"## {part.partition(chr(10))[0]}": f"## {part.rstrip()}\n" for part in parts}


def scan_section(port: int, sizes: list[int], tasks: int) -> str:
    """Measures scan and scrape for some numbers of queues; Markdown."""
    results = []
    for queues in sizes:
        print(f"{queues} queues ...", file=sys.stderr)
        results.append(measure(port, queues, tasks))
    version = redis.Redis(port=port).info("server")["redis_version"]
    return INTRODUCTION.format(tasks=tasks) + table(results, version)


def measure(port: int, queues: int, tasks: int) -> Result:
    """Times every contestant in turn."""
    names = workload.fill(port, queues, tasks)
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


def table(results: list[Result], version: str) -> str:
    """The results as Markdown."""
    lines = [
        f"\nRedis {version} on loopback, Python {platform.python_version()}, {platform.machine()}.\n",
        "| queues | raw socket | scan | our scrape | Go scrape | scan / raw | our scrape / raw | Go / ours | Redis CPU, Go / ours |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        cells = [f"{1000 * seconds:.2f} ms" for seconds in (r.raw, r.scan, r.ours, r.go)]
        cells += [f"{ratio:.2f}" for ratio in (r.scan_to_raw, r.ours_to_raw)]
        cells += [f"**{r.go_to_ours:.1f}**", f"{r.redis_go / r.redis_ours:.1f}"]
        lines.append(f"| {r.queues:,} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
