"""Worker processes, schedulers, Redis."""

from pydantic import Field

from asynq_exporter.core.inspector.schedulers import MAX_EVENTS_PAGE, MAX_EVENTS_PAGE_SIZE
from asynq_exporter.web.api.models.shape import Ask, Model, TaskId, said
from asynq_exporter.web.api.models.tasks import Blob


class Running(Model):
    """A task that a server runs."""

    task_id: str
    type: str | None = Field(description="null where the record cannot be read.")
    queue: str | None
    started_at: str | None
    deadline: str | None
    payload: Blob | None
    payload_bytes: int | None


class ServerInfo(Model):
    """A live worker process."""

    id: str
    host: str
    pid: int
    status: str
    concurrency: int
    active: int = Field(description="Tasks that it runs, shown or not.")
    queues: dict[str, int] = Field(description="Queue and weight.")
    strict_priority: bool
    started_at: str | None
    workers: list[Running]


class ServerList(Model):
    """The live worker processes."""

    worker_count: int
    servers: list[ServerInfo]


class Entry(Model):
    """A task that a scheduler enqueues again and again."""

    id: str
    scheduler_id: str
    spec: str
    type: str
    options: list[str]
    next_enqueue_at: str | None
    prev_enqueue_at: str | None
    payload: Blob | None
    payload_bytes: int


class EntryList(Model):
    """The entries of the live schedulers."""

    entries: list[Entry]


class Event(Model):
    """That an entry enqueued a task."""

    task_id: str
    enqueued_at: str | None


class EventList(Model):
    """What an entry enqueued, the newest first; asynq keeps 1,000."""

    entry_id: str
    page: int
    size: int
    events: list[Event]


class ListEvents(Ask):
    """Which events."""

    entry_id: TaskId = said(..., "ID of the entry.", "定时任务条目 ID")
    page: int = said(1, "Page, from 1.", "页码，从 1 开始", ge=1, le=MAX_EVENTS_PAGE)
    size: int = said(20, "Events of a page.", "每页数量", ge=1, le=min(100, MAX_EVENTS_PAGE_SIZE))


class RedisView(Model):
    """What Redis says of itself; null where it does not."""

    version: str
    mode: str
    role: str
    maxmemory_policy: str = Field(description="Anything but noeviction loses tasks.")
    memory_used_bytes: int | None
    memory_max_bytes: int | None = Field(description="0 for no limit.")
    connected_clients: int | None
    blocked_clients: int | None
    evicted_keys: int | None
    rejected_connections: int | None
    ping_seconds: float | None
