"""Cancelling tasks with a refund: guide section 2.6."""

from typing import Annotated

from pydantic import Field

from asynq_exporter.web.api.models.shape import Ask, Model, TaskId, said, told

#: As in `core.records`, which is imported only when there are records: it takes 30 MiB and a second. A test
#: compares.
DEFAULT_REASON, DEFAULT_BATCH_REASON = "管理员手动取消", "管理员批量取消"
MAX_BATCH_IDS, MAX_TEXT_CHARACTERS = 100, 255


class CancelTask(Ask):
    """Which task, and why."""

    task_id: TaskId = said(..., "ID of the task, not of a job.", "任务 ID（不是队列任务 ID）")
    reason: str = said(DEFAULT_REASON, "Why.", "取消原因", max_length=MAX_TEXT_CHARACTERS)


class CancelTasks(Ask):
    """Which tasks, and why."""

    task_ids: Annotated[list[TaskId], Field(min_length=1, max_length=MAX_BATCH_IDS)] = said(
        ..., "IDs of the tasks, 1 to 100.", "任务 ID 列表（1-100 个）"
    )
    reason: str = said(DEFAULT_BATCH_REASON, "Why.", "取消原因", max_length=MAX_TEXT_CHARACTERS)


class Canceled(Model):
    """A canceled task."""

    task_id: str = told("ID of the task.", "任务 ID")
    user_id: int = told("Who paid.", "付费用户 ID")
    credits: int = told("Credits that the task had cost.", "任务消耗的资源")
    refunded: bool = told(
        "Whether the credits were given back, by this call or an earlier one.",
        "资源是否已退还（本次或之前的请求）",
    )
    reason: str = told("Why it was canceled; of the first request.", "取消原因，以首次请求为准")


class CancelOutcome(Model):
    """What became of one task of a batch."""

    task_id: str = told("ID of the task.", "任务 ID")
    success: bool = told("Whether it is canceled.", "是否已取消")
    data: Canceled | None = told(
        "The canceled task; null when it was refused.", "已取消的任务；被拒绝时为 null"
    )
    code: str | None = told("Why not; null when it was canceled.", "拒绝原因的代码；已取消时为 null")
    message: str | None = told("The same for people.", "供人阅读的拒绝原因")


class CancelBatch(Model):
    """What a batch did: each task is canceled or refused by itself."""

    total: int = told("Tasks that were asked for.", "请求的任务数")
    done: int = told("Tasks that are canceled.", "已取消的任务数")
    refused: int = told("Tasks that were refused.", "被拒绝的任务数")
    results: list[CancelOutcome] = told("One for each task, as asked for.", "每个任务的结果，按请求的顺序")
