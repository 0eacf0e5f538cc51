"""Worker processes, schedulers, Redis."""

from asynq_exporter.core.inspector.schedulers import MAX_EVENTS_PAGE, MAX_EVENTS_PAGE_SIZE
from asynq_exporter.web.api.models.shape import Ask, Model, TaskId, said, told
from asynq_exporter.web.api.models.tasks import Blob


class Running(Model):
    """A task that a server runs."""

    task_id: str = told("ID of the task.", "任务 ID")
    type: str | None = told(
        "Type of the task; null where the record cannot be read.", "任务类型；记录无法读取时为 null"
    )
    queue: str | None = told(
        "Its queue; null where the record cannot be read.", "所属队列；记录无法读取时为 null"
    )
    started_at: str | None = told("When this attempt began.", "本次执行的开始时间")
    deadline: str | None = told("When it is to be given up.", "截止时间")
    payload: Blob | None = told(
        "Payload; null for a role that may not see it.", "载荷；无权查看的角色为 null"
    )
    payload_bytes: int | None = told("True length, shown or not.", "实际长度，与是否显示无关")


class ServerInfo(Model):
    """A live worker process."""

    id: str = told("ID of the process.", "进程 ID（Asynq 分配）")
    host: str = told("Host that it runs on.", "所在主机")
    pid: int = told("Number of the process there.", "操作系统进程号")
    status: str = told(
        "What it says of itself: active, stopped or closed.", "上报的状态：active、stopped 或 closed"
    )
    concurrency: int = told("Tasks that it runs at the same time at most.", "最大并发数")
    active: int = told("Tasks that it runs, shown or not.", "正在执行的任务数，与是否显示无关")
    queues: dict[str, int] = told("Queue and weight.", "队列及权重")
    strict_priority: bool = told("Whether a queue of higher weight is emptied first.", "是否严格优先级")
    started_at: str | None = told("When it started.", "启动时间")
    workers: list[Running] = told("What it runs.", "正在执行的任务")


class ServerList(Model):
    """The live worker processes."""

    worker_count: int = told("Live worker processes.", "存活的 Worker 进程数")
    servers: list[ServerInfo] = told("Each of them.", "各 Worker 进程")


class Entry(Model):
    """A task that a scheduler enqueues again and again."""

    id: str = told("ID of the entry.", "定时任务条目 ID")
    scheduler_id: str = told("Scheduler that has it.", "所属调度器的 ID")
    spec: str = told(
        "When: a cron expression, or @every and a duration.", "执行时间：cron 表达式，或 @every 加时长"
    )
    type: str = told("Type of its tasks.", "任务类型")
    options: list[str] = told("Options of its tasks, as asynq writes them.", "任务选项，与 Asynq 的写法相同")
    next_enqueue_at: str | None = told("When it is next enqueued.", "下次入队时间")
    prev_enqueue_at: str | None = told(
        "When it was last enqueued; null before the first time.", "上次入队时间；首次入队前为 null"
    )
    payload: Blob | None = told(
        "Payload; null for a role that may not see it.", "载荷；无权查看的角色为 null"
    )
    payload_bytes: int = told("True length, shown or not.", "实际长度，与是否显示无关")


class EntryList(Model):
    """The entries of the live schedulers."""

    entries: list[Entry] = told("Each entry.", "各定时任务条目")


class Event(Model):
    """That an entry enqueued a task."""

    task_id: str = told("Task that was enqueued.", "入队的任务 ID")
    enqueued_at: str | None = told("When.", "入队时间")


class EventList(Model):
    """What an entry enqueued, the newest first; asynq keeps 1,000."""

    entry_id: str = told("ID of the entry.", "定时任务条目 ID")
    page: int = told("As asked for.", "与请求相同")
    size: int = told("As asked for.", "与请求相同")
    events: list[Event] = told("The newest first.", "最新的在前")


class ListEvents(Ask):
    """Which events."""

    entry_id: TaskId = said(..., "ID of the entry.", "定时任务条目 ID")
    page: int = said(1, "Page, from 1.", "页码，从 1 开始", ge=1, le=MAX_EVENTS_PAGE)
    size: int = said(20, "Events of a page.", "每页数量", ge=1, le=min(100, MAX_EVENTS_PAGE_SIZE))


class RedisView(Model):
    """What Redis says of itself; null where it does not."""

    version: str = told("Version of Redis.", "Redis 版本")
    mode: str = told("standalone, sentinel or cluster.", "standalone、sentinel 或 cluster")
    role: str = told("master or slave.", "master 或 slave")
    maxmemory_policy: str = told(
        "Anything but noeviction loses tasks.", "淘汰策略；不是 noeviction 会丢失任务"
    )
    memory_used_bytes: int | None = told("Memory in use.", "已用内存")
    memory_max_bytes: int | None = told("Limit; 0 for none.", "内存上限；0 表示无限制")
    connected_clients: int | None = told("Client connections.", "客户端连接数")
    blocked_clients: int | None = told("Clients waiting in a blocking call.", "在阻塞命令中等待的客户端数")
    evicted_keys: int | None = told("Keys evicted for lack of memory.", "因内存不足被淘汰的键数")
    rejected_connections: int | None = told(
        "Connections refused because of maxclients.", "因达到 maxclients 而拒绝的连接数"
    )
    ping_seconds: float | None = told("Round trip of the first commands.", "第一批命令的往返时间")
