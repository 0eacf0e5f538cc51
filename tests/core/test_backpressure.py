"""Tasks are let in as long as there is room (guide 4.2), on a real Redis."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from asynq_exporter import metrics
from asynq_exporter.core import (
    AsynqError,
    Client,
    FixedClock,
    Options,
    Task,
    UnavailableError,
    catalog,
    keys,
)
from asynq_exporter.core.admission import Admission
from asynq_exporter.core.catalog import BackpressureState
from asynq_exporter.core.errors import BackpressureError
from asynq_exporter.core.policies.backpressure import Load
from asynq_exporter.scan.scanner import Scanner
from tests.conftest import RedisServer
from tests.core.queue_state import Q, T, everything, list_of
from tests.core.together import processes

TASK = Task("t", b"{}")

#: The default queue and another: 70 and 90 tasks are the thresholds.
QUEUES = catalog.documented().with_queues(
    {Q: catalog.make_profile(capacity=100), "other": catalog.make_profile(capacity=100)}
)


def admitting(redis: AsyncRedis, clock: FixedClock, **options: Any) -> Client:
    """A client behind an admission to two queues of a hundred."""
    return Client(redis, clock, admission=Admission(redis, clock, queues=QUEUES, **options))


@pytest.fixture
def client(redis_client: AsyncRedis, clock: FixedClock) -> Client:
    """A client behind an admission, on an empty Redis."""
    return admitting(redis_client, clock)


def fill(redis: Redis, size: int, *, queue: str = Q) -> None:
    """Makes a queue hold so many tasks that are ready to run."""
    redis.delete(keys.pending(queue))
    if size:
        redis.rpush(keys.pending(queue), *range(size))


async def is_let_in(client: Client, **options: Any) -> bool:
    """Whether there was room."""
    try:
        await client.enqueue(TASK, **options)
    except BackpressureError:
        return False
    return True


async def test_ninety_percent_is_refused(client: Client, redis_sync: Redis) -> None:
    """The ninetieth of a hundred gets in, the next does not, and leaves no trace."""
    fill(redis_sync, 89)
    assert await is_let_in(client)
    redis_sync.hset(keys.backpressure(Q), "state", "CRITICAL")  # nothing is left to announce
    before = everything(redis_sync)

    with pytest.raises(
        BackpressureError, match=r"'default' takes no more tasks.* holds 90, 90\.0%"
    ) as refusal:
        await client.enqueue(TASK, unique_seconds=60)

    error = refusal.value
    assert ("backpressure", Q, 90, 100) == (error.code, error.queue, error.size, error.capacity)
    assert before == everything(redis_sync)


@pytest.mark.parametrize(
    "keys_filled",
    [
        [keys.pending(Q)],
        [keys.active(Q)],
        [keys.scheduled(Q)],
        [keys.retry(Q)],
        [keys.group(Q, "g")],
        # Thirty of everything.
        [keys.pending(Q), keys.scheduled(Q), keys.group(Q, "g")],
        # More groups than are counted.
        [keys.group(Q, str(number)) for number in range(45)],
    ],
    ids=["pending", "active", "scheduled", "retry", "aggregating", "mixed", "many groups"],
)
async def test_work_to_be_done_counts(client: Client, redis_sync: Redis, keys_filled: list[str]) -> None:
    """Pending, active, scheduled, retry and aggregating fill a queue, alone or together."""
    for key in keys_filled:
        for task_id in range(90 // len(keys_filled)):
            if key in (keys.pending(Q), keys.active(Q)):
                redis_sync.rpush(key, task_id)
            else:
                redis_sync.zadd(key, {str(task_id): T})
        if key.startswith(keys.group_prefix(Q)):
            redis_sync.sadd(keys.groups(Q), key.removeprefix(keys.group_prefix(Q)))

    assert not await is_let_in(client)


async def test_what_is_over_does_not_count(client: Client, redis_sync: Redis) -> None:
    """Archived and completed tasks are no work."""
    for key in (keys.archived(Q), keys.completed(Q)):
        redis_sync.zadd(key, {str(task_id): T for task_id in range(200)})

    assert await is_let_in(client)


async def test_key_of_another_type_counts_nothing(client: Client, redis_sync: Redis) -> None:
    """The guide calls `active` a sorted set; if somebody made it one, enqueuing goes on."""
    redis_sync.zadd(keys.active(Q), {"1": 1})

    assert await is_let_in(client)


async def test_full_queue_refuses_its_own_tasks_alone(client: Client, redis_sync: Redis) -> None:
    """Others have room, and one that is not in the catalogue has no end."""
    fill(redis_sync, 95)
    fill(redis_sync, 5000, queue="unknown")

    assert [False, True, True] == [await is_let_in(client, queue=queue) for queue in (Q, "other", "unknown")]


async def test_whole_system_may_be_closed(
    redis_client: AsyncRedis, redis_sync: Redis, clock: FixedClock
) -> None:
    """While any queue is CRITICAL nothing gets in; that it is so no more is known a second later."""
    client = admitting(redis_client, clock, whole_system=True)
    fill(redis_sync, 90, queue="other")
    with pytest.raises(BackpressureError, match="'other'"):
        await client.enqueue(TASK)
    with pytest.raises(BackpressureError, match="'other'"):
        await client.enqueue_many([(TASK, {})])
    fill(redis_sync, 89, queue="other")
    assert not await is_let_in(client)
    clock.advance(1)

    assert await is_let_in(client)


async def test_loads_are_those_of_the_queues(
    redis_client: AsyncRedis, redis_sync: Redis, clock: FixedClock
) -> None:
    """The system is as full as its fullest queue."""
    fill(redis_sync, 75, queue="other")
    admission = Admission(redis_client, clock, queues=QUEUES)

    assert [Load(queue=Q, size=0, capacity=100), Load(queue="other", size=75, capacity=100)] == list(
        await admission.loads()
    )
    assert BackpressureState.WARNING is await admission.state()


async def test_each_change_is_one_line(
    redis_client: AsyncRedis, redis_sync: Redis, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """At 70 % and 90 % on the way up, clearly below on the way down, whichever client comes upon it."""
    caplog.set_level(logging.WARNING)
    clients = [admitting(redis_client, clock) for _ in range(2)]
    for size in [69, 70, 71, 89, 90, 90, 89, 88, 90, 86, 84, 70, 66, 64, 10]:
        for client in clients:
            fill(redis_sync, size)
            await is_let_in(client)

    assert [
        "[Backpressure] default: NORMAL -> WARNING (utilization=70.0%)",
        "[Backpressure] default: WARNING -> CRITICAL (utilization=90.0%)",
        "[Backpressure] default: CRITICAL -> WARNING (utilization=84.0%)",
        "[Backpressure] default: WARNING -> NORMAL (utilization=64.0%)",
    ] == caplog.messages
    assert not redis_sync.exists(keys.backpressure(Q))


async def test_batch_gets_in_whole_or_not_at_all(
    client: Client, redis_sync: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """One task too many and none is written; just enough and all are."""
    fill(redis_sync, 50)
    requests: list[tuple[Task, Options]] = [(TASK, {}), (TASK, {"queue": "other"})]
    with pytest.raises(BackpressureError, match="no 41 more tasks"):
        await client.enqueue_many([*requests, *[requests[0]] * 40])
    assert not redis_sync.exists(keys.pending("other"))
    later: tuple[Task, Options] = (TASK, {"process_in_seconds": 60})
    infos = await client.enqueue_many([*requests, *[later] * 39, (TASK, {"queue": "unknown"})])

    assert None not in infos
    assert 42 == len(infos)
    assert ["[Backpressure] default: NORMAL -> WARNING (utilization=89.0%)"] == caplog.messages
    assert not await is_let_in(client)
    assert [] == await client.enqueue_many([])


async def test_taken_id_of_a_batch_is_told(client: Client) -> None:
    """As without an admission: None where the ID was taken."""
    request: tuple[Task, Options] = (TASK, {"task_id": "1"})
    [first, second] = await client.enqueue_many([request, request])

    assert (True, None) == (first is not None, second)


async def outcomes(client: Client, requests: Sequence[Options]) -> list[type[AsynqError] | None]:
    """Enqueues one after the other; for each its error."""
    found: list[type[AsynqError] | None] = []
    for options in requests:
        try:
            await client.enqueue(TASK, **options)
        except AsynqError as exc:
            found.append(type(exc))
        else:
            found.append(None)
    return found


@pytest.mark.parametrize("unique", [{}, {"unique_seconds": 60}], ids=["", "unique"])
@pytest.mark.parametrize("group", [{}, {"group": "g"}], ids=["", "group"])
@pytest.mark.parametrize("time", [{}, {"process_in_seconds": 5}], ids=["now", "later"])
async def test_admission_writes_what_the_broker_writes(
    redis_client: AsyncRedis,
    redis_sync: Redis,
    clock: FixedClock,
    unique: Options,
    group: Options,
    time: Options,
) -> None:
    """To the byte, with the same refusals of a taken ID and a held lock."""
    one: Options = {"task_id": "1", **unique, **group, **time}
    another: Options = {**one, "task_id": "2"}
    # The lock of the first is held; then it is gone and the ID is taken.
    requests = [one, another, one]

    async def run(client: Client) -> tuple[list[type[AsynqError] | None], dict[str, bytes], list[int]]:
        redis_sync.flushall()
        found = await outcomes(client, requests)
        for lock in redis_sync.keys(keys.queue_prefix(Q).replace("{", "*") + "unique:*"):
            redis_sync.delete(lock)
        found += await outcomes(client, [one])
        ttls = [redis_sync.ttl(key) for key in sorted(redis_sync.keys())]
        return found, everything(redis_sync), ttls

    plain = await run(Client(redis_client, clock))
    admitted = await run(admitting(redis_client, clock))

    assert plain == admitted
    assert None in plain[0]
    assert 1 < len(set(plain[0]))


async def test_redis_away_is_unavailable(own_redis: RedisServer) -> None:
    """Not full: the caller can tell the two apart."""
    redis = own_redis.async_client()
    client = Client(redis, admission=Admission(redis))
    assert await is_let_in(client)
    own_redis.kill()
    for operation in (client.enqueue(TASK), client.enqueue_many([(TASK, {})])):
        with pytest.raises(UnavailableError):
            await operation
    own_redis.start_again()

    assert await is_let_in(client)
    await redis.aclose()


#: Ten clients each, which enqueue at once until the door is shut.
CODE = """
from asynq_exporter.core import Client, Task, catalog
from asynq_exporter.core.admission import Admission
from asynq_exporter.core.errors import BackpressureError

queues = catalog.documented().with_queues({"default": catalog.make_profile(capacity=300)})

async def fill(client):
    written = 0
    try:
        for _ in range(50):
            await client.enqueue(Task("t"))
            written += 1
    except BackpressureError:
        pass
    return written

async def main():
    clients = [Client(client, admission=Admission(client, queues=queues)) for _ in range(10)]
    await step()
    written = await asyncio.gather(*map(fill, clients))
    await step()
    print("written", sum(written))
    print("again", sum(await asyncio.gather(*map(fill, clients))))
"""


@pytest.fixture
async def shown(redis_client: AsyncRedis) -> AsyncIterator[Callable[[], Awaitable[list[str]]]]:
    """Scans, and tells the backpressure states of the default queue that the exporter shows as 1."""
    scanner = Scanner(redis_client, QUEUES.with_queues({Q: catalog.make_profile(capacity=300)}))

    async def scan() -> list[str]:
        snapshot = await scanner.scan(timeout_seconds=10)
        families = {family.metric.name: family for family in metrics.collect(snapshot)}
        row = snapshot.queues.names.index(Q)
        return [
            dict(block.labels)["state"]
            for block in families["asynq_queue_backpressure_state"].blocks
            if block.values[row]
        ]

    yield scan
    await scanner.close()


async def test_many_processes_fill_a_queue_to_the_brim_and_no_further(
    redis_server: RedisServer, redis_sync: Redis, shown: Callable[[], Coroutine[Any, Any, list[str]]]
) -> None:
    """Forty clients in four processes: 270 tasks, not one more; each change in one line, and in metrics."""
    seen = []
    with processes(redis_server, redis_sync, CODE, count=4) as four:
        four.wait()
        four.go()
        four.wait()
        seen += await shown()
        assert 270 == len(list_of(redis_sync, keys.pending(Q)))
        fill(redis_sync, 0)
        seen += await shown()
        four.go()
        lines = four.lines()

    assert ["CRITICAL", "NORMAL"] == seen
    assert 270 == sum(int(line.split()[1]) for line in lines if line.startswith("written"))
    assert 270 == sum(int(line.split()[1]) for line in lines if line.startswith("again"))
    changes = [line.split(" (")[0] for line in lines if line.startswith("[Backpressure]")]
    up = ["[Backpressure] default: NORMAL -> WARNING", "[Backpressure] default: WARNING -> CRITICAL"]
    assert sorted(["[Backpressure] default: CRITICAL -> NORMAL", *up, *up]) == sorted(changes)
