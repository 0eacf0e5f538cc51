"""Queues: numbers, health, history, groups, pausing."""

from pydantic import Field, RootModel

from asynq_exporter.core.inspector.groups import GROUPS_PAGE_SIZE
from asynq_exporter.web.api.models.shape import DEFAULT_QUEUE, Ask, Model, Queue, said

#: asynq keeps so many days.
HISTORY_DAYS, MAX_HISTORY_DAYS = 30, 90
MAX_GROUPS = 1_000


class Nothing(Ask):
    """No parameters."""


class QueueStats(Model):
    """The guide's numbers; null where one is not known."""

    queue: str
    size: int | None = Field(description="pending + active + scheduled + retry + aggregating.")
    pending: int | None
    active: int | None
    scheduled: int | None
    retry: int | None
    archived: int | None


class Stats(RootModel[dict[str, QueueStats]]):
    """The numbers by queue."""


class Health(Model):
    """The guide's numbers; null where Redis does not tell."""

    healthy: bool = Field(description="Redis answers, a worker lives, backpressure is not CRITICAL.")
    redis_connected: bool
    queue_utilization: float | None = Field(description="Size / capacity of the fullest queue.")
    worker_active_count: int | None = Field(description="Processing slots in use.")
    processor_count: int | None = Field(description="Processing slots in all.")
    backpressure_state: str | None = Field(description="NORMAL, WARNING or CRITICAL.")


class QueueOverview(QueueStats):
    """All numbers of a queue; null where one is not known."""

    completed: int | None
    aggregating: int | None
    groups: int | None
    processed_today: int | None
    failed_today: int | None
    processed_total: int | None
    failed_total: int | None
    latency_seconds: float | None
    paused: bool | None
    orphaned: int | None
    workers: int | None
    capacity: int | None
    utilization: float | None
    backpressure_state: str | None


class Totals(Model):
    """Sums over the queues."""

    queues: int
    size: int
    archived: int
    processed_today: int
    failed_today: int
    workers: int = Field(description="Live worker processes.")
    schedulers: int


class Overview(Model):
    """The health, the sums and every queue."""

    at: str
    health: Health
    totals: Totals
    queues: list[QueueOverview]


class Day(Model):
    """The attempts of a UTC day; failures are among the processed."""

    date: str
    processed: int
    failed: int


class History(Model):
    """Days, today first."""

    queue: str
    days: list[Day]


class GetHistory(Ask):
    """Whose history."""

    queue: Queue = said(DEFAULT_QUEUE, "Name of the queue.", "队列名")
    days: int = said(HISTORY_DAYS, "Days, today included.", "天数（含今天）", ge=1, le=MAX_HISTORY_DAYS)


class Group(Model):
    """A group and how many tasks wait in it."""

    name: str
    size: int


class GroupList(Model):
    """Some groups of a queue."""

    queue: str
    groups: list[Group]
    cursor: str | None = Field(description="For the next groups; null at the end.")


class ListGroups(Ask):
    """Which groups."""

    queue: Queue = said(DEFAULT_QUEUE, "Name of the queue.", "队列名")
    cursor: str = said("0", "From the answer before.", "上一次返回的游标", pattern=r"^[0-9]{1,19}$")
    size: int = said(
        100, "About so many groups.", "大约返回的分组数", ge=1, le=min(MAX_GROUPS, GROUPS_PAGE_SIZE)
    )


class ChangeQueue(Ask):
    """Which queue."""

    queue: Queue = said(..., "Name of the queue.", "队列名")


class QueueChange(Model):
    """What a change did."""

    queue: str
    paused: bool
