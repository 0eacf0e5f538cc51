"""Changes of single tasks and of some by their IDs (wire sections 3.26 and 4.7)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from redis import Redis

from asynq_exporter.core import Broker, FixedClock, TaskState, keys, messages
from asynq_exporter.core.broker import Delivery
from asynq_exporter.core.errors import (
    AlreadyArchivedError,
    AlreadyPendingError,
    AsynqError,
    CorruptMessageError,
    InvalidArgumentError,
    NotScheduledError,
    QueueNotFoundError,
    TaskActiveError,
    TaskMisplacedError,
    TaskNotActiveError,
    TaskNotFoundError,
    UnknownStateError,
    WrongStateError,
)
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.core.states import TRANSITIONS, Event, Operation
from tests.conftest import wait_until
from tests.core.inspector.placing import GROUP, LISTS, PLACE, fill, place
from tests.core.queue_state import Q, T, a_task, everything, hash_of, list_of, message_of, scores_of

S = TaskState

#: Operation -> what each state answers: the state afterwards ("gone" for none), or the error.
TABLE: Mapping[str, Mapping[TaskState, str | type[AsynqError]]] = {
    "run": {
        S.PENDING: AlreadyPendingError,
        S.ACTIVE: TaskActiveError,
        S.SCHEDULED: "pending",
        S.RETRY: "pending",
        S.ARCHIVED: "pending",
        S.COMPLETED: "pending",
        S.AGGREGATING: "pending",
    },
    "archive": {
        S.PENDING: "archived",
        S.ACTIVE: TaskActiveError,
        S.SCHEDULED: "archived",
        S.RETRY: "archived",
        S.ARCHIVED: AlreadyArchivedError,
        S.COMPLETED: "archived",
        S.AGGREGATING: "archived",
    },
    "delete": {
        S.PENDING: "gone",
        S.ACTIVE: TaskActiveError,
        S.SCHEDULED: "gone",
        S.RETRY: "gone",
        S.ARCHIVED: "gone",
        S.COMPLETED: "gone",
        S.AGGREGATING: "gone",
    },
    "update": dict.fromkeys(S, NotScheduledError) | {S.SCHEDULED: "scheduled"},
    "cancel": dict.fromkeys(S, TaskNotActiveError) | {S.ACTIVE: "active"},
}

#: The canonical words of the errors, stable for logs and answers.
CODES = {
    AlreadyArchivedError: "already_archived",
    AlreadyPendingError: "already_pending",
    NotScheduledError: "not_scheduled",
    QueueNotFoundError: "queue_not_found",
    TaskActiveError: "task_active",
    TaskMisplacedError: "task_misplaced",
    TaskNotActiveError: "task_not_active",
    TaskNotFoundError: "task_not_found",
    UnknownStateError: "unknown_state",
    WrongStateError: "wrong_state",
}

CASES = [(op, state, answer) for op, answers in TABLE.items() for state, answer in answers.items()]

OPERATIONS = list(TABLE)


def call(inspector: Inspector, operation: str, task_id: str = "1", queue: str = Q) -> Awaitable[Any]:
    """An operation on a task."""
    if operation == "update":
        return inspector.update_payload(queue, task_id, b"new")
    methods: dict[str, Callable[[str, str], Awaitable[Any]]] = {
        "run": inspector.run_task,
        "archive": inspector.archive_task,
        "delete": inspector.delete_task,
        "cancel": inspector.cancel_task,
    }
    return methods[operation](queue, task_id)


def where(redis: Redis, task_id: str = "1") -> list[TaskState]:
    """The states whose collections hold a task."""
    return [
        state
        for state, key in PLACE.items()
        if task_id in (list_of(redis, key) if state in LISTS else scores_of(redis, key))
    ]


@pytest.mark.parametrize(("operation", "state", "answer"), CASES)
async def test_operation_answers_as_the_table_says(
    inspector: Inspector,
    broker: Broker,
    redis_sync: Redis,
    operation: str,
    state: TaskState,
    answer: str | type[WrongStateError],
) -> None:
    """4.7, each state x operation: done, or refused with its own error and without a trace."""
    await place(broker, state)
    before = everything(redis_sync)
    if isinstance(answer, type):
        with pytest.raises(answer) as caught:
            await call(inspector, operation)
        assert type(caught.value) is answer
        assert (caught.value.state, caught.value.code) == (state, CODES[answer])
        assert everything(redis_sync) == before
        return
    reply = await call(inspector, operation)
    assert reply == state or operation in {"update", "cancel"}
    if answer == "gone":
        assert hash_of(redis_sync) == {}
        assert where(redis_sync) == []
    else:
        assert hash_of(redis_sync)["state"].decode() == answer
        assert where(redis_sync) == [answer]
        assert message_of(redis_sync).id == "1"
    if state is S.AGGREGATING:
        assert not redis_sync.exists(keys.groups(Q))


@pytest.mark.parametrize("event", [Event.RUN, Event.ARCHIVE, Event.DELETE])
def test_table_of_states_is_kept(event: Event) -> None:
    """Guide 1.2: whatever the table of transitions promises an operator, the Inspector does."""
    for (before, promised), after in TRANSITIONS.items():
        if (
            promised is not event
            or before is None
            or (event, before)
            in {
                (Event.ARCHIVE, S.ACTIVE),  # by a worker
                (Event.RUN, S.PENDING),  # the guide's no-op
            }
        ):
            continue
        assert TABLE[event][before] == (after or "gone")


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_missing_task_queue_and_name(inspector: Inspector, redis_sync: Redis, operation: str) -> None:
    """What is not there has its own error; what can never be there is an invalid argument."""
    fill(redis_sync, S.PENDING, ["other"])
    before = everything(redis_sync)
    with pytest.raises(TaskNotFoundError) as task_error:
        await call(inspector, operation)
    with pytest.raises(QueueNotFoundError) as queue_error:
        await call(inspector, operation, queue="nowhere")
    assert (task_error.value.code, queue_error.value.code) == ("task_not_found", "queue_not_found")
    for queue, task_id in ((" ", "1"), (Q, "\t"), (Q, ""), (Q, "\ud800"), ("\ud800", "1")):
        with pytest.raises(InvalidArgumentError):
            await call(inspector, operation, task_id, queue)
    assert everything(redis_sync) == before


@pytest.mark.parametrize("operation", ["run", "archive", "delete"])
async def test_task_that_is_not_where_its_state_says(
    inspector: Inspector, broker: Broker, clock: FixedClock, redis_sync: Redis, operation: str
) -> None:
    """4.7: in a set that is being aggregated, or astray: an error, and nothing changes."""
    await place(broker, S.AGGREGATING)
    clock.advance(60)
    assert await broker.aggregation_check(Q, GROUP)
    for state in (S.PENDING, S.SCHEDULED, S.COMPLETED, S.AGGREGATING):
        redis_sync.hset(keys.task(Q, f"astray-{state}"), "state", state)
    before = everything(redis_sync)
    astray = [S.SCHEDULED, S.COMPLETED, S.AGGREGATING] + [S.PENDING] * (operation != "run")
    for task_id in ("1", *(f"astray-{state}" for state in astray)):
        with pytest.raises(TaskMisplacedError, match="not found there"):
            await call(inspector, operation, task_id)
    assert everything(redis_sync) == before


@pytest.mark.parametrize("operation", ["run", "archive", "delete", "cancel"])
@pytest.mark.parametrize("fields", [{"state": "stuck"}, {"result": "x"}, {"state": b"\xff"}])
async def test_state_that_asynq_does_not_know(
    inspector: Inspector, redis_sync: Redis, operation: str, fields: dict[Any, Any]
) -> None:
    """A ghost, or the state of some other version: an error of its own."""
    redis_sync.sadd(keys.QUEUES, Q)
    redis_sync.hset(keys.task(Q, "1"), mapping=fields)
    before = everything(redis_sync)
    with pytest.raises(UnknownStateError) as caught:
        await call(inspector, operation)
    assert caught.value.code == "unknown_state"
    assert everything(redis_sync) == before


@pytest.mark.parametrize("operation", [Operation.RUN, Operation.ARCHIVE, Operation.DELETE])
async def test_only_the_expected_state(
    inspector: Inspector, broker: Broker, redis_sync: Redis, operation: Operation
) -> None:
    """`only_in` refuses another state though the operation would allow it."""
    await place(broker, S.RETRY)
    method = {
        Operation.RUN: inspector.run_task,
        Operation.ARCHIVE: inspector.archive_task,
        Operation.DELETE: inspector.delete_task,
    }[operation]
    before = everything(redis_sync)
    with pytest.raises(WrongStateError, match="is retry, not scheduled") as caught:
        await method(Q, "1", only_in=S.SCHEDULED)
    assert (type(caught.value), caught.value.code) == (WrongStateError, "wrong_state")
    assert everything(redis_sync) == before
    assert await method(Q, "1", only_in=S.RETRY) is S.RETRY


async def test_task_run_by_hand_waits_its_turn(
    inspector: Inspector, broker: Broker, redis_sync: Redis
) -> None:
    """4.7: at the newest end, without pending_since, everything else as it was."""
    await place(broker, S.RETRY)
    fill(redis_sync, S.PENDING, ["older"])
    before = hash_of(redis_sync)
    assert await inspector.run_task(Q, "1") is S.RETRY
    assert list_of(redis_sync, keys.pending(Q)) == ["1", "older"]
    assert hash_of(redis_sync) == {**before, "state": b"pending"}
    first, second = await broker.dequeue([Q]), await broker.dequeue([Q])
    assert isinstance(first, Delivery)
    assert isinstance(second, Delivery)
    assert (first.message.id, second.message.id) == ("older", "1")
    assert (second.message.retried, second.message.error_msg) == (1, "boom")


async def test_archiving_keeps_message_lock_and_counters(
    inspector: Inspector, broker: Broker, redis_sync: Redis
) -> None:
    """4.7: only place and state change; the score is now."""
    lock = keys.unique(Q, "t", None)
    await broker.enqueue_unique(a_task(unique_key=lock), ttl_seconds=60)
    before = hash_of(redis_sync)
    await inspector.archive_task(Q, "1")
    assert hash_of(redis_sync) == {**before, "state": b"archived"}
    assert scores_of(redis_sync, keys.archived(Q)) == {"1": T}
    assert redis_sync.get(lock) == b"1"
    assert not redis_sync.exists(keys.processed(Q), keys.failed(Q))


async def test_archive_is_trimmed_by_size_with_hashes(
    inspector: Inspector, broker: Broker, redis_sync: Redis
) -> None:
    """4.7 and 3.13: 9,999 stay; unlike with asynq's Inspector the hashes of the others go, however many."""
    ids = fill(redis_sync, S.ARCHIVED, (f"{n:05}" for n in range(10_250)), score=T - 20_000)
    await place(broker, S.SCHEDULED)
    await inspector.archive_task(Q, "1")
    assert list(scores_of(redis_sync, keys.archived(Q))) == [*ids[-9_998:], "1"]
    assert not redis_sync.exists(*(keys.task(Q, task_id) for task_id in ids[:-9_998]))
    assert redis_sync.exists(*(keys.task(Q, task_id) for task_id in ids[-9_998:])) == 9_998


async def test_archive_is_trimmed_by_age_with_hashes(
    inspector: Inspector, broker: Broker, redis_sync: Redis
) -> None:
    """4.7: 90 days to the second."""
    days = 90 * 24 * 3600
    old = fill(redis_sync, S.ARCHIVED, (f"old-{n:03}" for n in range(250)), score=T - days - 249)
    young = fill(redis_sync, S.ARCHIVED, ["young"], score=T - days + 1)
    await place(broker, S.PENDING)
    await inspector.archive_task(Q, "1")
    assert list(scores_of(redis_sync, keys.archived(Q))) == [*young, "1"]
    assert not redis_sync.exists(*(keys.task(Q, task_id) for task_id in old))


async def test_deleting_frees_the_tasks_own_lock(inspector: Inspector, redis_sync: Redis) -> None:
    """4.7: the lock that the hash names, and only while it holds this ID."""
    fill(redis_sync, S.ARCHIVED, ["mine", "lost"], lock=True)
    redis_sync.set("lock:lost", "another")
    await inspector.delete_task(Q, "mine")
    await inspector.delete_task(Q, "lost")
    assert not redis_sync.exists("lock:mine")
    assert redis_sync.get("lock:lost") == b"another"


async def test_deleting_a_grouped_task_leaves_its_lock(
    inspector: Inspector, broker: Broker, redis_sync: Redis
) -> None:
    """3.6: its hash does not name the lock."""
    lock = keys.unique(Q, "t", None)
    await broker.add_to_group_unique(a_task(group=GROUP, unique_key=lock), ttl_seconds=60)
    await inspector.delete_task(Q, "1")
    assert redis_sync.get(lock) == b"1"


async def test_group_is_listed_while_it_has_tasks(
    inspector: Inspector, broker: Broker, redis_sync: Redis
) -> None:
    """4.7: the name goes with the last task."""
    await place(broker, S.AGGREGATING, "1")
    await place(broker, S.AGGREGATING, "2")
    await inspector.run_task(Q, "1")
    assert redis_sync.smembers(keys.groups(Q)) == {GROUP.encode()}
    await inspector.archive_task(Q, "2")
    assert not redis_sync.exists(keys.groups(Q))


@pytest.mark.parametrize("victim", [0, 5_999, 6_000, 11_999, "no time"])
async def test_pending_task_is_found_anywhere_in_a_long_list(
    inspector: Inspector, redis_sync: Redis, victim: int | str
) -> None:
    """Beyond 10,000 the search begins at the end that the age suggests, and finds the task in any case."""
    ids = fill(redis_sync, S.PENDING, (f"{n:05}" for n in range(12_000)))
    target = ids[victim] if isinstance(victim, int) else ids[77]
    if not isinstance(victim, int):
        redis_sync.hdel(keys.task(Q, target), "pending_since")
    assert await inspector.delete_task(Q, target) is S.PENDING
    assert list_of(redis_sync, keys.pending(Q)) == [task_id for task_id in reversed(ids) if task_id != target]


@pytest.mark.parametrize(("position", "share"), [(0.02, 0.1), (0.98, 0.1)])
async def test_search_in_a_long_list_begins_at_the_nearer_end(
    inspector: Inspector, redis_sync: Redis, position: float, share: float
) -> None:
    """A task near either end costs Redis a fraction of a search through the whole list."""
    ids = fill(redis_sync, S.PENDING, (f"{n:06}" for n in range(60_000)))

    def fastest(*commands: Callable[[], Any]) -> float:
        costs = []
        for command in commands:
            redis_sync.config_resetstat()
            command()
            costs.append(redis_sync.info("commandstats")["cmdstat_lrem"]["usec"])
        return float(min(costs))

    whole = fastest(*[lambda: redis_sync.lrem(keys.pending(Q), 0, "none")] * 5)
    start = int(position * len(ids))
    costs = []
    for task_id in ids[start : start + 5]:
        redis_sync.config_resetstat()
        await inspector.delete_task(Q, task_id)
        costs.append(redis_sync.info("commandstats")["cmdstat_lrem"]["usec"])
    assert min(costs) < share * whole + 20


async def test_payload_is_replaced_and_nothing_else(inspector: Inspector, redis_sync: Redis) -> None:
    """4.7, 8.5: the message keeps headers and fields that we do not know; the lock keeps its name."""
    fill(redis_sync, S.SCHEDULED, ["1"], payload=b"old", headers={"k": "v"}, lock=True)
    unknown = b"\xaa\x06\x03abc"  # field 101
    redis_sync.hset(keys.task(Q, "1"), "msg", hash_of(redis_sync)["msg"] + unknown)
    await inspector.update_payload(Q, "1", b"new")
    found = hash_of(redis_sync)
    expected = a_task(payload=b"new", headers={"k": "v"})
    assert found["msg"] == messages.encode(expected) + unknown
    assert found["unique_key"] == b"lock:1"
    assert scores_of(redis_sync, keys.scheduled(Q)) == {"1": T}


@pytest.mark.parametrize("fields", [{"state": "scheduled"}, {"state": "scheduled", "msg": b"\xff"}])
async def test_payload_of_a_corrupt_task_stays(
    inspector: Inspector, redis_sync: Redis, fields: dict[Any, Any]
) -> None:
    """Without a message there is nothing to put the payload into."""
    redis_sync.sadd(keys.QUEUES, Q)
    redis_sync.hset(keys.task(Q, "1"), mapping=fields)
    before = everything(redis_sync)
    with pytest.raises(CorruptMessageError):
        await inspector.update_payload(Q, "1", b"new")
    assert everything(redis_sync) == before


async def test_cancelation_is_published(inspector: Inspector, broker: Broker, redis_sync: Redis) -> None:
    """3.26: the bare ID, whether a task of that name runs or not; `cancel_task` looks first."""
    with redis_sync.pubsub(ignore_subscribe_messages=True) as listener:  # type: ignore[no-untyped-call]
        listener.subscribe(keys.CANCEL_CHANNEL)
        wait_until(lambda: redis_sync.pubsub_numsub(keys.CANCEL_CHANNEL)[0][1] == 1, what="we listen")
        assert await inspector.cancel("anything") == 1
        await place(broker, S.ACTIVE, "running")
        assert await inspector.cancel_task(Q, "running") == 1
        heard: list[bytes] = []

        def all_heard() -> bool:
            if message := listener.get_message():
                heard.append(message["data"])
            return len(heard) == 2

        wait_until(all_heard, what="both messages arrive")
        assert heard == [b"anything", b"running"]


@pytest.mark.parametrize("operation", list(Operation))
async def test_dry_run_says_what_the_batch_then_does(
    inspector: Inspector, broker: Broker, redis_sync: Redis, operation: Operation
) -> None:
    """The same outcomes in the same order, a task in every state among them; the dry run changes nothing."""
    for state in S:
        if state is not S.PENDING:
            await place(broker, state, f"in-{state}")
    await place(broker, S.PENDING, "in-pending")
    redis_sync.hset(keys.task(Q, "ghost"), "result", "x")
    ids = [*(f"in-{state}" for state in S), "missing", "ghost"]
    before = everything(redis_sync)
    planned = await inspector.batch(operation, Q, [*ids, ids[0]], dry_run=True)
    assert everything(redis_sync) == before
    done = await inspector.batch(operation, Q, ids)
    assert [outcome.task_id for outcome in planned] == ids
    assert [(one.task_id, one.state, type(one.error), str(one.error)) for one in planned] == [
        (one.task_id, one.state, type(one.error), str(one.error)) for one in done
    ]
    for outcome, state in zip(done, S, strict=False):
        expected = TABLE[operation][state]
        assert outcome.state is state
        assert type(outcome.error) is (expected if isinstance(expected, type) else type(None))
    assert isinstance(done[-2].error, TaskNotFoundError)
    assert isinstance(done[-1].error, UnknownStateError)


@pytest.mark.parametrize("operation", [Operation.RUN, Operation.ARCHIVE, Operation.DELETE])
async def test_batch_in_one_state_only(
    inspector: Inspector, broker: Broker, redis_sync: Redis, operation: Operation
) -> None:
    """A task that has left the state meanwhile is refused, in a dry run and without; the other is done."""
    await place(broker, S.SCHEDULED, "left")
    await place(broker, S.RETRY, "stayed")
    for dry_run in (True, False):
        left, stayed = await inspector.batch(
            operation, Q, ["left", "stayed"], only_in=S.RETRY, dry_run=dry_run
        )
        assert (type(left.error), left.state) == (WrongStateError, S.SCHEDULED)
        assert (stayed.error, stayed.state) == (None, S.RETRY)
    assert hash_of(redis_sync, "left")["state"] == b"scheduled"


@pytest.mark.parametrize("ids", [[], [str(n) for n in range(101)], ["1", " "]])
async def test_batch_has_one_to_a_hundred_ids(
    inspector: Inspector, redis_sync: Redis, ids: list[str]
) -> None:
    """More would take too long for one request, and a blank ID is none."""
    fill(redis_sync, S.ARCHIVED, ["1"])
    before = everything(redis_sync)
    with pytest.raises(InvalidArgumentError):
        await inspector.batch(Operation.DELETE, Q, ids)
    with pytest.raises(QueueNotFoundError):
        await inspector.batch(Operation.DELETE, "nowhere", ["1"])
    assert everything(redis_sync) == before
