"""Queues: numbers, health, history, groups, pausing."""

from pydantic import RootModel

from asynq_exporter.core.inspector.groups import GROUPS_PAGE_SIZE
from asynq_exporter.web.api.models.shape import DEFAULT_QUEUE, Ask, Model, Queue, said, told

#: asynq keeps so many days.
HISTORY_DAYS, MAX_HISTORY_DAYS = 30, 90
MAX_GROUPS = 1_000


class Nothing(Ask):
    """No parameters."""


class QueueStats(Model):
    """The guide's numbers; null where one is not known."""

    queue: str = told("Name of the queue.", "队列名")
    size: int | None = told(
        "pending + active + scheduled + retry + aggregating.",
        "pending + active + scheduled + retry + aggregating",
    )
    pending: int | None = told("Tasks ready to be processed.", "待消费的任务数")
    active: int | None = told("Tasks being processed.", "处理中的任务数")
    scheduled: int | None = told("Tasks whose first run lies in the future.", "延迟等待的任务数")
    retry: int | None = told("Failed tasks that wait for another attempt.", "等待重试的任务数")
    archived: int | None = told("Dead tasks.", "死信（已归档）任务数")


class Stats(RootModel[dict[str, QueueStats]]):
    """The numbers by queue."""


class Health(Model):
    """The guide's numbers; null where Redis does not tell."""

    healthy: bool = told(
        "Redis answers, a worker lives, backpressure is not CRITICAL.",
        "Redis 有响应、有存活的 Worker 且背压不为 CRITICAL",
    )
    redis_connected: bool = told("Whether Redis answers.", "Redis 是否有响应")
    queue_utilization: float | None = told("Size / capacity of the fullest queue.", "最满队列的任务数 / 容量")
    worker_active_count: int | None = told("Processing slots in use.", "使用中的并发槽数")
    processor_count: int | None = told("Processing slots in all.", "并发槽总数")
    backpressure_state: str | None = told("NORMAL, WARNING or CRITICAL.", "NORMAL、WARNING 或 CRITICAL")


class QueueOverview(QueueStats):
    """All numbers of a queue; null where one is not known."""

    completed: int | None = told("Succeeded tasks kept for their retention.", "已成功且在保留期内的任务数")
    aggregating: int | None = told("Tasks waiting in groups.", "在分组中等待聚合的任务数")
    groups: int | None = told("Groups with waiting tasks.", "有任务等待的分组数")
    processed_today: int | None = told(
        "Attempts of this UTC day, failures included.", "当天（UTC）的执行次数，包括失败"
    )
    failed_today: int | None = told("Failures of this UTC day.", "当天（UTC）的失败次数")
    processed_total: int | None = told(
        "Attempts since the queue exists, failures included.", "队列创建以来的执行次数，包括失败"
    )
    failed_total: int | None = told("Failures since the queue exists.", "队列创建以来的失败次数")
    latency_seconds: float | None = told(
        "Age of the oldest pending task; 0 when nothing is pending.",
        "最早的待消费任务已等待的秒数；没有待消费任务时为 0",
    )
    paused: bool | None = told("Whether the queue is paused.", "是否已暂停")
    orphaned: int | None = told(
        "Active tasks that no worker holds any more.", "孤儿任务数：处于 active 却没有 Worker 持有"
    )
    workers: int | None = told(
        "Live worker processes that consume the queue.", "消费该队列的存活 Worker 进程数"
    )
    capacity: int | None = told("Tasks the queue is meant to hold at most.", "队列容量")
    utilization: float | None = told("Size / capacity.", "利用率：任务数 / 容量")
    backpressure_state: str | None = told("NORMAL, WARNING or CRITICAL.", "NORMAL、WARNING 或 CRITICAL")


class Totals(Model):
    """Sums over the queues."""

    queues: int = told("Queues.", "队列数")
    size: int = told("Tasks to be done.", "待完成的任务数")
    archived: int = told("Dead tasks.", "死信任务数")
    processed_today: int = told(
        "Attempts of this UTC day, failures included.", "当天（UTC）的执行次数，包括失败"
    )
    failed_today: int = told("Failures of this UTC day.", "当天（UTC）的失败次数")
    workers: int = told("Live worker processes.", "存活的 Worker 进程数")
    schedulers: int = told("Live schedulers.", "存活的调度器数")


class Overview(Model):
    """The health, the sums and every queue."""

    at: str = told("When Redis was read.", "读取 Redis 的时间")
    health: Health = told("As at /health.", "与 /health 相同")
    totals: Totals = told("The numbers of all queues together.", "各队列合计")
    queues: list[QueueOverview] = told("Each queue.", "各队列")


class Day(Model):
    """The attempts of a UTC day; failures are among the processed."""

    date: str = told("The UTC day, as 2026-01-22.", "UTC 日期，例如 2026-01-22")
    processed: int = told("Attempts, failures included.", "执行次数，包括失败")
    failed: int = told("Failures.", "失败次数")


class History(Model):
    """Days, today first."""

    queue: str = told("Name of the queue.", "队列名")
    days: list[Day] = told("Today first.", "各天，今天在前")


class GetHistory(Ask):
    """Whose history."""

    queue: Queue = said(DEFAULT_QUEUE, "Name of the queue.", "队列名")
    days: int = said(HISTORY_DAYS, "Days, today included.", "天数（含今天）", ge=1, le=MAX_HISTORY_DAYS)


class Group(Model):
    """A group and how many tasks wait in it."""

    name: str = told("Name of the group.", "分组名")
    size: int = told("Tasks that wait in it.", "其中等待的任务数")


class GroupList(Model):
    """Some groups of a queue."""

    queue: str = told("Name of the queue.", "队列名")
    groups: list[Group] = told("Some of its groups.", "部分分组")
    cursor: str | None = told(
        "For the next groups; null at the end.", "用于获取后续分组的游标；到末尾时为 null"
    )


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

    queue: str = told("Name of the queue.", "队列名")
    paused: bool = told("Whether it is paused now.", "现在是否已暂停")
