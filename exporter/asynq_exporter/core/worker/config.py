"""What can be said about a server; the defaults are Go's (wire section 5.1)."""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from asynq_exporter.core.client import Options, Task
from asynq_exporter.core.errors import AsynqError, InvalidArgumentError
from asynq_exporter.core.policies.retry import AsynqDelayPolicy, DelayPolicy
from asynq_exporter.core.worker import queue_order
from asynq_exporter.core.worker.attempt import Attempt

#: Retries counted so far, the error, the task -> seconds until the next attempt.
RetryDelay = Callable[[int, Exception, Task], float]

#: Told of each failed attempt before it is written.
ErrorHandler = Callable[[Attempt, Exception], Awaitable[None]]

#: A group and its tasks -> the one task to be made of them, perhaps with options; the queue stays.
Aggregator = Callable[[str, Sequence[Task]], Awaitable[Task | tuple[Task, Options]]]

#: Told every now and then whether Redis answers: None, or the error.
HealthCheck = Callable[[AsynqError | None], Awaitable[None]]


def delay_by(policy: DelayPolicy) -> RetryDelay:
    """The delay of a policy, whatever the error and the task."""
    return lambda retried, _error, _task: policy.delay_seconds(retried)


def _chance() -> Random:
    return Random()  # noqa: S311 - there is nothing to guess


def always_failure(_error: Exception) -> bool:
    """Every error counts as a failure."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """All of a server but its Redis and its handler; `set_concurrency` and `set_polling` change it later."""

    #: Tasks at the same time; 0 is the number of processors.
    concurrency: int = 0
    #: Weights; blank names and weights below 1 are left out.
    queues: Mapping[str, int] = field(default_factory=lambda: dict(queue_order.DEFAULT_QUEUES))
    #: Empty a queue of higher weight before looking into one of lower weight.
    strict_priority: bool = False
    #: Whether tasks are taken from the start on.
    polling: bool = True

    #: asynq's own delay unless another is given; `delay_by` makes one of a policy of the guide.
    retry_delay: RetryDelay = field(default_factory=lambda: delay_by(AsynqDelayPolicy(random=_chance())))
    #: Whether an error is a failure; one that is none uses up no retry and is counted nowhere.
    is_failure: Callable[[Exception], bool] = always_failure
    error_handler: ErrorHandler | None = None
    #: Without one, groups never drain through this server.
    aggregator: Aggregator | None = None
    health_check: HealthCheck | None = None

    #: A group becomes one task when no task joined for so long, ...
    group_grace_seconds: float = 60.0
    #: ... when its first task has waited so long, ...
    group_max_delay_seconds: float = 0.0
    #: ... or when it has so many; 0 is no limit.
    group_max_size: int = 0

    #: Pause after empty queues, half to one and a half times this.
    task_check_seconds: float = 1.0
    #: Pause between moves of what is due.
    forward_seconds: float = 5.0
    #: What running tasks have to end in a shutdown; then they go back to their queues.
    shutdown_seconds: float = 8.0
    heartbeat_seconds: float = 5.0
    lease_seconds: float = 30.0
    recover_seconds: float = 60.0
    #: A lease that ended this long ago is over; clocks differ.
    recover_grace_seconds: float = 30.0
    sync_seconds: float = 5.0
    resubscribe_seconds: float = 5.0
    janitor_seconds: float = 8.0
    janitor_batch_size: int = 100
    health_check_seconds: float = 15.0
    #: What Redis has to answer one round trip.
    redis_timeout_seconds: float = 10.0

    #: Add task timings to the sums in Redis at each heartbeat, for the exporter.
    share_timings: bool = False

    #: Who is in the records; this host and process by default.
    host: str | None = None
    pid: int | None = None
    #: Chance of the queue order and the pauses.
    random: Random = field(default_factory=_chance)

    def __post_init__(self) -> None:
        """Refuses what can never work."""
        if self.group_grace_seconds < 1:
            raise InvalidArgumentError("group_grace_seconds is 1 or more; scores are whole seconds")
        if self.heartbeat_seconds >= self.lease_seconds:
            raise InvalidArgumentError("a lease outlives the heartbeat that extends it")

    @property
    def slots(self) -> int:
        """The tasks at the same time."""
        return self.concurrency if self.concurrency > 0 else os.cpu_count() or 1

    @property
    def weights(self) -> dict[str, int]:
        """The queues that are served."""
        return queue_order.served(self.queues)
