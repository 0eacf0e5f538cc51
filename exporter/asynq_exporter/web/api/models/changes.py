"""Changes of tasks, one by one and many at once."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from asynq_exporter.core.inspector.changes import MAX_BATCH_IDS
from asynq_exporter.web.api.models.shape import (
    CURSOR_PATTERN,
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

#: Tasks of a state that one request changes, unless asked for another number and at most.
BATCH_LIMIT, MAX_BATCH_LIMIT = 100, 10_000

#: The same where each is told one by one.
MAX_FILTERED_LIMIT = 1_000


class ChangeTask(Ask):
    """Which task."""

    queue: Queue = said(..., "Name of the queue.", "队列名")
    task_id: TaskId = said(..., "ID of the task.", "任务 ID")
    state: State | None = said(
        None, "Only in this state; 409 in any other.", "仅当任务处于该状态时执行，否则返回 409"
    )


class DeleteTask(Ask):
    """Which task."""

    task_id: TaskId = said(
        ..., "ID of the task; colons as they are, a slash as %2F.", "任务 ID；冒号照写，斜杠写作 %2F"
    )
    queue: Queue = said(..., "Name of the queue.", "队列名")
    state: State | None = said(
        None, "Only in this state; 409 in any other.", "仅当任务处于该状态时执行，否则返回 409"
    )


class StopTask(Ask):
    """Which task."""

    queue: Queue = said(..., "Name of the queue.", "队列名")
    task_id: TaskId = said(..., "ID of the active task.", "正在执行的任务 ID")


class ChangeTasks(Ask):
    """Which tasks: some by their IDs, or those of a state from its beginning."""

    queue: Queue = said(..., "Name of the queue.", "队列名")
    task_ids: Annotated[list[TaskId], Field(min_length=1, max_length=MAX_BATCH_IDS)] | None = said(
        None, "Tasks by their IDs, 1 to 100; instead of state.", "任务 ID 列表（1-100 个）；与 state 二选一"
    )
    state: State | None = said(
        None, "All tasks of this state; instead of task_ids.", "该状态的所有任务；与 task_ids 二选一"
    )
    group: Group = said(
        "", "Group; needed for aggregating tasks, and for them alone.", "分组；仅 aggregating 状态需要"
    )
    type: str = said(
        "",
        "Of that state, only tasks of this type; the whole, or its beginning and `*`.",
        "仅处理该类型的任务；完整类型，或以 `*` 结尾的前缀",
        max_length=MAX_ID_CHARACTERS,
    )
    error: str = said(
        "",
        "Of that state, only tasks whose latest error has this part, in any case.",
        "仅处理最后一次错误包含该文字的任务，不分大小写",
        max_length=MAX_ID_CHARACTERS,
    )
    cursor: str | None = said(
        None,
        "With type or error: from the answer before, to go on behind it.",
        "使用 type 或 error 时，上一次返回的游标",
        min_length=1,
        max_length=MAX_CURSOR_CHARACTERS,
        pattern=CURSOR_PATTERN,
    )
    limit: int = said(
        BATCH_LIMIT,
        "Tasks of that state, at most; with type or error up to 1000.",
        "最多处理的任务数；使用 type 或 error 时不超过 1000",
        ge=1,
        le=MAX_BATCH_LIMIT,
    )
    dry_run: bool = said(False, "Change nothing, and say what would be.", "只演练，不做任何修改")  # noqa: FBT003

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.task_ids is None) == (self.state is None):
            raise ValueError("give task_ids or state, one of the two")
        if self.task_ids is not None and (self.is_filtered or self.group):
            raise ValueError("type, error and group choose among the tasks of a state; give state")
        if self.is_filtered and self.limit > MAX_FILTERED_LIMIT:
            raise ValueError(f"with type or error the limit is at most {MAX_FILTERED_LIMIT}")
        if self.cursor is not None and not self.is_filtered:
            raise ValueError("a cursor goes with type or error")
        return self

    @property
    def is_filtered(self) -> bool:
        """Whether only some tasks of the state are meant."""
        return bool(self.type or self.error)


class TaskChange(Model):
    """What a change did."""

    queue: str = told("Name of the queue.", "队列名")
    task_id: str = told("ID of the task.", "任务 ID")
    previous_state: str = told("State before the change.", "修改前的状态")


class TaskStop(Model):
    """That the workers were asked to stop a task."""

    queue: str = told("Name of the queue.", "队列名")
    task_id: str = told("ID of the task.", "任务 ID")
    listeners: int = told(
        "Worker processes that heard it; none says whether it ran the task.",
        "收到通知的 Worker 进程数；无法得知是否由其执行该任务",
    )


class TaskOutcome(Model):
    """What became of one task of a batch."""

    task_id: str = told("ID of the task.", "任务 ID")
    success: bool = told("Whether it was done, or would be.", "是否完成（演练时为能否完成）")
    previous_state: str | None = told(
        "State before; null when it was refused.", "修改前的状态；被拒绝时为 null"
    )
    code: str | None = told(
        "Why not; null when it was done, or would be.", "拒绝原因的代码；完成或演练可行时为 null"
    )
    message: str | None = told("The same for people.", "供人阅读的拒绝原因")


class TaskChanges(Model):
    """What a batch did, or in a dry run would do."""

    queue: str = told("Name of the queue.", "队列名")
    state: str | None = told(
        "State whose tasks were meant; null where task_ids were given.",
        "所处理任务的状态；使用 task_ids 时为 null",
    )
    dry_run: bool = told("Whether nothing was changed.", "是否只演练、未做修改")
    done: int = told("Tasks that were changed, or would be.", "已处理（演练时为将处理）的任务数")
    refused: int = told("Tasks that were refused.", "被拒绝的任务数")
    remaining: int | None = told(
        "Tasks left in that state; null where task_ids were given.",
        "该状态剩余的任务数；使用 task_ids 时为 null",
    )
    cursor: str | None = told(
        "With type or error: to go on; null at the end of the state.",
        "使用 type 或 error 时用于继续的游标；到末尾时为 null",
    )
    scanned: int | None = told(
        "With type or error: tasks that were looked at.", "使用 type 或 error 时已查看的任务数"
    )
    results: list[TaskOutcome] = told(
        "One for each task by its ID, or found by type and error; empty for a whole state.",
        "按 ID 或按 type、error 找到的每个任务的结果；处理整个状态时为空",
    )
