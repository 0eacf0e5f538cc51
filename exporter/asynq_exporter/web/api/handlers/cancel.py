"""Cancelling tasks with a refund: guide section 2.6."""

from typing import TYPE_CHECKING

from asynq_exporter.web.api import errors
from asynq_exporter.web.api.context import Context
from asynq_exporter.web.api.models import cancel as m
from asynq_exporter.web.api.models.shape import Done
from asynq_exporter.web.api.tokens import Caller

if TYPE_CHECKING:
    from asynq_exporter.core.records import BatchOutcome, CancelResult


async def cancel(context: Context, asked: m.CancelTask, _caller: Caller) -> Done[m.Canceled]:
    """Cancels a task and gives its credits back."""
    cancellations = await context.records.cancellations()
    result = await cancellations.cancel(asked.task_id, reason=asked.reason)
    return Done(message=_message(result), data=m.Canceled.model_validate(result))


async def cancel_batch(context: Context, asked: m.CancelTasks, _caller: Caller) -> Done[m.CancelBatch]:
    """Cancels many tasks, each by itself."""
    cancellations = await context.records.cancellations()
    outcomes = await cancellations.cancel_batch(asked.task_ids, reason=asked.reason)
    results = [_outcome(one) for one in outcomes]
    done = sum(one.success for one in results)
    refused = len(results) - done
    return Done(
        message=f"批量取消完成：成功 {done} 个，失败 {refused} 个",
        data=m.CancelBatch(total=len(results), done=done, refused=refused, results=results),
    )


def _message(result: "CancelResult") -> str:
    if result.refunded:
        return "任务已取消并退还资源"
    return "任务已取消，资源将自动退还" if result.credits else "任务已取消，无资源可退"


def _outcome(one: "BatchOutcome") -> m.CancelOutcome:
    error = None if one.error is None else errors.of(one.error)
    return m.CancelOutcome(
        task_id=one.task_id,
        success=one.error is None,
        data=None if one.result is None else m.Canceled.model_validate(one.result),
        code=None if error is None else error.code,
        message=None if error is None else error.message,
    )
