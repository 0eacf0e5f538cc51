"""The table of states is what the scripts do (guide 1.3)."""

from collections.abc import Awaitable, Callable

import pytest
from redis import Redis

from asynq_exporter.core import Broker, FixedClock, TaskState
from asynq_exporter.core.states import SIZE_STATES, TRANSITIONS, Event, after
from tests.core.queue_state import Q, T, a_task, hash_of

RETENTION = 60
MESSAGE = a_task(retention_seconds=RETENTION, group="g")

#: Events that the inspector causes, not the broker.
BY_HAND = {Event.RUN, Event.DELETE}


async def _dequeue(broker: Broker, _: FixedClock) -> None:
    assert await broker.dequeue([Q]) is not None


async def _forward(broker: Broker, clock: FixedClock) -> None:
    clock.advance(60)
    assert await broker.forward([Q]) == 1


async def _expire(broker: Broker, clock: FixedClock) -> None:
    clock.advance(RETENTION)
    assert await broker.delete_expired_completed(Q) == 1


async def _aggregate(broker: Broker, clock: FixedClock) -> None:
    clock.advance(60)
    set_id = await broker.aggregation_check(Q, "g")
    assert set_id is not None
    await broker.delete_aggregation_set(Q, "g", set_id)


CAUSE: dict[Event, Callable[[Broker, FixedClock], Awaitable[None]]] = {
    Event.ENQUEUE: lambda broker, _: broker.enqueue(MESSAGE),
    Event.SCHEDULE: lambda broker, _: broker.schedule(MESSAGE, process_at=T + 60),
    Event.ADD_TO_GROUP: lambda broker, _: broker.add_to_group(MESSAGE),
    Event.FORWARD: _forward,
    Event.DEQUEUE: _dequeue,
    Event.DONE: lambda broker, _: broker.done(MESSAGE),
    Event.COMPLETE: lambda broker, _: broker.mark_complete(MESSAGE),
    Event.RETRY: lambda broker, _: broker.retry(MESSAGE, retry_at=T + 60, error="boom"),
    Event.REQUEUE: lambda broker, _: broker.requeue(MESSAGE),
    Event.ARCHIVE: lambda broker, _: broker.archive(MESSAGE, error="boom"),
    Event.EXPIRE: _expire,
    Event.AGGREGATE: _aggregate,
}

#: How a task gets into each state.
PATHS: dict[TaskState | None, list[Event]] = {
    None: [],
    TaskState.PENDING: [Event.ENQUEUE],
    TaskState.ACTIVE: [Event.ENQUEUE, Event.DEQUEUE],
    TaskState.SCHEDULED: [Event.SCHEDULE],
    TaskState.RETRY: [Event.ENQUEUE, Event.DEQUEUE, Event.RETRY],
    TaskState.COMPLETED: [Event.ENQUEUE, Event.DEQUEUE, Event.COMPLETE],
    TaskState.AGGREGATING: [Event.ADD_TO_GROUP],
}

BROKER_TRANSITIONS = [
    (before, event)
    for before, event in TRANSITIONS
    if event not in BY_HAND and not (event is Event.ARCHIVE and before is not TaskState.ACTIVE)
]


def state_of(redis: Redis) -> str | None:
    """The state that the hash says; None without a hash."""
    state = hash_of(redis).get("state")
    return None if state is None else state.decode()


@pytest.mark.parametrize(("before", "event"), BROKER_TRANSITIONS)
async def test_script_leads_where_the_table_says(
    broker: Broker, clock: FixedClock, redis_sync: Redis, before: TaskState | None, event: Event
) -> None:
    """Every transition of the table that the broker makes, on a real task."""
    for step in PATHS[before]:
        await CAUSE[step](broker, clock)
    assert state_of(redis_sync) == before
    await CAUSE[event](broker, clock)
    assert state_of(redis_sync) == after(before, event)


def test_every_event_but_those_by_hand_is_proved() -> None:
    """An event added to the table needs a cause here."""
    assert {event for _, event in BROKER_TRANSITIONS} == set(CAUSE) == set(Event) - BY_HAND


def test_every_state_is_reached_and_left() -> None:
    """No state is a dead end, none comes from nowhere."""
    assert {state for state, _ in TRANSITIONS} == {None, *TaskState} == set(TRANSITIONS.values())


def test_size_is_the_work_to_be_done() -> None:
    """Dead and kept tasks do not count into the size of a queue."""
    assert set(TaskState) - set(SIZE_STATES) == {TaskState.ARCHIVED, TaskState.COMPLETED}


def test_impossible_event_is_refused() -> None:
    """A completed task is not dequeued."""
    with pytest.raises(KeyError):
        after(TaskState.COMPLETED, Event.DEQUEUE)
