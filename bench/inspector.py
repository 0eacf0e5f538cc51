"""Measures the Inspector on one queue of a million tasks: python -m bench.inspector [--tasks N].

Each line is one call: the time it took; how long its commands kept Redis by SLOWLOG, the one in the middle and the slowest;
the number of commands, those in scripts included; the bytes that Redis sent. On a busy machine the slowest is often one
that the system interrupted.
"""

import argparse
import asyncio
import resource
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import redis
import redis.asyncio

from asynq_exporter.core import TaskState, keys, messages
from asynq_exporter.core.inspector import Inspector, TaskFilter
from asynq_exporter.core.scripts import all_scripts
from asynq_exporter.core.states import Operation
from bench import processes

QUEUE = "big"

#: Tasks written in one round trip while filling.
CHUNK = 5_000

#: What no command may take, milliseconds.
LIMIT_MS = 10.0


PENDING, RETRY = TaskState.PENDING, TaskState.RETRY

#: How often a read is measured.
ROUNDS = 5

Call = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One call of the Inspector."""

    name: str
    seconds: float
    slowest: str
    slowest_ms: float
    #: The one in the middle among those longer than 0.2 ms.
    median_ms: float
    commands: int
    sent_bytes: int


def main() -> None:
    """Fills a Redis and measures."""
    parser = argparse.ArgumentParser(prog="bench.inspector", description=__doc__)
    parser.add_argument(
        "--tasks", type=int, default=1_000_000, help="tasks in the pending and in the retry state"
    )
    options = parser.parse_args()
    with processes.redis_server() as port:
        sync = redis.Redis(port=port)
        for state in (TaskState.PENDING, TaskState.RETRY):
            fill(sync, state, options.tasks)
        version = sync.info("server")["redis_version"]
        print(
            f"\nRedis {version}, {options.tasks:,} pending and {options.tasks:,} retry tasks in one queue.\n"
        )
        print("| call | time | command: median / slowest | commands | sent |\n|---|---|---|---|---|")
        asyncio.run(measure(port, sync, options.tasks))
        print(
            f"\nPeak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB."
        )


def fill(sync: "redis.Redis", state: TaskState, tasks: int) -> None:
    """Many small tasks, with IDs as long as UUIDs."""
    sync.sadd(keys.QUEUES, QUEUE)
    prefix, now = keys.task_prefix(QUEUE), time.time_ns()
    for start in range(0, tasks, CHUNK):
        pipe = sync.pipeline(transaction=False)
        ids = [task_id(state, n) for n in range(start, min(start + CHUNK, tasks))]
        for n, id_ in enumerate(ids, start=start):
            message = messages.make_task(
                "mail:send", task_id=id_, queue=QUEUE, payload=b'{"user":%d}' % n, max_retry=25
            )
            message.error_msg = "timeout" if n % 100_000 == 99_999 else "refused"
            fields = ("msg", messages.encode(message), "state", str(state), "pending_since", now + n)
            pipe.execute_command("HSET", prefix + id_, *fields)  # type: ignore[no-untyped-call]
        if state is TaskState.PENDING:
            pipe.lpush(keys.pending(QUEUE), *ids)
        else:
            pipe.zadd(keys.retry(QUEUE), {id_: n for n, id_ in enumerate(ids, start=start)})
        pipe.execute()


def task_id(state: TaskState, n: int) -> str:
    """As long as a UUID."""
    return f"{state:-<10}{n:026}"


async def measure(port: int, sync: "redis.Redis", tasks: int) -> None:
    """Reads are repeated and the best is shown, since this machine may be busy; changes happen once."""
    async with redis.asyncio.Redis(port=port) as client:
        inspector = Inspector(client)
        for name, call in reads(inspector, tasks).items():
            rounds = [await once(sync, name, call) for _ in range(ROUNDS)]
            print_line(min(rounds, key=lambda one: one.slowest_ms))
        for name, call in changes(inspector, tasks).items():
            print_line(await once(sync, name, call))


def reads(inspector: Inspector, tasks: int) -> dict[str, Call]:
    """Name -> call that changes nothing."""
    last = tasks // 100
    found: dict[str, Call] = {}
    for state in (PENDING, RETRY):
        for where, page in (("first", 1), ("middle", last // 2), ("last", last)):
            found[f"{where} page of {state}"] = partial(
                inspector.list_tasks, QUEUE, state, page=page, size=100
            )
    wanted = TaskFilter(error="timeout")
    return found | {
        "queue info": lambda: inspector.queue_info(QUEUE),
        "memory usage": lambda: inspector.memory_usage_bytes(QUEUE),
        "find by ID": lambda: inspector.find_task(task_id(RETRY, tasks // 2)),
        "search 2,000": lambda: inspector.search_tasks(QUEUE, RETRY, wanted, budget=2_000),
        "search 20,000": lambda: inspector.search_tasks(QUEUE, PENDING, wanted, budget=20_000),
    }


def changes(inspector: Inspector, tasks: int) -> dict[str, Call]:
    """Name -> call that changes something, in this order."""
    middle = tasks // 2
    batch = [task_id(RETRY, n) for n in range(100)]
    found: dict[str, Call] = {"run a retry task": lambda: inspector.run_task(QUEUE, task_id(RETRY, middle))}
    for where, n in (("next to run", 0), ("in the middle", middle), ("newest", tasks - 1)):
        found[f"delete a pending task, {where}"] = partial(inspector.delete_task, QUEUE, task_id(PENDING, n))
    return found | {
        "batch of 100, dry run": lambda: inspector.batch(Operation.DELETE, QUEUE, batch, dry_run=True),
        "batch of 100 deleted": lambda: inspector.batch(Operation.DELETE, QUEUE, batch),
        "run all, 100,000": lambda: inspector.run_all(QUEUE, RETRY, limit=100_000),
        "archive all, 100,000": lambda: inspector.archive_all(QUEUE, PENDING, limit=100_000),
        "delete all retry": lambda: inspector.delete_all(QUEUE, RETRY),
        "delete the queue": lambda: inspector.delete_queue(QUEUE, force=True),
    }


async def once(sync: "redis.Redis", name: str, call: Call) -> Measured:
    """Runs a call and asks Redis what it cost."""
    sync.config_set("slowlog-log-slower-than", 200)
    sync.config_set("slowlog-max-len", 1000)
    sync.slowlog_reset()
    before: Any = sync.info()
    started = time.perf_counter()
    await call()
    seconds = time.perf_counter() - started
    after: Any = sync.info()
    entries: Any = sorted(sync.slowlog_get(1000), key=lambda entry: entry["duration"])
    slow = entries[-1] if entries else None
    return Measured(
        name=name,
        seconds=seconds,
        slowest="" if slow is None else command_name(slow["command"]),
        slowest_ms=0.0 if slow is None else slow["duration"] / 1000,
        median_ms=entries[len(entries) // 2]["duration"] / 1000 if entries else 0.0,
        commands=after["total_commands_processed"] - before["total_commands_processed"],
        sent_bytes=after["total_net_output_bytes"] - before["total_net_output_bytes"],
    )


def command_name(command: bytes) -> str:
    """The command, or the script it runs."""
    words = command.decode(errors="replace").split()
    if words[0].lower() != "evalsha":
        return words[0]
    return next((name for name, script in all_scripts().items() if script.sha == words[1]), words[1])


def print_line(measured: Measured) -> None:
    """A line of the table."""
    slowest = (
        f"{measured.slowest} {measured.median_ms:.1f} / {measured.slowest_ms:.1f} ms"
        if measured.slowest
        else "< 0.2 ms"
    )
    mark = " **slow**" if measured.median_ms > LIMIT_MS else ""
    print(
        f"| {measured.name} | {measured.seconds * 1000:,.1f} ms | {slowest}{mark} "
        f"| {measured.commands:,} | {measured.sent_bytes / 1024:,.0f} KiB |",
        flush=True,
    )


if __name__ == "__main__":
    main()
