"""Tasks: lists, one task, searches."""

from typing import Annotated, Literal

from pydantic import Field

from asynq_exporter.core.inspector.search import BUDGET, MAX_BUDGET
from asynq_exporter.core.inspector.tasks import MAX_PAGE, MAX_PAGE_PAYLOAD_BYTES
from asynq_exporter.web.api.models.shape import (
    CURSOR_PATTERN,
    DEFAULT_QUEUE,
    MAX_CURSOR_CHARACTERS,
    MAX_ID_CHARACTERS,
    Ask,
    Group,
    Model,
    Queue,
    State,
    TaskId,
    said,
)

#: Tasks of a page; the guide's numbers.
PAGE_SIZE, MAX_PAGE_SIZE = 20, 100

#: Bytes of a payload that a list, and a single task, shows unless asked for another number.
LIST_PAYLOAD_BYTES = 1024
TASK_PAYLOAD_BYTES, MAX_TASK_PAYLOAD_BYTES = 64 * 1024, 1024 * 1024

Size = Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)]
Page = Annotated[int, Field(ge=1, le=MAX_PAGE)]


class Blob(Model):
    """Bytes of a payload or a result; null for a role that may not see them."""

    encoding: Literal["utf-8", "base64"] = Field(description="base64 for what is no UTF-8.")
    data: str
    cut: bool = Field(description="Whether there is more.")


class TaskView(Model):
    """A task, with the fields of the guide's section 2.3; moments are RFC 3339 in UTC."""

    id: str
    queue: str
    type: str | None = Field(description="null where the message cannot be read.")
    state: str = Field(description="That of the collection it stands in, else the word in its hash.")
    retried: int | None
    max_retry: int | None
    next_process_at: str | None = Field(description="When it is due; now for a pending task.")
    last_error: str | None
    last_failed_at: str | None
    payload: Blob | None
    payload_bytes: int | None = Field(description="True length, shown or not.")
    result: Blob | None
    result_bytes: int
    headers: dict[str, str] | None = Field(description="null for a role that may not see payloads.")
    timeout_seconds: int | None
    deadline: str | None
    retention_seconds: int | None
    completed_at: str | None
    archived_at: str | None
    pending_since: str | None
    group: str | None
    lease_expires_at: str | None = Field(description="Of an active task; without one nobody recovers it.")
    orphaned: bool = Field(description="Active, and its lease is over.")
    problem: str | None = Field(
        description="Why the message is not told: no_hash, no_message, corrupt_message, too_long,"
        " unknown_state."
    )


class TaskList(Model):
    """A page of the tasks in a state."""

    tasks: list[TaskView]
    queue: str
    state: str
    page: int
    size: int
    total: int = Field(description="Tasks in that state at that moment.")


class TaskSearch(Model):
    """What was found in a stretch."""

    tasks: list[TaskView]
    queue: str
    state: str
    cursor: str | None = Field(description="For the next stretch; null at the end.")
    scanned: int = Field(description="Tasks that were looked at.")
    total: int = Field(description="Tasks in that state.")


class TaskFound(Model):
    """The tasks of an ID, one for each queue that has it."""

    tasks: list[TaskView]


class ListTasks(Ask):
    """Which page."""

    queue: Queue = said(DEFAULT_QUEUE, "Name of the queue.", "队列名")
    state: State = said(
        State.PENDING,
        "State; the guide's five, completed or aggregating.",
        "任务状态：指南的五种，以及 completed、aggregating",
    )
    page: Page = said(1, "Page, from 1.", "页码，从 1 开始")
    size: Size = said(PAGE_SIZE, "Tasks of a page.", "每页数量")
    group: Group = said(
        "", "Group; needed for aggregating tasks, and for them alone.", "分组；仅 aggregating 状态需要"
    )
    payload_limit: int = said(
        LIST_PAYLOAD_BYTES,
        "Bytes shown of each payload and result.",
        "每个载荷和结果显示的字节数",
        ge=0,
        le=MAX_PAGE_PAYLOAD_BYTES,
    )


class GetTask(Ask):
    """Which task."""

    task_id: TaskId = said(
        ..., "ID of the task; colons as they are, a slash as %2F.", "任务 ID；冒号照写，斜杠写作 %2F"
    )
    queue: Queue = said(DEFAULT_QUEUE, "Name of the queue.", "队列名")
    payload_limit: int = said(
        TASK_PAYLOAD_BYTES,
        "Bytes shown of payload and result.",
        "载荷和结果显示的字节数",
        ge=0,
        le=MAX_TASK_PAYLOAD_BYTES,
    )


class FindTask(Ask):
    """Which ID."""

    task_id: TaskId = said(..., "ID of the task, whole.", "完整的任务 ID")
    payload_limit: int = said(
        LIST_PAYLOAD_BYTES,
        "Bytes shown of each payload and result.",
        "每个载荷和结果显示的字节数",
        ge=0,
        le=MAX_PAGE_PAYLOAD_BYTES,
    )


class SearchTasks(Ask):
    """What to look for."""

    queue: Queue = said(DEFAULT_QUEUE, "Name of the queue.", "队列名")
    state: State = said(State.PENDING, "State of the tasks.", "任务状态")
    type: str = said(
        "",
        "The whole type, or its beginning and `*`.",
        "完整类型，或以 `*` 结尾的前缀",
        max_length=MAX_ID_CHARACTERS,
    )
    error: str = said(
        "",
        "Part of the latest error, in any case.",
        "最后一次错误包含的文字，不分大小写",
        max_length=MAX_ID_CHARACTERS,
    )
    size: Size = said(PAGE_SIZE, "Tasks to find at most.", "最多找到的任务数")
    cursor: str | None = said(
        None,
        "From the stretch before.",
        "上一段返回的游标",
        min_length=1,
        max_length=MAX_CURSOR_CHARACTERS,
        pattern=CURSOR_PATTERN,
    )
    budget: int = said(
        BUDGET,
        "Tasks to look at, at most, before the answer comes with a cursor.",
        "一次最多查看的任务数；未查完时返回游标",
        ge=1,
        le=MAX_BUDGET,
    )
    group: Group = said(
        "", "Group; needed for aggregating tasks, and for them alone.", "分组；仅 aggregating 状态需要"
    )
    payload_limit: int = said(
        LIST_PAYLOAD_BYTES,
        "Bytes shown of each payload and result.",
        "每个载荷和结果显示的字节数",
        ge=0,
        le=MAX_PAGE_PAYLOAD_BYTES,
    )
