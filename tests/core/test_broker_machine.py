"""Any sequence of operations against a model in memory: a task is in exactly one state, counters add up."""

import asyncio
import dataclasses
import re
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from asynq_exporter.core import Broker, DuplicateTaskError, FixedClock, TaskIdConflictError, TaskState, keys
from asynq_exporter.core.messages import TaskMessage
from tests.conftest import RedisServer
from tests.core.queue_state import Q, T, a_task, hash_of, list_of, scores_of

LOCK = keys.unique(Q, "t", None)
GROUP = "g"
DAILY = re.compile(rf"({re.escape(keys.processed(Q))}|{re.escape(keys.failed(Q))}):\d{{4}}-\d\d-\d\d")

#: The keys that are there while a task is in a state.
KEYS_OF_STATES = (
    (TaskState.PENDING, keys.pending(Q)),
    (TaskState.ACTIVE, keys.active(Q)),
    (TaskState.ACTIVE, keys.lease(Q)),
    (TaskState.SCHEDULED, keys.scheduled(Q)),
    (TaskState.RETRY, keys.retry(Q)),
    (TaskState.ARCHIVED, keys.archived(Q)),
    (TaskState.COMPLETED, keys.completed(Q)),
    (TaskState.AGGREGATING, keys.group(Q, GROUP)),
    (TaskState.AGGREGATING, keys.groups(Q)),
)

IDS = st.sampled_from(["1", "2", "3", "a:b"])
SECONDS = st.integers(0, 40)


@dataclasses.dataclass
class ModelTask:
    """What the model knows of a task."""

    message: TaskMessage
    state: TaskState
    retried: int = 0
    #: Score in the sorted set of the state, or in the lease set.
    score: int = 0
    group: bool = False


class BrokerMachine(RuleBasedStateMachine):
    """One queue, a few IDs, one lock, one group."""

    server: RedisServer

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.sync: Redis = self.server.client()
        self.sync.flushall()
        self.clock = FixedClock(seconds=T)
        self.client = AsyncRedis(port=self.server.port)
        self.broker = Broker(self.client, self.clock)
        self.tasks: dict[str, ModelTask] = {}
        # From the left end, as in Redis.
        self.pending: list[str] = []
        self.active: list[str] = []
        self.lock: str | None = None
        self.paused = False
        self.processed = 0
        self.failed = 0

    def teardown(self) -> None:
        """Closes both clients."""
        self.runner.run(self.client.aclose())
        self.runner.close()
        self.sync.close()

    def run(self, operation: Coroutine[Any, Any, Any]) -> Any:
        """The outcome of an operation of the broker."""
        return self.runner.run(operation)

    def now(self) -> int:
        """The second that the broker sees."""
        return self.clock.now_ns() // 10**9

    # Creating

    def create(self, operation: Coroutine[Any, Any, None], task: ModelTask, *, unique: bool) -> bool:
        """Whether a task was created, in Redis and in the model alike."""
        id_ = task.message.id
        duplicate = unique and self.lock is not None
        if unique and not duplicate:
            # Taken before the ID is looked at, and left behind on a conflict.
            self.lock = id_
        if duplicate or id_ in self.tasks:
            with pytest.raises(DuplicateTaskError if duplicate else TaskIdConflictError):
                self.run(operation)
            return False
        self.run(operation)
        self.tasks[id_] = task
        return True

    @rule(id_=IDS, unique=st.booleans(), retention=st.sampled_from([0, 20]))
    def enqueue(self, id_: str, unique: bool, retention: int) -> None:
        """A task that is ready to run."""
        message = a_task(id_, unique_key=LOCK if unique else "", retention_seconds=retention)
        operation = (
            self.broker.enqueue_unique(message, ttl_seconds=3600) if unique else self.broker.enqueue(message)
        )
        if self.create(operation, ModelTask(message, TaskState.PENDING), unique=unique):
            self.pending.insert(0, id_)

    @rule(id_=IDS, unique=st.booleans(), wait=SECONDS)
    def schedule(self, id_: str, unique: bool, wait: int) -> None:
        """A task that runs now or later."""
        message = a_task(id_, unique_key=LOCK if unique else "")
        at = self.now() + wait
        operation = (
            self.broker.schedule_unique(message, process_at=at, ttl_seconds=3600)
            if unique
            else self.broker.schedule(message, process_at=at)
        )
        self.create(operation, ModelTask(message, TaskState.SCHEDULED, score=at), unique=unique)

    @rule(id_=IDS)
    def add_to_group(self, id_: str) -> None:
        """A task that waits in the group."""
        message = a_task(id_, group=GROUP)
        task = ModelTask(message, TaskState.AGGREGATING, score=self.now(), group=True)
        self.create(self.broker.add_to_group(message), task, unique=False)

    # Working

    @rule()
    def dequeue(self) -> None:
        """The oldest pending task goes to a worker; nothing comes out of a paused queue."""
        delivery = self.run(self.broker.dequeue([Q]))
        if self.paused or not self.pending:
            assert delivery is None
            return
        id_ = self.pending.pop()
        self.active.insert(0, id_)
        assert delivery.message.id == id_
        assert delivery.message.retried == self.tasks[id_].retried
        self.tasks[id_].state = TaskState.ACTIVE
        self.tasks[id_].score = self.now() + 30
        # The worker goes on with what it was handed.
        self.tasks[id_].message = delivery.message

    def take(self, data: st.DataObject) -> ModelTask:
        """One of the active tasks, out of the hands of its worker."""
        id_ = data.draw(st.sampled_from(self.active))
        self.active.remove(id_)
        return self.tasks[id_]

    def succeed(self, task: ModelTask) -> None:
        """Counts a success and frees the lock."""
        self.processed += 1
        if task.message.unique_key and self.lock == task.message.id:
            self.lock = None

    @precondition(lambda self: self.active)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        """A success that is not kept."""
        task = self.take(data)
        self.run(self.broker.done(task.message))
        self.succeed(task)
        del self.tasks[task.message.id]

    @precondition(lambda self: self.active)
    @rule(data=st.data())
    def mark_complete(self, data: st.DataObject) -> None:
        """A success that is kept."""
        task = self.take(data)
        self.run(self.broker.mark_complete(task.message))
        self.succeed(task)
        task.state, task.score = TaskState.COMPLETED, self.now() + task.message.retention

    @precondition(lambda self: self.active)
    @rule(data=st.data())
    def requeue(self, data: st.DataObject) -> None:
        """A task comes back unfinished, and is the next to run."""
        task = self.take(data)
        self.run(self.broker.requeue(task.message))
        task.state = TaskState.PENDING
        self.pending.append(task.message.id)

    @precondition(lambda self: self.active)
    @rule(data=st.data(), wait=SECONDS, is_failure=st.booleans())
    def retry(self, data: st.DataObject, wait: int, is_failure: bool) -> None:
        """A failure, or none that counts."""
        task = self.take(data)
        at = self.now() + wait
        self.run(self.broker.retry(task.message, retry_at=at, error="boom", is_failure=is_failure))
        task.state, task.score = TaskState.RETRY, at
        task.retried += is_failure
        self.processed += is_failure
        self.failed += is_failure

    @precondition(lambda self: self.active)
    @rule(data=st.data())
    def archive(self, data: st.DataObject) -> None:
        """A worker gives up."""
        task = self.take(data)
        self.run(self.broker.archive(task.message, error="boom"))
        task.state, task.score = TaskState.ARCHIVED, self.now()
        self.processed += 1
        self.failed += 1

    @precondition(lambda self: self.active)
    @rule()
    def extend_lease(self) -> None:
        """All workers still live."""
        self.run(self.broker.extend_lease(Q, [*self.active, "unknown"]))
        for id_ in self.active:
            self.tasks[id_].score = self.now() + 30

    @rule(late=st.integers(0, 30))
    def list_lease_expired(self, late: int) -> None:
        """Nothing but the leases that ended is found."""
        found = self.run(self.broker.list_lease_expired([Q], cutoff=self.now() - late))
        expected = {id_ for id_ in self.active if self.tasks[id_].score <= self.now() - late}
        assert {message.id for message in found} == expected

    # Time and upkeep

    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds: float) -> None:
        """The clock moves."""
        self.clock.advance(seconds)

    @rule()
    def forward(self) -> None:
        """What is due becomes pending, in a fixed order."""
        due = [
            (source, task.score, id_.encode(), id_)
            for source in (TaskState.SCHEDULED, TaskState.RETRY)
            for id_, task in self.tasks.items()
            if task.state is source and task.score <= self.now()
        ]
        # Scheduled before retry, then by score, then by the bytes of the ID.
        due.sort(key=lambda entry: (entry[0] is TaskState.RETRY, *entry[1:]))
        assert self.run(self.broker.forward([Q])) == len(due)
        for *_, id_ in due:
            self.tasks[id_].state = TaskState.PENDING
            self.pending.insert(0, id_)

    @rule()
    def delete_expired_completed(self) -> None:
        """What was kept long enough goes."""
        over = [
            id_
            for id_, task in self.tasks.items()
            if task.state is TaskState.COMPLETED and task.score <= self.now()
        ]
        assert self.run(self.broker.delete_expired_completed(Q)) == len(over)
        for id_ in over:
            del self.tasks[id_]

    @rule(max_size=st.integers(0, 3), max_delay=st.sampled_from([0, 10]))
    def aggregate(self, max_size: int, max_delay: int) -> None:
        """A group that is full, old or quiet becomes one task."""
        waiting = sorted(
            (task.score, id_.encode(), id_)
            for id_, task in self.tasks.items()
            if task.state is TaskState.AGGREGATING
        )
        set_id = self.run(
            self.broker.aggregation_check(
                Q, GROUP, max_size=max_size, max_delay_seconds=max_delay, grace_seconds=20
            )
        )
        full = 0 < max_size <= len(waiting)
        old = max_delay > 0 and bool(waiting) and waiting[0][0] <= self.now() - max_delay
        quiet = bool(waiting) and waiting[-1][0] <= self.now() - 20
        assert (set_id is not None) == (full or old or quiet)
        if set_id is None:
            return
        taken = [id_ for *_, id_ in waiting[: max_size or None]]
        found = self.run(self.broker.read_aggregation_set(Q, GROUP, set_id))
        assert [message.id for message in found.tasks] == taken
        self.run(self.broker.delete_aggregation_set(Q, GROUP, set_id))
        for id_ in taken:
            del self.tasks[id_]

    @rule()
    def pause_or_unpause(self) -> None:
        """The other of the two."""
        self.run(self.broker.unpause(Q) if self.paused else self.broker.pause(Q))
        self.paused = not self.paused

    # What always holds

    @invariant()
    def each_task_is_in_exactly_one_state(self) -> None:
        """Lists and sorted sets hold what the model holds, in its order and with its scores."""
        assert list_of(self.sync, keys.pending(Q)) == self.pending
        assert list_of(self.sync, keys.active(Q)) == self.active
        places = {
            TaskState.ACTIVE: keys.lease(Q),
            TaskState.SCHEDULED: keys.scheduled(Q),
            TaskState.RETRY: keys.retry(Q),
            TaskState.ARCHIVED: keys.archived(Q),
            TaskState.COMPLETED: keys.completed(Q),
            TaskState.AGGREGATING: keys.group(Q, GROUP),
        }
        for state, key in places.items():
            expected = {id_: task.score for id_, task in self.tasks.items() if task.state is state}
            assert scores_of(self.sync, key) == expected, state

    @invariant()
    def hashes_say_the_same(self) -> None:
        """There is a hash for every task and for nothing else, with state and retries."""
        stored = {
            key.removeprefix(keys.task_prefix(Q).encode()).decode()
            for key in self.sync.scan_iter(f"{keys.task_prefix(Q)}*")
        }
        assert stored == set(self.tasks)
        for id_, task in self.tasks.items():
            fields = hash_of(self.sync, id_)
            assert fields["state"].decode() == task.state
            message = TaskMessage.FromString(fields["msg"])
            assert (message.id, message.retried) == (id_, task.retried)

    @invariant()
    def counters_add_up(self) -> None:
        """Totals and the sums of all days are what was counted."""
        totals = [int(self.sync.get(key) or 0) for key in (keys.processed(Q), keys.failed(Q))]
        days = [
            sum(int(self.sync.get(key) or 0) for key in self.sync.scan_iter(f"{total}:*"))
            for total in (keys.processed(Q), keys.failed(Q))
        ]
        assert totals == days == [self.processed, self.failed]

    @invariant()
    def lock_names_its_holder(self) -> None:
        """The lock is held by whom the model says."""
        assert self.sync.get(LOCK) == (None if self.lock is None else self.lock.encode())

    @invariant()
    def group_is_listed_while_it_has_tasks(self) -> None:
        """The name of the group comes and goes with its tasks."""
        waiting = any(task.state is TaskState.AGGREGATING for task in self.tasks.values())
        assert bool(self.sync.sismember(keys.groups(Q), GROUP)) == waiting

    @invariant()
    def no_key_is_left_behind(self) -> None:
        """There is a key for what the model holds, and none beside: no spent sets, no ghosts, no locks."""
        states = {task.state for task in self.tasks.values()}
        expected = {keys.task(Q, id_) for id_ in self.tasks}
        expected |= {name for state, name in KEYS_OF_STATES if state in states}
        expected |= {
            name
            for name, is_there in (
                (keys.paused(Q), self.paused),
                (LOCK, self.lock is not None),
                (keys.processed(Q), self.processed > 0),
                (keys.failed(Q), self.failed > 0),
            )
            if is_there
        }
        # Daily counters, and the queue itself, which is registered by a refused task too.
        stored = {
            name
            for name in map(bytes.decode, self.sync.scan_iter("*", count=100))
            if name != keys.QUEUES and not DAILY.fullmatch(name)
        }
        assert stored == expected


def test_any_sequence_of_operations_agrees_with_the_model(redis_server: RedisServer) -> None:
    """Random lives of a few tasks on a real Redis."""
    machine = type("Machine", (BrokerMachine,), {"server": redis_server})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
