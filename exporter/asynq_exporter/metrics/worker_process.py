"""Metrics of one worker process about itself, on its own page; `workers` are all of them, seen from Redis."""

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from asynq_exporter import __version__
from asynq_exporter.core.timings import TaskTimings
from asynq_exporter.metrics import task_timings
from asynq_exporter.metrics.family import Block, Family, gauge, one_of, single
from asynq_exporter.metrics.workers import STATUSES

INFO = gauge("asynq_worker_process_info", "1; what is running.", "version", "python")
SLOTS = gauge("asynq_worker_process_slots", "Tasks that this process runs at the same time at most.")
ACTIVE = gauge("asynq_worker_process_active_tasks", "Tasks that this process runs now.")
STATUS = gauge(
    "asynq_worker_process_status",
    "1 for what this process does: active takes tasks, stopped takes none, closed is about to end.",
    "status",
)

METRICS = (INFO, SLOTS, ACTIVE, STATUS)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerProcess:
    """What a worker process knows of itself."""

    slots: int
    active: int
    status: str
    timings: Mapping[str, TaskTimings]


def collect(process: WorkerProcess) -> Iterable[Family]:
    """The families of a process."""
    labels = (("version", __version__), ("python", platform.python_version()))
    yield Family(INFO, (Block((1,), labels=labels),))
    yield single(SLOTS, process.slots)
    yield single(ACTIVE, process.active)
    yield one_of(STATUS, STATUSES, process.status)
    yield from task_timings.families(process.timings)
