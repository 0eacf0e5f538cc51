"""Cancelling tasks with a refund: guide section 2.6."""

from typing import Annotated

from pydantic import Field

from asynq_exporter.web.api.models.shape import Ask, Model, TaskId, said

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

    task_id: str
    user_id: int
    credits: int
    refunded: bool = Field(description="Whether the credits were given back, by this call or an earlier one.")
    reason: str


class CancelOutcome(Model):
    """What became of one task of a batch."""

    task_id: str
    success: bool
    data: Canceled | None
    code: str | None = Field(description="Why not; null when it was canceled.")
    message: str | None


class CancelBatch(Model):
    """What a batch did: each task is canceled or refused by itself."""

    total: int
    done: int
    refused: int
    results: list[CancelOutcome]
