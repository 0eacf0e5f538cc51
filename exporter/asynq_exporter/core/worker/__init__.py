"""The consuming side of asynq: a server for tasks and a scheduler that makes them (wire section 5).

mux = Mux()

@mux.on("email:send")
async def send(attempt: Attempt) -> None: ...

await Server(redis, mux, ServerConfig(queues={"critical": 10, "default": 4}, concurrency=10)).run()
"""

from asynq_exporter.core.timings import BUCKETS, Histogram, TaskTimings
from asynq_exporter.core.worker.attempt import Attempt, Handler
from asynq_exporter.core.worker.config import ServerConfig, delay_by
from asynq_exporter.core.worker.errors import (
    AttemptOverError,
    CanceledError,
    DeadlineExceededError,
    HandlerNotFoundError,
    LeaseExpiredError,
    PanicError,
    RevokeTaskError,
    ServerClosedError,
    SkipRetryError,
    is_panic,
)
from asynq_exporter.core.worker.middleware import Middleware, wrapped
from asynq_exporter.core.worker.mux import Mux
from asynq_exporter.core.worker.periodic_tasks import PeriodicTask, PeriodicTasks
from asynq_exporter.core.worker.scheduler import Scheduler
from asynq_exporter.core.worker.server import Server, ServerStatus

__all__ = [
    "BUCKETS",
    "Attempt",
    "AttemptOverError",
    "CanceledError",
    "DeadlineExceededError",
    "Handler",
    "HandlerNotFoundError",
    "Histogram",
    "LeaseExpiredError",
    "Middleware",
    "Mux",
    "PanicError",
    "PeriodicTask",
    "PeriodicTasks",
    "RevokeTaskError",
    "Scheduler",
    "Server",
    "ServerClosedError",
    "ServerConfig",
    "ServerStatus",
    "SkipRetryError",
    "TaskTimings",
    "delay_by",
    "is_panic",
    "wrapped",
]
