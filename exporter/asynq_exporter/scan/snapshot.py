"""What one scan found, as frozen values.

Numbers of queues are kept as columns, parallel to `Queues.names`: a scrape of a thousand queues fills a
thousand-row table in a few slices, and a metric family is one column. `None` in a column means that the
number is not known; it is never turned into zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import compress
from typing import TYPE_CHECKING, Any

from asynq_exporter.core.catalog import BackpressureState, Catalog
from asynq_exporter.core.timings import TaskTimings

if TYPE_CHECKING:
    # Its package needs SQLAlchemy, which nobody without records has to load.
    from asynq_exporter.core.records import Summary

Column = Sequence[int | float | None]


#: Status of a server that takes tasks, in asynq's words.
ACTIVE = "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """The numbers of all queues, one column for each, parallel to `names`."""

    names: tuple[str, ...] = ()
    #: Whether the name is in `asynq:queues`: the queue has been enqueued to.
    registered: Column = ()
    #: Work to be done: pending + active + scheduled + retry + aggregating.
    size: Column = ()
    pending: Column = ()
    active: Column = ()
    scheduled: Column = ()
    retry: Column = ()
    archived: Column = ()
    completed: Column = ()
    #: Tasks waiting in groups, counted in the background.
    aggregating: Column = ()
    groups: Column = ()
    #: Attempts ever finished, failures included.
    processed: Column = ()
    failed: Column = ()
    #: Attempts of this UTC day.
    processed_today: Column = ()
    failed_today: Column = ()
    paused: Column = ()
    #: Age of the oldest pending task that tells it.
    latency_seconds: Column = ()
    #: Age of the very next task, as upstream reads it; None when that task does not tell.
    tail_latency_seconds: Column = ()
    #: Due, and nobody moved them.
    scheduled_overdue: Column = ()
    retry_overdue: Column = ()
    forwarding_delay_seconds: Column = ()
    lease_expired: Column = ()
    no_lease: Column = ()
    oldest_active_seconds: Column = ()
    dead_last_hour: Column = ()
    oldest_dead_seconds: Column = ()
    #: Live worker processes that consume the queue.
    workers: Column = ()
    weight: Column = ()
    capacity: Column = ()
    utilization: Column = ()
    backpressure: Sequence[BackpressureState | None] = ()

    def only(self, kept: Sequence[bool]) -> "Queues":
        """The same columns with the rows that are marked."""
        return Queues(**{f.name: tuple(compress(getattr(self, f.name), kept)) for f in fields(self)})

    def row(self, index: int) -> Mapping[str, Any]:
        """All numbers of one queue by name."""
        return {f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "names"}

    def of(self, queue: str) -> Mapping[str, Any]:
        """All numbers of a queue; KeyError when the scan did not see it."""
        try:
            return self.row(self.names.index(queue))
        except ValueError:
            raise KeyError(queue) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A live worker process, as its heartbeat tells."""

    host: str
    pid: int
    server_id: str
    concurrency: int
    #: Queue -> weight.
    queues: Mapping[str, int]
    strict_priority: bool
    status: str
    started_at_seconds: float | None
    #: Processing slots in use at the beat.
    busy: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerEntry:
    """A periodic task of a live scheduler."""

    entry_id: str
    spec: str
    task_type: str
    #: None when it never will or never did.
    next_at_seconds: float | None
    previous_at_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A circuit breaker that workers share through Redis."""

    scope: str
    name: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisInfo:
    """What Redis says of itself; None where it does not."""

    version: str = ""
    mode: str = ""
    role: str = ""
    maxmemory_policy: str = ""
    memory_used_bytes: int | None = None
    memory_max_bytes: int | None = None
    connected_clients: int | None = None
    blocked_clients: int | None = None
    evicted_keys: int | None = None
    rejected_connections: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """How a part of the scan went."""

    success: bool
    duration_seconds: float
    #: What failed, where, and what to do; empty when it went well.
    error: str = ""
    #: Unix time of the last success; None when there was none.
    sampled_at_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeCount:
    """Tasks of one type among those sampled in one state of a queue."""

    queue: str
    state: str
    task_type: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """What the background collectors last saw."""

    #: Queue -> tasks in its groups, over a bounded number of groups.
    aggregating: Mapping[str, int] = field(default_factory=dict)
    #: Queue -> estimated bytes in Redis.
    memory_bytes: Mapping[str, int] = field(default_factory=dict)
    types: tuple[TypeCount, ...] = ()
    #: Type -> what all workers counted that share it.
    task_timings: Mapping[str, TaskTimings] = field(default_factory=dict)
    #: Collector -> how its last run went; only those that are switched on and have run.
    parts: Mapping[str, Part] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The task records in their database, as they were last read."""

    #: What they are; None while the database does not answer.
    summary: "Summary | None"
    #: Queues of the jobs that poll.
    polling_queues: tuple[str, ...]
    part: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a scan cost Redis and the network."""

    commands: int = 0
    round_trips: int = 0
    duration_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """How many queue names were read, left out by the patterns, and cut by the ceiling."""

    read: int = 0
    excluded: int = 0
    cut: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything one scan found."""

    at_seconds: float
    catalog: Catalog
    #: Redis answered; parts may have failed all the same.
    up: bool
    #: Why not, in one sentence; empty when up.
    error: str = ""
    queues: Queues = Queues()
    servers: tuple[Server, ...] = ()
    #: Live schedulers -> their entries.
    schedulers: tuple[tuple[SchedulerEntry, ...], ...] = ()
    breakers: tuple[Breaker, ...] = ()
    redis: RedisInfo | None = None
    ping_seconds: float | None = None
    samples: Samples = Samples()
    #: None where no database is configured, and before it was read for the first time.
    records: Records | None = None
    #: Part of the scan -> how it went.
    parts: Mapping[str, Part] = field(default_factory=dict)
    #: Queue -> what was wrong with it in this scan.
    queue_errors: Mapping[str, str] = field(default_factory=dict)
    #: Queue -> failed reads since the exporter started.
    queue_error_counts: Mapping[str, int] = field(default_factory=dict)
    selection: Selection = Selection()
    cost: Cost = Cost()
    last_success_at_seconds: float | None = None

    @property
    def backpressure(self) -> BackpressureState:
        """The state of the system: that of its fullest queue."""
        fullest = max((u for u in self.queues.utilization if u is not None), default=0.0)
        return self.catalog.backpressure.state(fullest)

    @property
    def checks(self) -> Mapping[str, bool]:
        """The parts of health; what cannot be known while Redis is away is left out."""
        if not self.up:
            return {"redis": False}
        return {
            "redis": True,
            "workers": bool(self.servers),
            "backpressure": self.backpressure is not BackpressureState.CRITICAL,
        }

    @property
    def polling_queues_served(self) -> bool:
        """Whether active workers take tasks from all queues of the jobs that poll: what `poll` goes by."""
        served = {queue for server in self.servers if server.status == ACTIVE for queue in server.queues}
        return self.up and self.records is not None and served.issuperset(self.records.polling_queues)

    @property
    def healthy(self) -> bool:
        """Redis reachable, at least one live worker, backpressure not CRITICAL."""
        return all(self.checks.values())
