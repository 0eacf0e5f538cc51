"""The queue core of asynq-exporter: asynq's data in Redis, written and read without Go.

    redis = redis.asyncio.Redis()
    await Client(redis).enqueue(Task("email:send", b"{}"), queue="critical", process_in_seconds=60)

`client` enqueues, `worker` works on tasks, `inspector` looks into queues and changes them; `admission`
refuses what has no room, `breakers` spare a service that fails, `control` tells all workers what to do.
Below, `broker` does the atomic operations; `keys`, `states`, `catalog`, `job_id`, `messages`, `timings` and
`policies` are pure. `ClusterClient` takes the place of the client in a Redis Cluster. What is not in
`__all__` is imported from its own module. Needs redis and protobuf alone.
"""

from asynq_exporter.core.broker import Broker, Delivery
from asynq_exporter.core.catalog import Catalog
from asynq_exporter.core.client import Client, Options, Task
from asynq_exporter.core.clock import Clock, FixedClock, SystemClock
from asynq_exporter.core.cluster import ClusterClient
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
    "ClusterClient",
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
