"""Measures our client and server against Go's own on one Redis, in turn, and makes a table of it."""

import asyncio
import json
import logging
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import redis
import redis.asyncio

from asynq_exporter.core import Client, Task
from asynq_exporter.core.client import Options
from asynq_exporter.core.worker import Attempt, Server, ServerConfig
from bench import processes
from bench.report import Section, table

TASKS = 5_000
ROUNDS = 7

CONCURRENCY = 10
CALLERS = 10
HOUR = 3600

#: Tasks in one call of `enqueue_many`.
BATCH = 1_000

TASK = Task("bench", b"{}")

TEXT = f"""
Our client and server against the real asynq on the same Redis, in turn: each round both sides once, {TASKS:,} tasks each time.
Handlers do nothing; servers have {CONCURRENCY} slots. Processing is timed as in asynq's own benchmarks: from the start of the server
until the last call of the handler. Shown are the medians, and the median of the ratios taken round by round: above 1 ours is faster.
Ours is one process, and that is one core; Go takes all there are.
"""

#: How many tasks -> seconds.
Ours = Callable[[redis.asyncio.Redis, int], Awaitable[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What both sides do."""

    name: str
    ours: Ours
    #: Flags of the Go program.
    go: tuple[str, ...]
    #: Retention of the tasks that lie there before, None when there are to be none.
    prepared: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Tasks in a second."""

    name: str
    ours: float
    go: float
    ratio: float


def enqueue(*, callers: int, retention: int = 0) -> Ours:
    """Enqueues one by one, from a number of callers at once."""

    async def run(client: redis.asyncio.Redis, tasks: int) -> float:
        enqueuer = Client(client)

        async def some() -> None:
            for _ in range(tasks // callers):
                await enqueuer.enqueue(TASK, retention_seconds=retention)

        started = time.perf_counter()
        await asyncio.gather(*(some() for _ in range(callers)))
        return time.perf_counter() - started

    return run


async def enqueue_many(client: redis.asyncio.Redis, tasks: int) -> float:
    """Enqueues in batches."""
    enqueuer = Client(client)
    batch: list[tuple[Task, Options]] = [(TASK, {})] * BATCH
    started = time.perf_counter()
    for _ in range(tasks // BATCH):
        await enqueuer.enqueue_many(batch)
    return time.perf_counter() - started


async def process(client: redis.asyncio.Redis, tasks: int) -> float:
    """Works on what lies there."""
    done = 0
    over = asyncio.Event()

    async def handle(_attempt: Attempt) -> None:
        nonlocal done
        done += 1
        if done == tasks:
            over.set()

    server = Server(client, handle, ServerConfig(concurrency=CONCURRENCY))
    started = time.perf_counter()
    await server.start()
    await over.wait()
    seconds = time.perf_counter() - started
    await server.shutdown()
    return seconds


CONTESTS = (
    Contest(name="enqueue, one caller", ours=enqueue(callers=1), go=("-what", "enqueue")),
    Contest(
        name=f"enqueue, {CALLERS} callers",
        ours=enqueue(callers=CALLERS),
        go=("-what", "enqueue", "-callers", str(CALLERS)),
    ),
    Contest(
        name=f"enqueue, batches of {BATCH:,} (Go: {CALLERS} callers, it has none)",
        ours=enqueue_many,
        go=("-what", "enqueue", "-callers", str(CALLERS)),
    ),
    Contest(name="process", ours=process, go=("-what", "process"), prepared=0),
    Contest(name="process, kept with retention", ours=process, go=("-what", "process"), prepared=HOUR),
)


def run() -> str:
    """The table of all contests."""
    # As an application that logs from WARNING on.
    logging.getLogger("asynq_exporter").setLevel(logging.WARNING)
    with processes.redis_server() as port:
        results = [contest(port, one, TASKS, ROUNDS) for one in CONTESTS]
    rows = [[r.name, f"{r.ours:,.0f} /s", f"{r.go:,.0f} /s", f"**{r.ratio:.2f}**"] for r in results]
    return table(["what", "ours", "Go", "ours / Go"], rows)


def contest(port: int, one: Contest, tasks: int, rounds: int) -> Result:
    """Rounds of both sides, after one to warm up."""
    seconds: dict[str, list[float]] = {"go": [], "ours": []}
    sides: Mapping[str, Callable[[], float]] = {
        "go": lambda: _go(port, tasks, *one.go),
        "ours": lambda: asyncio.run(_ours(port, one.ours, tasks)),
    }
    for turn in range(rounds + 1):
        for side, run in sides.items():
            _prepare(port, one, tasks)
            took = run()
            if turn:
                seconds[side].append(took)
    return Result(
        name=one.name,
        ours=tasks / statistics.median(seconds["ours"]),
        go=tasks / statistics.median(seconds["go"]),
        ratio=statistics.median(go / ours for go, ours in zip(seconds["go"], seconds["ours"], strict=True)),
    )


def _prepare(port: int, one: Contest, tasks: int) -> None:
    with redis.Redis(port=port) as client:
        client.flushall()
    if one.prepared is not None:
        _go(port, tasks, "-what", "enqueue", "-callers", str(CALLERS), "-retention", f"{one.prepared}s")


async def _ours(port: int, run: Ours, tasks: int) -> float:
    async with redis.asyncio.Redis(port=port) as client:
        await client.ping()
        return await run(client, tasks)


def _go(port: int, tasks: int, *flags: str) -> float:
    argv = [
        str(processes.GO_BINARY),
        "throughput",
        "-redis",
        f"127.0.0.1:{port}",
        "-tasks",
        str(tasks),
        *flags,
    ]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout)["seconds"])


SECTION = Section(name="throughput", title="Throughput", text=TEXT, run=run)
