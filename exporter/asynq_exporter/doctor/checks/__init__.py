"""The checks, as a table: what each is called, who looks, what it must have read to say that all is well.

    Check("queue-paused", queues.paused, needs=("queues",))

A check is a pure function of a Case that yields findings; one that yields none is content. Its words, in
both languages, stand in `texts/` under its name.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from asynq_exporter.doctor.case import Case
from asynq_exporter.doctor.checks import data, queues, redis, schedulers, tasks, workers
from asynq_exporter.doctor.finding import Finding


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at."""

    name: str
    find: Callable[[Case], Iterator[Finding]]
    #: Parts that must have been read; without them silence means nothing.
    needs: tuple[str, ...] = ()


#: In the order of a person who looks from the ground up.
CHECKS: tuple[Check, ...] = (
    Check("redis-reachable", redis.reachable),
    Check("redis-permissions", redis.permissions),
    Check("redis-role", redis.role, ("redis",)),
    Check("redis-cluster", redis.cluster, ("redis",)),
    Check("redis-eviction", redis.eviction, ("redis",)),
    Check("redis-memory", redis.memory, ("redis",)),
    Check("redis-speed", redis.speed),
    Check("workers-alive", workers.alive, ("workers",)),
    Check("workers-saturated", workers.saturated, ("workers",)),
    Check("workers-stopping", workers.stopping, ("workers",)),
    Check("workers-agree", workers.agree, ("workers",)),
    Check("workers-clocks", workers.clocks, ("clocks",)),
    Check("queue-served", queues.served, ("queues", "workers")),
    Check("queue-consumed", queues.consumed, ("queues", "workers", "second scan")),
    Check("queue-paused", queues.paused, ("queues",)),
    Check("queue-backlog", queues.backlog, ("queues",)),
    Check("queue-latency", queues.latency, ("queues",)),
    Check("queue-backpressure", queues.backpressure, ("queues",)),
    Check("task-retries", tasks.retries, ("queues",)),
    Check("task-failures", tasks.failures, ("queues",)),
    Check("task-dead", tasks.dead, ("queues",)),
    Check("task-archive", tasks.archive, ("queues",)),
    Check("task-orphans", tasks.orphans, ("queues",)),
    Check("task-long-running", tasks.long_running, ("queues", "running")),
    Check("task-forwarding", tasks.forwarding, ("queues",)),
    Check("task-groups", tasks.aggregation, ("queues", "groups")),
    Check("scheduler-alive", schedulers.alive, ("schedulers",)),
    Check("scheduler-overdue", schedulers.overdue, ("schedulers",)),
    Check("scheduler-duplicates", schedulers.duplicates, ("entries",)),
    Check("breakers", schedulers.breakers, ("breakers",)),
    Check("data-keys", data.keys),
    Check("data-tasks", data.tasks, ("queues", "samples")),
    Check("data-versions", data.versions, ("old keys",)),
    Check("data-selection", data.selection),
    # No incident today, perhaps one tomorrow.
    Check("redis-version", redis.version, ("redis",)),
    Check("redis-persistence", redis.persistence, ("facts",)),
    Check("redis-connections", redis.connections, ("redis",)),
)

NAMES = tuple(check.name for check in CHECKS)
