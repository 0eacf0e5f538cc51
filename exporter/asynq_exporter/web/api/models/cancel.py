"""Cancelling tasks with a refund: guide section 2.6."""

from typing import Annotated

from pydantic import Field

from asynq_exporter.core.records.cancel import DEFAULT_BATCH_REASON, DEFAULT_REASON, MAX_BATCH_IDS
from asynq_exporter.core.records.models import MAX_TEXT_CHARACTERS
from asynq_exporter.web.api.models.shape import Ask, Model, TaskId, said


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
