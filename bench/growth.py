"""Whether a scrape grows with what is in the queues: it must not."""

import statistics
import sys
import time
from collections.abc import Callable, Iterator

import redis

from asynq_exporter.core import catalog, keys
from bench import contestants, processes
from bench.report import Section, table

TASKS = (10, 1_000, 100_000, 10_000_000)
GROUPS = (0, 1_000, 1_000_000)

ROUNDS = 31
CHUNK = 10_000

#: More than either exporter looks at.
SEEN = 50

TEXT = """
Six queues; the tasks lie half in the pending lists and half in the scheduled sets, and in the second table groups with one task
each lie in one queue. A cell is the median of a scrape, and its ratio to the first row. Memory sampling and group counting of
ours are on, for they run beside the scrape; Go's exporter reads every group of a queue within the scrape.
"""


def run() -> str:
    """Both tables."""
    with processes.redis_server() as port:
        tasks = _rows(port, TASKS, _fill_tasks)
    with processes.redis_server() as port:
        groups = _rows(port, GROUPS, _fill_groups)
    head = ["our scrape", "ratio", "Go scrape", "ratio"]
    return table(["tasks", *head], tasks) + "\n\n" + table(["groups", *head], groups)


def _rows(
    port: int, counts: tuple[int, ...], fill: Callable[["redis.Redis", int, int], None]
) -> list[list[str]]:
    client, before = redis.Redis(port=port), 0
    rows: list[list[str]] = []
    first: list[float] = []
    for count in counts:
        print(f"  {count:,} ...", file=sys.stderr)
        fill(client, before, count)
        before = count
        with processes.go_exporter(port) as go_url, processes.our_exporter(port) as our_url:
            times = [_median(contestants.scrape(our_url)), _median(contestants.scrape(go_url))]
        first = first or times
        cells = [[f"{1000 * t:.2f} ms", f"{t / f:.1f}"] for t, f in zip(times, first, strict=True)]
        rows.append([f"{count:,}", *(cell for pair in cells for cell in pair)])
    return rows


def _median(once: contestants.Once) -> float:
    once()
    times: list[float] = []
    end = time.monotonic() + 20
    while len(times) < ROUNDS and time.monotonic() < end:
        times.append(once())
    return statistics.median(times)


def _fill_tasks(client: "redis.Redis", start: int, end: int) -> None:
    queues = list(catalog.documented().queues)
    client.sadd(keys.QUEUES, *queues)
    due = time.time() + 86_400
    for turn, numbers in enumerate(_chunks(start, end)):
        queue = queues[turn % len(queues)]
        ids = [f"task-{number:08}" for number in numbers]
        half = len(ids) // 2
        if ids[:half]:
            client.lpush(keys.pending(queue), *ids[:half])
        client.zadd(keys.scheduled(queue), dict.fromkeys(ids[half:], due))
        # The exporters look at a few tasks at either end; those have a record.
        pipe = client.pipeline(transaction=False)
        for task_id in {*ids[:SEEN], *ids[max(half - SEEN, 0) : half + SEEN], *ids[-SEEN:]}:
            _record(pipe, keys.task(queue, task_id))
        pipe.execute()


def _record(pipe: "redis.client.Pipeline", key: str) -> None:
    pipe.hset(key, mapping={"msg": b"x" * 200, "state": b"pending", "pending_since": b"%d" % time.time_ns()})


def _fill_groups(client: "redis.Redis", start: int, end: int) -> None:
    client.sadd(keys.QUEUES, "low")
    now = time.time()
    one = client.pipeline(transaction=False)
    _record(one, keys.task("low", "task"))
    one.execute()
    for numbers in _chunks(start, end):
        names = [f"group-{number:07}" for number in numbers]
        client.sadd(keys.groups("low"), *names)
        pipe = client.pipeline(transaction=False)
        for name in names:
            pipe.zadd(keys.group("low", name), {"task": now})
        pipe.execute()


def _chunks(start: int, end: int) -> Iterator[range]:
    for number in range(start, end, CHUNK):
        yield range(number, min(number + CHUNK, end))


SECTION = Section(name="growth", title="Growth with tasks and groups", text=TEXT, run=run)
