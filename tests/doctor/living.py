"""State of asynq in a real Redis, written as workers, clients and schedulers write it."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from asynq_exporter.core import Broker, FixedClock, SystemClock, messages
from asynq_exporter.core.catalog import documented
from asynq_exporter.core.messages import WorkerInfo
from asynq_exporter.doctor.case import Case
from asynq_exporter.doctor.finding import Finding
from asynq_exporter.doctor.reading import look
from asynq_exporter.doctor.report import examine
from asynq_exporter.scan.scanner import Scanner
from tests.test_cli import COMMAND, ENVIRONMENT

WEIGHTS = {name: profile.weight for name, profile in documented().queues.items()}

#: Records of workers outlive a slow test.
TTL_SECONDS = 120


def now() -> float:
    """The Unix time."""
    return SystemClock().now_ns() / 1e9


def broker(redis: Redis, *, ago: float = 0) -> Broker:
    """A broker; one that lives in the past does everything that many seconds ago."""
    return Broker(redis, FixedClock(seconds=now() - ago) if ago else None)


async def worker(
    redis: Redis, *, tasks: Sequence[WorkerInfo] = (), ago: float = 0, sid: str = "s", **changes: Any
) -> None:
    """The heartbeat of a worker with ten slots, by a clock that may be behind."""
    plain: dict[str, Any] = {
        "host": "web-1",
        "pid": 7,
        "server_id": sid,
        "concurrency": 10,
        "queues": WEIGHTS,
        "status": "active",
        "active_worker_count": len(tasks),
    }
    info = messages.ServerInfo(**plain | changes)
    await broker(redis, ago=ago).write_server_state(info, tasks, ttl_seconds=TTL_SECONDS)


def running(task_id: str, *, started: float, timeout: float, queue: str = "default") -> WorkerInfo:
    """That the worker runs a task since a moment."""
    return WorkerInfo(
        host="web-1",
        pid=7,
        server_id="s",
        task_id=task_id,
        task_type="video:render",
        queue=queue,
        task_payload=b"SECRET-PAYLOAD",
        start_time=messages.timestamp(int(started * 1e9)),
        deadline=messages.timestamp(int((started + timeout) * 1e9)),
    )


async def scheduler(redis: Redis, name: str, *, options: Sequence[str] = (), late: float = 0) -> None:
    """A scheduler with one entry."""
    entry = messages.SchedulerEntry(
        id=name,
        spec="@every 1h",
        task_type="report",
        enqueue_options=options,
        next_enqueue_time=messages.timestamp(int((now() + 60 - late) * 1e9)),
    )
    await broker(redis).write_scheduler_entries(name, [entry], ttl_seconds=TTL_SECONDS)


async def enqueue(redis: Redis, count: int, *, queue: str = "default", ago: float = 0) -> list[str]:
    """Some tasks; their IDs."""
    by = broker(redis, ago=ago)
    ids = [f"job:{queue}{n}:0" for n in range(count)]
    for id_ in ids:
        await by.enqueue(messages.make_task("mail:send", task_id=id_, queue=queue, payload=b"SECRET-PAYLOAD"))
    return ids


async def see(redis: Redis, *, seconds: float = 0, timeout_seconds: float = 20) -> Case:
    """One look, in this process."""
    scanner = Scanner(redis, documented())
    try:
        return await look(redis, scanner, seconds=seconds, timeout_seconds=timeout_seconds)
    finally:
        await scanner.close()


async def find(redis: Redis, *, seconds: float = 0, timeout_seconds: float = 20) -> dict[str, Finding]:
    """What the checks find in it, by check and message."""
    report = examine(await see(redis, seconds=seconds, timeout_seconds=timeout_seconds))
    return {f"{check}.{finding.message}": finding for check, finding in report.findings}


def run(url: str, *flags: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The command, as users run it."""
    return subprocess.run(
        [*COMMAND, "doctor", f"--redis.url={url}", *flags],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=ENVIRONMENT | {"LANG": "C.UTF-8", "LC_ALL": "", "COLUMNS": "100"} | environment,
    )


def start(url: str, *flags: str) -> "subprocess.Popen[str]":
    """The same, while something else goes on."""
    return subprocess.Popen(
        [sys.executable, "-m", "asynq_exporter", "doctor", f"--redis.url={url}", "--json", *flags],
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )


def report(done: "subprocess.CompletedProcess[str]") -> dict[str, dict[str, Any]]:
    """The findings of a JSON report by their IDs."""
    assert "" == done.stderr
    return {finding["id"]: finding for finding in json.loads(done.stdout)["findings"]}
