"""The queue core of asynq-exporter: asynq's data in Redis, written and read without Go.

    redis = redis.asyncio.Redis()
    await Client(redis).enqueue(Task("email:send", b"{}"), queue="critical", process_in_seconds=60)

`keys`, `states`, `catalog`, `job_id` and `messages` are pure; `broker` and `client` write.
Needs redis and protobuf alone.
"""

from asynq_exporter.core.broker import Broker, Delivery
from asynq_exporter.core.catalog import Catalog
from asynq_exporter.core.client import Client, Options, Task
from asynq_exporter.core.clock import Clock, FixedClock, SystemClock
from asynq_exporter.core.errors import (
    AsynqError,
    CorruptMessageError,
    DuplicateTaskError,
    InvalidArgumentError,
    NotFoundError,
    TaskIdConflictError,
    UnavailableError,
)
from asynq_exporter.core.messages import TaskInfo, TaskMessage
from asynq_exporter.core.states import TaskState

__all__ = [
    "AsynqError",
    "Broker",
    "Catalog",
    "Client",
    "Clock",
    "CorruptMessageError",
    "Delivery",
    "DuplicateTaskError",
    "FixedClock",
    "InvalidArgumentError",
    "NotFoundError",
    "Options",
    "SystemClock",
    "Task",
    "TaskIdConflictError",
    "TaskInfo",
    "TaskMessage",
    "TaskState",
    "UnavailableError",
]
