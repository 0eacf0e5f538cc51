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
    told,
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

    encoding: Literal["utf-8", "base64"] = told("base64 for what is no UTF-8.", "不是 UTF-8 时为 base64")
    data: str = told("The bytes in that encoding.", "按该编码表示的内容")
    cut: bool = told("Whether there is more.", "是否被截断")


class TaskView(Model):
    """A task, with the fields of the guide's section 2.3; moments are RFC 3339 in UTC."""

    id: str = told("ID of the task.", "任务唯一标识")
    queue: str = told("Its queue.", "所属队列")
    type: str | None = told(
        "Its type; null where the message cannot be read.", "任务类型；消息无法读取时为 null"
    )
    state: str = told(
        "That of the collection it stands in, else the word in its hash.",
        "当前状态：取自所在集合，否则取自任务哈希中的状态",
    )
    retried: int | None = told("Retries so far.", "已重试次数")
    max_retry: int | None = told("Retries at most.", "最大重试次数")
    next_process_at: str | None = told(
        "When it is due; now for a pending task.", "下次执行时间；待消费任务为当前时间"
    )
    last_error: str | None = told("Latest error.", "最后一次错误")
    last_failed_at: str | None = told("When it last failed.", "最后一次失败的时间")
    payload: Blob | None = told(
        "Payload; null for a role that may not see it.", "任务数据；无权查看的角色为 null"
    )
    payload_bytes: int | None = told("True length, shown or not.", "实际长度，与是否显示无关")
    result: Blob | None = told(
        "Result; null for a role that may not see it, and where there is none.",
        "执行结果；没有结果或角色无权查看时为 null",
    )
    result_bytes: int = told("True length, shown or not.", "实际长度，与是否显示无关")
    headers: dict[str, str] | None = told(
        "Headers; null for a role that may not see payloads.", "头信息；无权查看载荷的角色为 null"
    )
    timeout_seconds: int | None = told(
        "How long an attempt may take; 0 for no limit.", "单次执行的超时秒数；0 表示无限制"
    )
    deadline: str | None = told("When it is to be given up.", "截止时间")
    retention_seconds: int | None = told("For how long a success is kept.", "成功后的保留秒数")
    completed_at: str | None = told("When it succeeded.", "成功的时间")
    archived_at: str | None = told("When it was archived.", "归档的时间")
    pending_since: str | None = told("Since when it is ready to run.", "从何时起等待消费")
    group: str | None = told("Its group, where it has one.", "所属分组（如有）")
    lease_expires_at: str | None = told(
        "Of an active task; without one nobody recovers it.", "处理中任务的租约到期时间；没有租约则无人回收"
    )
    orphaned: bool = told("Active, and its lease is over.", "是否为孤儿任务：处于 active 且租约已过期")
    problem: str | None = told(
        "Why the message is not told: no_hash, no_message, corrupt_message, too_long, unknown_state.",
        "消息无法给出的原因：no_hash、no_message、corrupt_message、too_long、unknown_state",
    )


class TaskList(Model):
    """A page of the tasks in a state."""

    tasks: list[TaskView] = told("The page.", "本页任务")
    queue: str = told("As asked for.", "与请求相同")
    state: str = told("As asked for.", "与请求相同")
    page: int = told("As asked for.", "与请求相同")
    size: int = told("As asked for.", "与请求相同")
    total: int = told("Tasks in that state at that moment.", "此刻该状态的任务总数")


class TaskSearch(Model):
    """What was found in a stretch."""

    tasks: list[TaskView] = told("What was found.", "找到的任务")
    queue: str = told("As asked for.", "与请求相同")
    state: str = told("As asked for.", "与请求相同")
    cursor: str | None = told(
        "For the next stretch; null at the end.", "用于查看下一段的游标；到末尾时为 null"
    )
    scanned: int = told("Tasks that were looked at.", "已查看的任务数")
    total: int = told("Tasks in that state.", "该状态的任务总数")


class TaskFound(Model):
    """The tasks of an ID, one for each queue that has it."""

    tasks: list[TaskView] = told("One for each queue that has it.", "每个含有该 ID 的队列一个")


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
