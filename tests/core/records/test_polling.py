"""Polling by appendix B, by the queue and by the fallback, and both at once."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

import pytest
from redis.asyncio import Redis

from asynq_exporter.core import Broker, FixedClock, job_id, keys
from asynq_exporter.core.errors import InvalidArgumentError, UnavailableError
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.core.records import (
    Cancellations,
    Chain,
    Database,
    Fallback,
    Handled,
    Handler,
    Jobs,
    LeaseHeldError,
    LeaseLostError,
    LiveQueue,
    Migration,
    Poller,
    Round,
    SqlRecords,
    Status,
    TaskRecord,
)
from tests.conftest import RedisServer
from tests.core.queue_state import T
from tests.core.records.making import CREDITS, USER, jobs_of, make, read, refunds

#: A lease of the tests.
LEASE = 60.0


@dataclass
class Service:
    """A service outside that is asked how a task stands; answers as told, the last one for ever."""

    answers: list[str | Exception] = field(default_factory=lambda: ["IN_PROGRESS"])
    asked: Counter[str] = field(default_factory=Counter)
    at_once: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0
    #: Awaited while a poll is under way.
    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def __call__(self, record: TaskRecord) -> str:
        """How it stands."""
        task_id = record.task_id
        self.asked[task_id] += 1
        self.at_once[task_id] += 1
        self.most_at_once = max(self.most_at_once, self.at_once[task_id])
        try:
            await asyncio.sleep(0)
            if self.meanwhile:
                await self.meanwhile()
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        finally:
            self.at_once[task_id] -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def service() -> Service:
    """The service outside."""
    return Service()


@pytest.fixture
def poller(store: SqlRecords, cancellations: Cancellations, service: Service, clock: FixedClock) -> Poller:
    """What polls a task."""
    return Poller(store, cancellations, service, clock)


@pytest.fixture
def handler(store: SqlRecords, poller: Poller, chain: Chain, clock: FixedClock) -> Handler:
    """The side of the queue."""
    return Handler(store, poller, chain, clock)


@pytest.fixture
def disabled(store: SqlRecords, poller: Poller, clock: FixedClock) -> Fallback:
    """The fallback where the queue is disabled."""
    return Fallback(store, poller, clock)


async def usable() -> bool:
    """The queue is in charge."""
    return True


@pytest.fixture
def beside(store: SqlRecords, poller: Poller, jobs: Jobs, chain: Chain, clock: FixedClock) -> Fallback:
    """The fallback beside a queue that works."""
    return Fallback(store, poller, clock, is_queue_usable=usable, jobs=jobs, chain=chain)


@pytest.mark.parametrize(
    ("status", "delays"),
    [
        ("IN_PROGRESS", [3, 3, 3, 3]),
        ("SUBMITTED", [3, 6, 12, 24, 30, 30]),
        ("QUEUED", [3, 6, 12, 24, 30, 30]),
        ("NOT_START", [10, 20, 30, 30]),
    ],
)
async def test_delays_are_those_of_the_guide(
    store: SqlRecords,
    disabled: Fallback,
    service: Service,
    clock: FixedClock,
    status: str,
    delays: list[int],
) -> None:
    """Appendix B: each poll is due after the next delay and not before."""
    service.answers = [status]
    await make(store, status=Status(status))
    for number, delay in enumerate(delays):
        clock.advance(delay - 0.001)
        assert 0 == (await disabled.round()).polled
        clock.advance(0.001)
        assert 1 == (await disabled.round()).polled
        assert number + 1 == service.asked["task_xxx"] == (await read(store)).polls


async def test_delays_begin_anew_with_another_status(
    store: SqlRecords, disabled: Fallback, service: Service, clock: FixedClock
) -> None:
    """The count is of polls in this status."""
    service.answers = ["SUBMITTED", "QUEUED", "IN_PROGRESS"]
    await make(store)
    due = []
    for _ in range(3):
        clock.advance(60)
        await disabled.round()
        due.append((await read(store)).next_poll_at)
    assert [T + 60 + 6, T + 120 + 3, T + 180 + 3] == due


@pytest.mark.parametrize("answer", ["SUCCESS", "FAILURE"])
async def test_finished_task_is_not_refunded(
    store: SqlRecords, disabled: Fallback, service: Service, clock: FixedClock, answer: str
) -> None:
    """Appendix B: it leaves the queue, and that is all."""
    service.answers = [answer]
    await make(store)
    clock.advance(3)
    await disabled.round()
    assert Status(answer) is (await read(store)).status
    assert {} == await refunds(store)


@pytest.mark.parametrize(
    ("status", "answers", "seconds", "reason"),
    [
        ("SUBMITTED", ["SUBMITTED"], 200, "任务超时"),
        ("IN_PROGRESS", ["IN_PROGRESS"], 200, "任务超时"),
        ("QUEUED", [RuntimeError("away")], 200, "任务超时"),
        ("SUBMITTED", ["UNKNOWN"], 3 + 5 + 10 + 20, "任务状态未知，重试次数已用尽"),
        ("SUBMITTED", ["no word of the guide"], 3 + 5 + 10 + 20, "任务状态未知，重试次数已用尽"),
        ("SUBMITTED", [""], 3, "任务状态为空"),
        ("", [], 0, "任务状态为空"),
    ],
)
async def test_exits_refund(
    store: SqlRecords,
    disabled: Fallback,
    service: Service,
    clock: FixedClock,
    status: str,
    answers: list[str | Exception],
    seconds: float,
    reason: str,
) -> None:
    """Appendix B: the timeout of the task, three polls of UNKNOWN, and no status at all."""
    service.answers = answers
    await make(store, status=Status(status), timeout_seconds=200)
    while not (await read(store)).is_finished:
        due = (await read(store)).next_poll_at
        assert due is not None
        clock.advance(max(due - clock.now_ns() / 1e9, 0))
        await disabled.round()
    record = await read(store)
    assert record.finished_at is not None
    assert T + seconds <= record.finished_at < T + seconds + 30
    assert (Status.FAILURE, reason) == (record.status, record.reason)
    assert {"task_xxx": CREDITS} == await refunds(store)


async def test_last_poll_comes_before_the_timeout(
    store: SqlRecords, disabled: Fallback, service: Service, clock: FixedClock
) -> None:
    """A task that finished while nobody looked is not refunded."""
    service.answers = ["SUCCESS"]
    await make(store)
    clock.advance(100_000)
    await disabled.round()
    assert Status.SUCCESS is (await read(store)).status
    assert {} == await refunds(store)


async def test_not_started_task_is_left_after_its_retries(
    store: SqlRecords, disabled: Fallback, service: Service, clock: FixedClock
) -> None:
    """Appendix B: neither failed nor refunded, and not polled any more."""
    service.answers = ["NOT_START"]
    await make(store, status=Status.NOT_START)
    for _ in range(130):
        clock.advance(30)
        await disabled.round()
    assert 120 == service.asked["task_xxx"]
    record = await read(store)
    assert (Status.NOT_START, None, None) == (record.status, record.next_poll_at, record.lease_until)
    assert {} == await refunds(store)


async def test_slow_poll_ends_before_its_lease(
    store: SqlRecords, cancellations: Cancellations, clock: FixedClock
) -> None:
    """Or somebody else would begin while it still runs."""

    async def hang(_: TaskRecord) -> str:
        await asyncio.Event().wait()
        return ""

    poller = Poller(store, cancellations, hang, clock, lease_seconds=0.02)
    await make(store)
    clock.advance(3)
    await Fallback(store, poller, clock).round()
    record = await read(store)
    assert (Status.SUBMITTED, 1, None) == (record.status, record.polls, record.lease_until)


async def test_cancellation_during_a_poll_wins(
    store: SqlRecords, disabled: Fallback, service: Service, cancellations: Cancellations, clock: FixedClock
) -> None:
    """What the poll found out comes too late, success or not."""
    service.answers = ["SUCCESS"]
    service.meanwhile = lambda: cancellations.cancel("task_xxx")
    await make(store)
    clock.advance(3)
    await disabled.round()
    assert Status.FAILURE is (await read(store)).status
    assert 0 == await store.balance(USER)


@pytest.mark.parametrize("answer", ["SUCCESS", "", "SUBMITTED"])
async def test_late_holder_is_fenced_off(
    store: SqlRecords, poller: Poller, service: Service, clock: FixedClock, answer: str
) -> None:
    """A process that stood still for longer than its lease changes nothing, whatever it found out."""
    service.answers = [answer]
    await make(store)
    old = await store.claim("task_xxx", seconds=LEASE)
    clock.advance(LEASE)
    new = await store.claim("task_xxx", seconds=LEASE)
    assert old
    assert new
    await poller.work(old)
    await store.release(old)
    assert new == await read(store)
    with pytest.raises(LeaseLostError):
        await store.advance(old, status=Status.QUEUED, polls=1, after_seconds=1)
    assert {} == await refunds(store)


async def test_one_of_many_gets_a_lease(store: SqlRecords, database_url: str, clock: FixedClock) -> None:
    """By ID and in the order of what is due; in several pools, as in several processes."""
    for number in range(12):
        await make(store, f"t{number}")
    clock.advance(3)
    databases = [Database(database_url) for _ in range(3)]
    stores = [SqlRecords(database, clock) for database in databases]
    one = await asyncio.gather(*(stores[i % 3].claim("t0", seconds=LEASE) for i in range(30)))
    assert 1 == sum(lease is not None for lease in one)
    due = await asyncio.gather(*(stores[i % 3].claim_due(limit=2, seconds=LEASE) for i in range(12)))
    taken = [lease.task_id for leases in due for lease in leases]
    assert len(taken) == len(set(taken))
    while more := await store.claim_due(limit=2, seconds=LEASE):
        taken += [lease.task_id for lease in more]
    assert {f"t{number}" for number in range(1, 12)} == set(taken)
    for database in databases:
        await database.close()


async def test_chain_of_jobs(
    store: SqlRecords, handler: Handler, service: Service, redis_client: Redis, clock: FixedClock
) -> None:
    """Each job polls once and enqueues the next one; the last one finds the task finished."""
    service.answers = ["SUBMITTED", "IN_PROGRESS", "SUCCESS"]
    await make(store)
    await Migration(store, redis_client, clock).run()
    broker = Broker(redis_client, clock)
    ran = []
    for _ in range(3):
        clock.advance(10)
        await broker.forward(["scheduled"])
        delivery = await broker.dequeue(["scheduled"])
        assert delivery is not None
        assert Handled.POLLED is await handler.handle(delivery.message.id)
        await broker.done(delivery.message)
        ran.append(delivery.message.id)
    assert [f"job:task_xxx:{number}" for number in range(3)] == ran
    assert [] == await jobs_of(redis_client)
    assert Status.SUCCESS is (await read(store)).status


@pytest.mark.parametrize("identity", ["job:task_xxx:0", "job:task_xxx:retry:1642000000", "job:unknown:0"])
async def test_job_of_a_finished_task_is_dropped(
    store: SqlRecords, handler: Handler, service: Service, identity: str
) -> None:
    """A job that a cancellation did not find does no harm."""
    await make(store)
    await store.fail("task_xxx", "cancelled")
    assert Handled.DROPPED is await handler.handle(identity)
    assert not service.asked


async def test_older_job_is_dropped(
    store: SqlRecords, handler: Handler, chain: Chain, service: Service, clock: FixedClock
) -> None:
    """A task never has two chains, which would poll it twice as often."""
    record = await make(store)
    for _ in range(2):
        await chain.enqueue_next(record)
    clock.advance(3)
    assert Handled.DROPPED is await handler.handle("job:task_xxx:0")
    assert Handled.POLLED is await handler.handle("job:task_xxx:1")
    assert 1 == service.asked["task_xxx"]


async def test_job_that_comes_too_early_waits(
    store: SqlRecords, handler: Handler, service: Service, redis_client: Redis, inspector: Inspector
) -> None:
    """The other side has polled the task just now: this one goes on when it is due."""
    await make(store)
    assert Handled.EARLY is await handler.handle("job:task_xxx:0")
    assert ["scheduled job:task_xxx:0"] == await jobs_of(redis_client)
    [task] = await inspector.find_task("job:task_xxx:0")
    assert T + 3 == task.score
    assert not service.asked


async def test_job_of_a_task_that_is_worked_on_is_tried_again(
    store: SqlRecords, handler: Handler, clock: FixedClock
) -> None:
    """It fails, and asynq retries it."""
    await make(store)
    await store.claim("task_xxx", seconds=LEASE)
    with pytest.raises(LeaseHeldError):
        await handler.handle("job:task_xxx:0")
    clock.advance(LEASE)
    assert Handled.POLLED is await handler.handle("job:task_xxx:0")


async def test_worker_calls_the_handler(store: SqlRecords, handler: Handler, clock: FixedClock) -> None:
    """With what its own attempts look like; what is no job of ours is an error."""

    @dataclass
    class Attempt:
        id: str

    await make(store)
    clock.advance(3)
    await handler(Attempt("job:task_xxx:0"))
    assert T + 3 + 3 == (await read(store)).next_poll_at
    with pytest.raises(InvalidArgumentError):
        await handler(Attempt("email:1"))


@pytest.mark.parametrize(
    ("is_up", "has_worker", "is_usable"), [(True, True, True), (True, False, False), (False, True, False)]
)
async def test_queue_is_usable_with_redis_and_a_worker(
    store: SqlRecords,
    poller: Poller,
    own_redis: RedisServer,
    clock: FixedClock,
    is_up: bool,
    has_worker: bool,
    is_usable: bool,
) -> None:
    """Jobs that nobody runs are as good as none."""
    async with own_redis.async_client() as client:
        await client.zadd(keys.SERVERS, {"some server": T + (10 if has_worker else -10)})
        if not is_up:
            own_redis.kill()
        fallback = Fallback(store, poller, clock, is_queue_usable=LiveQueue(client, clock))
        assert is_usable is (await fallback.round()).is_queue_usable


async def test_queue_in_charge_is_left_alone(
    store: SqlRecords, beside: Fallback, redis_client: Redis, clock: FixedClock, service: Service
) -> None:
    """A task with a job that waits, however long it is overdue, is not polled and gets no other job."""
    await make(store)
    await Migration(store, redis_client, clock).run()
    clock.advance(3000)
    assert Round(is_queue_usable=True) == await beside.round()
    assert ["scheduled job:task_xxx:0"] == await jobs_of(redis_client)
    assert not service.asked


@pytest.mark.parametrize("put", ["nothing", "completed"])
async def test_task_that_the_queue_lost_is_given_back(
    store: SqlRecords, beside: Fallback, redis_client: Redis, clock: FixedClock, put: str
) -> None:
    """Its chain broke, or it never had a job; it gets the next one, once."""
    await make(store)
    if put == "completed":
        await Migration(store, redis_client, clock).run()
        await redis_client.hset(keys.task("scheduled", "job:task_xxx:0"), "state", "completed")
    clock.advance(59)
    assert 0 == (await beside.round()).handed_over
    clock.advance(60)
    assert 1 == (await beside.round()).handed_over
    assert 0 == (await beside.round()).handed_over
    number = 1 if put == "completed" else 0
    assert f"scheduled job:task_xxx:{number}" in await jobs_of(redis_client)


async def test_many_processes_give_back_once(
    store: SqlRecords,
    poller: Poller,
    jobs: Jobs,
    chain: Chain,
    beside: Fallback,
    redis_client: Redis,
    clock: FixedClock,
) -> None:
    """All see the same; one job comes of it, or older ones that are dropped when they run."""
    for number in range(5):
        await make(store, f"t{number}")
    clock.advance(100)
    others = [
        Fallback(store, poller, clock, is_queue_usable=usable, jobs=jobs, chain=chain) for _ in range(4)
    ]
    await asyncio.gather(*(one.round() for one in [beside, *others]))
    for number in range(5):
        latest = (await read(store, f"t{number}")).attempt
        assert f"scheduled job:t{number}:{latest}" in await jobs_of(redis_client, f"t{number}")
    assert 0 == (await beside.round()).handed_over


async def test_parked_job_is_left_until_the_task_is_over(
    store: SqlRecords,
    beside: Fallback,
    inspector: Inspector,
    redis_client: Redis,
    clock: FixedClock,
) -> None:
    """People put it into the archive; when its time is over, the credits come back even so."""
    await make(store)
    await Migration(store, redis_client, clock).run()
    await inspector.archive_task("scheduled", "job:task_xxx:0")
    clock.advance(3599)
    assert Round(is_queue_usable=True) == await beside.round()
    clock.advance(1)
    assert Round(is_queue_usable=True, polled=1, refunded=1) == await beside.round()
    assert {"task_xxx": CREDITS} == await refunds(store)
    assert [] == await jobs_of(redis_client)


async def test_hand_over_in_both_directions(
    store: SqlRecords,
    poller: Poller,
    handler: Handler,
    jobs: Jobs,
    chain: Chain,
    redis_client: Redis,
    service: Service,
    clock: FixedClock,
) -> None:
    """Queue, fallback, queue: each poll is made once, by who is in charge."""
    is_up = True

    async def is_usable() -> bool:
        if not is_up:
            raise UnavailableError("Redis is not available")
        return True

    fallback = Fallback(store, poller, clock, is_queue_usable=is_usable, jobs=jobs, chain=chain)
    await make(store)
    await Migration(store, redis_client, clock).run()
    clock.advance(3)
    assert 0 == (await fallback.round()).polled
    await handler.handle("job:task_xxx:0")
    assert 1 == service.asked["task_xxx"]
    is_up = False
    clock.advance(3)
    assert 1 == (await fallback.round()).polled
    assert 2 == service.asked["task_xxx"]
    is_up = True
    # The job from before is still in its queue: it goes on, and does not poll again.
    assert Handled.EARLY is await handler.handle("job:task_xxx:1")
    assert 2 == service.asked["task_xxx"]
    clock.advance(3)
    assert Handled.POLLED is await handler.handle("job:task_xxx:2")
    assert 3 == service.asked["task_xxx"]


async def test_both_sides_at_once_never_poll_twice(
    store: SqlRecords,
    poller: Poller,
    handler: Handler,
    disabled: Fallback,
    service: Service,
    clock: FixedClock,
) -> None:
    """Whatever the order: one poll at a time, and one a due moment."""
    random = Random(1)
    service.answers = ["IN_PROGRESS"]
    tasks = [f"t{number}" for number in range(4)]
    for task_id in tasks:
        await make(store, task_id, status=Status.IN_PROGRESS)
    rounds = 6
    for _ in range(rounds):
        clock.advance(3)
        attempts = {task_id: (await read(store, task_id)).attempt for task_id in tasks}
        doing = [handler.handle(job_id.build(task_id, max(attempts[task_id], 0))) for task_id in tasks * 3]
        doing += [disabled.round() for _ in range(4)]  # type: ignore[misc]
        random.shuffle(doing)
        for done in await asyncio.gather(*doing, return_exceptions=True):
            assert isinstance(done, Handled | Round | LeaseHeldError), done
        # Leases that lost the race for their moment.
        await disabled.round()
    assert 1 == service.most_at_once
    assert dict.fromkeys(tasks, rounds) == service.asked


async def test_keyword_is_logged(
    store: SqlRecords, disabled: Fallback, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Appendix A; when the fallback takes over, and for each round that did something."""
    caplog.set_level(logging.INFO, "asynq_exporter.core.records.fallback")
    await make(store)
    clock.advance(3)
    for _ in range(2):
        await disabled.round()
    assert ["[兜底轮询] Polls in place of the queue", "[兜底轮询] Round"] == [
        record.getMessage() for record in caplog.records
    ]


async def test_rounds_go_on_until_told_to_stop(
    store: SqlRecords, disabled: Fallback, service: Service, clock: FixedClock
) -> None:
    """An interval apart; a database that fails ends nothing."""
    stop = asyncio.Event()
    seen: list[int] = []
    real = store.claim_due

    async def claim_due(*, limit: int, seconds: float) -> list[TaskRecord]:
        seen.append(limit)
        if len(seen) == 1:
            raise UnavailableError("for now")
        if len(seen) == 3:
            stop.set()
        return await real(limit=limit, seconds=seconds)

    store.claim_due = claim_due  # type: ignore[method-assign]
    await disabled.run(stop, interval_seconds=0.001)
    assert 3 == len(seen)


async def test_switched_off_it_does_nothing(disabled: Fallback) -> None:
    """UPDATE_TASK=false."""
    await asyncio.wait_for(disabled.run(asyncio.Event(), enabled=False), 5)
