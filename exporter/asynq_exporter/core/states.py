"""The states of a task, what may be done in each (guide 1.2) and how they follow each other (guide 1.3)."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class TaskState(StrEnum):
    """State of a task, spelled as in its hash in Redis (wire section 1.3)."""

    PENDING = "pending"
    ACTIVE = "active"
    SCHEDULED = "scheduled"
    RETRY = "retry"
    ARCHIVED = "archived"
    COMPLETED = "completed"
    AGGREGATING = "aggregating"


class Operation(StrEnum):
    """What an operator can do to a single task."""

    RUN = "run"
    DELETE = "delete"
    ARCHIVE = "archive"
    CANCEL = "cancel"


class Event(StrEnum):
    """What moves a task from one state to another."""

    ENQUEUE = "enqueue"
    SCHEDULE = "schedule"
    ADD_TO_GROUP = "add_to_group"
    FORWARD = "forward"
    DEQUEUE = "dequeue"
    DONE = "done"
    COMPLETE = "complete"
    RETRY = "retry"
    REQUEUE = "requeue"
    ARCHIVE = "archive"
    RUN = "run"
    DELETE = "delete"
    EXPIRE = "expire"
    AGGREGATE = "aggregate"


#: States counted into the size of a queue: work to be done. Dead and kept tasks are not work.
SIZE_STATES = (
    TaskState.PENDING,
    TaskState.ACTIVE,
    TaskState.SCHEDULED,
    TaskState.RETRY,
    TaskState.AGGREGATING,
)

#: State -> operations an operator may try; the guide's table, and what the wire adds (section 4.7).
OPERATIONS: Mapping[TaskState, frozenset[Operation]] = MappingProxyType(
    {
        # Running a pending task is a no-op to the operator: it is next anyway. The guide offers it,
        # the wire answers "already pending".
        TaskState.PENDING: frozenset({Operation.RUN, Operation.DELETE, Operation.ARCHIVE}),
        TaskState.ACTIVE: frozenset({Operation.CANCEL}),
        # The guide lists Run and Delete; asynq can archive a scheduled task too.
        TaskState.SCHEDULED: frozenset({Operation.RUN, Operation.DELETE, Operation.ARCHIVE}),
        TaskState.RETRY: frozenset({Operation.RUN, Operation.ARCHIVE, Operation.DELETE}),
        TaskState.ARCHIVED: frozenset({Operation.RUN, Operation.DELETE}),
        # The guide lists Delete only; asynq would also run a kept success again, which repeats its effects.
        TaskState.COMPLETED: frozenset({Operation.DELETE}),
        TaskState.AGGREGATING: frozenset({Operation.RUN, Operation.DELETE, Operation.ARCHIVE}),
    }
)

#: (state before, event) -> state after; None before: the task does not exist yet, None after: it is gone.
TRANSITIONS: Mapping[tuple[TaskState | None, Event], TaskState | None] = MappingProxyType(
    {
        (None, Event.ENQUEUE): TaskState.PENDING,
        (None, Event.SCHEDULE): TaskState.SCHEDULED,
        (None, Event.ADD_TO_GROUP): TaskState.AGGREGATING,
        (TaskState.SCHEDULED, Event.FORWARD): TaskState.PENDING,
        (TaskState.RETRY, Event.FORWARD): TaskState.PENDING,
        (TaskState.PENDING, Event.DEQUEUE): TaskState.ACTIVE,
        (TaskState.ACTIVE, Event.DONE): None,
        (TaskState.ACTIVE, Event.COMPLETE): TaskState.COMPLETED,
        (TaskState.ACTIVE, Event.RETRY): TaskState.RETRY,
        (TaskState.ACTIVE, Event.REQUEUE): TaskState.PENDING,
        (TaskState.ACTIVE, Event.ARCHIVE): TaskState.ARCHIVED,
        (TaskState.COMPLETED, Event.EXPIRE): None,
        (TaskState.AGGREGATING, Event.AGGREGATE): None,
        **{
            (state, Event.RUN): TaskState.PENDING for state in TaskState if Operation.RUN in OPERATIONS[state]
        },
        **{(state, Event.DELETE): None for state in TaskState if Operation.DELETE in OPERATIONS[state]},
        **{
            (state, Event.ARCHIVE): TaskState.ARCHIVED
            for state in TaskState
            if Operation.ARCHIVE in OPERATIONS[state]
        },
    }
)


def after(state: TaskState | None, event: Event) -> TaskState | None:
    """The state that follows; None when the task is gone.

    Raises:
        KeyError: the event cannot happen in that state.
    """
    return TRANSITIONS[state, event]
