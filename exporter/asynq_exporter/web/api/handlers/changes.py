"""Changes of tasks, one by one and many at once."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from asynq_exporter.core.inspector import MAX_BATCH_IDS, BulkResult, Outcome, TaskFilter
from asynq_exporter.core.inspector.bulk import ARCHIVABLE, DELETABLE, RUNNABLE
from asynq_exporter.core.inspector.search import MAX_BUDGET
from asynq_exporter.core.states import Operation, TaskState
from asynq_exporter.web.api import errors
from asynq_exporter.web.api.context import Context
from asynq_exporter.web.api.errors import ApiError
from asynq_exporter.web.api.models import changes as m
from asynq_exporter.web.api.models.shape import Done
from asynq_exporter.web.api.tokens import Caller

#: Operation -> states that a batch may take its tasks from.
_SOURCES = {Operation.RUN: RUNNABLE, Operation.ARCHIVE: ARCHIVABLE, Operation.DELETE: DELETABLE}
_WORDS = {Operation.RUN: "重试", Operation.ARCHIVE: "归档", Operation.DELETE: "删除"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """What a batch came to, as TaskChanges tells it."""

    done: int
    refused: int = 0
    remaining: int | None = None
    cursor: str | None = None
    scanned: int | None = None
    results: list[m.TaskOutcome] = field(default_factory=list)

    @classmethod
    def of(cls, found: Sequence[Outcome]) -> Self:
        """The outcomes of single tasks."""
        results = [_outcome(one) for one in found]
        done = sum(one.success for one in results)
        return cls(done=done, refused=len(results) - done, results=results)


async def retry(context: Context, asked: m.ChangeTask, _caller: Caller) -> Done[m.TaskChange]:
    """Makes a task ready to run."""
    before = await context.inspector.run_task(asked.queue, asked.task_id, only_in=asked.state)
    return _done("任务已重新入队", asked, before)


async def archive(context: Context, asked: m.ChangeTask, _caller: Caller) -> Done[m.TaskChange]:
    """Puts a task into the archive."""
    before = await context.inspector.archive_task(asked.queue, asked.task_id, only_in=asked.state)
    return _done("任务已归档", asked, before)


async def delete(context: Context, asked: m.DeleteTask, _caller: Caller) -> Done[m.TaskChange]:
    """Deletes a task."""
    before = await context.inspector.delete_task(asked.queue, asked.task_id, only_in=asked.state)
    return _done("任务已删除", asked, before)


async def stop(context: Context, asked: m.StopTask, _caller: Caller) -> Done[m.TaskStop]:
    """Asks the workers to stop a task that runs."""
    listeners = await context.inspector.cancel_task(asked.queue, asked.task_id)
    data = m.TaskStop(queue=asked.queue, task_id=asked.task_id, listeners=listeners)
    return Done(message="已通知 Worker 停止该任务", data=data)


async def retry_many(context: Context, asked: m.ChangeTasks, _caller: Caller) -> Done[m.TaskChanges]:
    """Makes many tasks ready to run."""
    return await _many(context, Operation.RUN, asked)


async def archive_many(context: Context, asked: m.ChangeTasks, _caller: Caller) -> Done[m.TaskChanges]:
    """Archives many tasks."""
    return await _many(context, Operation.ARCHIVE, asked)


async def delete_many(context: Context, asked: m.ChangeTasks, _caller: Caller) -> Done[m.TaskChanges]:
    """Deletes many tasks."""
    return await _many(context, Operation.DELETE, asked)


async def _many(context: Context, operation: Operation, asked: m.ChangeTasks) -> Done[m.TaskChanges]:
    if asked.task_ids is not None:
        found = await context.inspector.batch(operation, asked.queue, asked.task_ids, dry_run=asked.dry_run)
        result = _Result.of(found)
    elif asked.is_filtered:
        result = await _of_a_filter(context, operation, asked)
    else:
        result = await _of_a_state(context, operation, asked)
    word = ("可" if asked.dry_run else "已") + _WORDS[operation]
    return Done(
        message=f"{word} {result.done} 个任务" + (f"，{result.refused} 个未处理" if result.refused else ""),
        data=m.TaskChanges(
            queue=asked.queue,
            state=asked.state,
            dry_run=asked.dry_run,
            done=result.done,
            refused=result.refused,
            remaining=result.remaining,
            cursor=result.cursor,
            scanned=result.scanned,
            results=result.results,
        ),
    )


async def _of_a_state(context: Context, operation: Operation, asked: m.ChangeTasks) -> _Result:
    state = _source(operation, asked)
    if asked.dry_run:
        left = await _count(context, asked, state)
        would = min(left, asked.limit)
        return _Result(done=would, remaining=left - would)
    change: dict[Operation, Callable[..., Awaitable[BulkResult]]] = {
        Operation.RUN: context.inspector.run_all,
        Operation.ARCHIVE: context.inspector.archive_all,
        Operation.DELETE: context.inspector.delete_all,
    }
    result = await change[operation](asked.queue, state, group=asked.group, limit=asked.limit)
    return _Result(done=result.done, remaining=result.remaining)


async def _of_a_filter(context: Context, operation: Operation, asked: m.ChangeTasks) -> _Result:
    """Looks at one stretch of the state, and changes what it finds there, as long as it is still there."""
    state = _source(operation, asked)
    found: list[Outcome] = []
    cursor, scanned = asked.cursor, 0
    while len(found) < asked.limit and scanned < MAX_BUDGET:
        page = await context.inspector.search_tasks(
            asked.queue,
            state,
            TaskFilter(type=asked.type, error=asked.error),
            group=asked.group,
            size=min(MAX_BATCH_IDS, asked.limit - len(found)),
            budget=MAX_BUDGET - scanned,
            cursor=cursor,
            payload_limit_bytes=0,
        )
        cursor, scanned = page.cursor, scanned + page.scanned
        if ids := [task.id for task in page.tasks]:
            found += await context.inspector.batch(
                operation, asked.queue, ids, only_in=state, dry_run=asked.dry_run
            )
        if cursor is None:
            break
    result = _Result.of(found)
    left = await _count(context, asked, state)
    return replace(result, remaining=left, cursor=cursor, scanned=scanned)


async def _count(context: Context, asked: m.ChangeTasks, state: TaskState) -> int:
    page = await context.inspector.list_tasks(
        asked.queue, state, group=asked.group, size=1, payload_limit_bytes=0
    )
    return page.total


def _source(operation: Operation, asked: m.ChangeTasks) -> TaskState:
    state = asked.state
    if state is None or state not in _SOURCES[operation]:
        allowed = ", ".join(sorted(_SOURCES[operation]))
        raise ApiError(
            422, "invalid_argument", f"tasks of state {state} cannot all be changed; take {allowed}"
        )
    return state


def _done(message: str, asked: m.ChangeTask | m.DeleteTask, before: TaskState) -> Done[m.TaskChange]:
    data = m.TaskChange(queue=asked.queue, task_id=asked.task_id, previous_state=before)
    return Done(message=message, data=data)


def _outcome(one: Outcome) -> m.TaskOutcome:
    error = None if one.error is None else errors.of(one.error)
    return m.TaskOutcome(
        task_id=one.task_id,
        success=one.error is None,
        previous_state=one.state,
        code=None if error is None else error.code,
        message=None if error is None else error.message,
    )
