"""What was read beyond the numbers of a scan: some tasks, heartbeats, groups; no payload is kept."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

#: Types told apart as evidence.
TOP_TYPES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTask:
    """A task as far as checks look at it; moments are Unix seconds."""

    task_id: str
    #: Empty where the task cannot be read.
    task_type: str = ""
    error: str = ""
    retried: int = 0
    max_retry: int = 0
    last_failed_at_seconds: float | None = None
    timeout_seconds: float | None = None
    #: When the lease of an active task ends.
    lease_ends_at_seconds: float | None = None
    #: Why it cannot be read, as the Inspector says it.
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Some tasks of a queue in one state."""

    #: All tasks in that state.
    total: int
    tasks: tuple[SeenTask, ...]

    @property
    def types(self) -> Mapping[str, int]:
        """The most frequent types."""
        return dict(Counter(task.task_type for task in self.tasks if task.task_type).most_common(TOP_TYPES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A task that a live worker says it runs; moments are Unix seconds."""

    task_id: str
    task_type: str
    queue: str
    #: Host and process.
    worker: str
    started_at_seconds: float | None
    deadline_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The last beat of a server whose record Redis still keeps."""

    #: Host and process.
    worker: str
    #: How far its clock is ahead of Redis' own.
    skew_seconds: float
    #: By its own clock it has expired, so nobody counts it as live.
    hidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of a live scheduler."""

    scheduler: str
    spec: str
    task_type: str
    #: What tells two entries of the same spec and type apart, such as payload and options; not to be shown.
    identity: str
    #: Its options let only one task of its kind exist.
    unique: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingGroup:
    """A group of tasks that wait to be aggregated."""

    queue: str
    group: str
    size: int
    oldest_seconds: float
    #: Age of the task that joined last.
    newest_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What INFO and TIME say beyond the scan; None where they do not."""

    uptime_seconds: float | None = None
    aof_enabled: bool | None = None
    #: RDB files written since the start.
    rdb_saves: int | None = None
    #: The configured save points; None when Redis does not tell.
    save_points: str | None = None
    last_save_failed: bool = False
    master_link_up: bool | None = None
    #: How far Redis' clock is ahead of ours.
    clock_ahead_seconds: float | None = None
