"""A server as a whole: records, slots, start and end (wire sections 5.3, 5.7 and 5.10)."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections import Counter
from functools import partial
from random import Random
from typing import cast

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from asynq_exporter.core import Broker, Client, FixedClock, Task, catalog, keys, messages
from asynq_exporter.core.errors import AsynqError, FailedPreconditionError, InvalidArgumentError
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.core.messages import ServerInfo, WorkerInfo
from asynq_exporter.core.worker import (
    Attempt,
    Server,
    ServerClosedError,
    ServerConfig,
    ServerStatus,
)
from tests.conftest import RedisServer
from tests.core.queue_state import Q, T, a_task, hash_of, list_of, scores_of
from tests.core.worker.serving import FAST, Gate, gone, serving, succeed, there, until

DOCUMENTED = {name: profile.weight for name, profile in catalog.documented().queues.items()}

READY = "[Asynq] Polling system initialized successfully"


def server_records(redis: Redis) -> list[ServerInfo]:
    """The records of servers, whether or not they have expired."""
    found = [cast("bytes | None", redis.get(name)) for name in redis.scan_iter("asynq:servers:*")]
    return [messages.decode_server(data) for data in found if data]


def worker_records(redis: Redis) -> dict[str, WorkerInfo]:
    """The records of running tasks by ID."""
    records: dict[str, WorkerInfo] = {}
    for name in redis.scan_iter("asynq:workers:*"):
        for task_id, data in cast("dict[bytes, bytes]", redis.hgetall(name)).items():
            records[task_id.decode()] = messages.decode_worker(data)
    return records


async def test_records_say_what_runs(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """Server and worker records as asynq writes them; they go with the server."""
    gate = Gate()
    config = {"queues": {Q: 6, "low": 2}, "strict_priority": True, "concurrency": 7}
    await broker.enqueue(a_task(payload=b"p", timeout_seconds=60))
    async with serving(redis_client, gate, clock=clock, **config) as server:
        await until(lambda: worker_records(redis_sync), what="the worker's record is there")
        [record] = server_records(redis_sync)
        worker = worker_records(redis_sync)["1"]
        name = keys.server(record.host, record.pid, record.server_id)
        assert redis_sync.zscore(keys.SERVERS, name) == T + 1
        assert redis_sync.zscore(keys.WORKERS, keys.workers_of(name)) == T + 1
        gate.opened.set()
        await until(lambda: not worker_records(redis_sync), what="an idle server has no such hash")
    assert (record.pid, record.server_id, record.status) == (os.getpid(), server.server_id, "active")
    assert (dict(record.queues), record.strict_priority) == ({Q: 6, "low": 2}, True)
    assert (record.concurrency, record.active_worker_count) == (7, 1)
    assert messages.timestamp_seconds(record.start_time) == T
    assert (worker.host, worker.pid, worker.server_id) == (record.host, record.pid, record.server_id)
    assert (worker.task_type, worker.task_payload, worker.queue) == ("t", b"p", Q)
    assert messages.timestamp_seconds(worker.start_time) == T
    assert messages.timestamp_seconds(worker.deadline) == T + 60
    assert redis_sync.exists(keys.SERVERS, keys.WORKERS, name) == 0


async def test_running_tasks_keep_their_leases(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, clock: FixedClock
) -> None:
    """Each beat moves the end; a lease that was taken away does not come back."""

    def ends_at(moment: int) -> bool:
        return scores_of(redis_sync, keys.lease(Q)) == {"1": moment}

    gate = Gate()
    for task_id in ("1", "2"):
        await broker.enqueue(a_task(task_id))
    async with serving(redis_client, gate, clock=clock):
        await gate.holds(2)
        redis_sync.zrem(keys.lease(Q), "2")
        for end in range(T + 39, T + 80, 9):
            # Less than a lease each time: a beat that is under way may miss a step.
            clock.advance(9)
            await until(partial(ends_at, end), what="the lease is extended")
        gate.opened.set()
        await gone(redis_client, keys.task(Q, "1"))


async def test_status_follows_the_life(redis_client: AsyncRedis, redis_sync: Redis, broker: Broker) -> None:
    """New, active, stopped, active, closed; the records show it while there are some."""

    async def shows(status: str) -> None:
        await until(
            lambda: [record.status for record in server_records(redis_sync)] == [status],
            what=f"the record says {status}",
        )

    gate = Gate()
    await broker.enqueue(a_task())
    server = Server(redis_client, gate, ServerConfig(**FAST))
    assert server.status is ServerStatus.NEW
    await server.shutdown()
    assert server.status is ServerStatus.NEW
    await server.start()
    await shows("active")
    await gate.holds(1)
    server.stop()
    await shows("stopped")
    server.set_polling(polling=True)
    await shows("active")
    ending = asyncio.create_task(server.shutdown())
    await shows("closed")
    gate.opened.set()
    await ending
    assert server_records(redis_sync) == []
    server.set_polling(polling=True)
    assert str(server.status) == "closed"


async def test_stopped_server_takes_nothing(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker
) -> None:
    """What runs goes on to its end; what comes waits until polling is on again."""
    gate = Gate()
    await broker.enqueue(a_task("1"))
    async with serving(redis_client, gate) as server:
        await gate.holds(1)
        server.stop()
        # A request for tasks that was on its way may still bring one.
        await until(lambda: not server._processor._asking, what="no request is under way")
        await broker.enqueue(a_task("2"))
        gate.opened.set()
        await gone(redis_client, keys.task(Q, "1"))
        # A task that is due shows that the upkeep goes on, and that many polls would have come by.
        await broker.schedule(a_task("3"), process_at=1)
        await until(lambda: redis_sync.llen(keys.pending(Q)) == 2, what="the due task is pending")
        assert len(gate.entered) == 1
        server.set_polling(polling=True)
        await gone(redis_client, keys.task(Q, "2"), keys.task(Q, "3"))


async def test_polling_may_be_off_from_the_start(
    redis_client: AsyncRedis, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """The emergency stop of the guide: nothing is taken, and nobody says that polling began."""
    caplog.set_level(logging.INFO)
    await broker.enqueue(a_task())
    async with serving(redis_client, succeed, polling=False) as server:
        await there(redis_client, keys.SERVERS)
        assert server.status is ServerStatus.STOPPED
        assert READY not in [record.getMessage() for record in caplog.records]
        server.set_polling(polling=True)
        await gone(redis_client, keys.task(Q, "1"))
        await until(lambda: READY in [record.getMessage() for record in caplog.records], what="it is said")


async def test_no_more_tasks_than_slots(redis_client: AsyncRedis, redis_sync: Redis, broker: Broker) -> None:
    """The number may change while tasks run: more are taken at once, fewer only when some have ended."""
    gates = [Gate(), Gate()]

    async def handle(attempt: Attempt) -> None:
        await gates[int(attempt.id) >= 5](attempt)

    for number in range(20):
        await broker.enqueue(a_task(str(number)))
    async with serving(redis_client, handle, concurrency=2) as server:
        await gates[0].holds(2)
        assert server.active_tasks == 2
        server.set_concurrency(5)
        await gates[0].holds(5)
        assert server.active_tasks == 5
        server.set_concurrency(3)
        gates[0].opened.set()
        await gates[1].holds(3)
        await until(
            lambda: [(r.concurrency, r.active_worker_count) for r in server_records(redis_sync)] == [(3, 3)],
            what="the record says so",
        )
        assert (server.concurrency, len(gates[1].entered)) == (3, 3)
        with pytest.raises(InvalidArgumentError):
            server.set_concurrency(0)
        gates[1].opened.set()
        await gone(redis_client, *(keys.task(Q, str(number)) for number in range(20)))


async def test_unwritten_ends_hold_back_new_tasks(redis_client: AsyncRedis, redis_sync: Redis) -> None:
    """Redis is slow to take the ends: there are never more tasks in hand than twice the slots."""
    seen, writing = list[str](), asyncio.Event()

    async def note(attempt: Attempt) -> None:
        seen.append(attempt.id)

    await Client(redis_client).enqueue_many([(Task("t"), {}) for _ in range(10)])
    async with serving(redis_client, note, concurrency=2) as server:
        done = server._broker.done

        async def done_later(message: messages.TaskMessage) -> None:
            await writing.wait()
            await done(message)

        server._broker.done = done_later  # type: ignore[method-assign]
        await until(lambda: len(seen) == 4, what="four tasks are in hand")
        # Nobody would ask for a fifth: there have been heartbeats and polls since.
        redis_sync.config_resetstat()
        await until(lambda: _beats(redis_sync, 3), what="time has passed")
        assert (len(seen), server.active_tasks) == (4, 4)
        writing.set()
        await until(lambda: len(seen) == 10, what="all are done")
        await gone(redis_client, keys.active(Q))


def _beats(redis: Redis, number: int) -> bool:
    stats = redis.info("commandstats")
    return bool(stats.get("cmdstat_setex", {"calls": 0})["calls"] >= number)


async def test_shutdown_waits_for_what_runs(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker
) -> None:
    """A task that ends in time is done; nothing more is taken."""
    gate = Gate()
    for task_id in ("1", "2"):
        await broker.enqueue(a_task(task_id))
    async with serving(redis_client, gate, concurrency=1) as server:
        await gate.holds(1)
        ending = asyncio.create_task(server.shutdown())
        await until(lambda: server.status is ServerStatus.CLOSED, what="it is closing")
        gate.opened.set()
        await ending
    assert hash_of(redis_sync, "1") == {}
    assert hash_of(redis_sync, "2")["state"] == b"pending"


async def test_shutdown_puts_back_what_takes_too_long(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker
) -> None:
    """It is the next to run, with nothing counted and its message as before; its handler is told to stop."""
    gate = Gate()
    await broker.enqueue(a_task("1"))
    before = hash_of(redis_sync, "1")["msg"]
    async with serving(redis_client, gate, shutdown_seconds=0.05):
        await gate.holds(1)
        await broker.pause(Q)
        await broker.enqueue(a_task("2"))
    assert list_of(redis_sync, keys.pending(Q)) == ["2", "1"]
    assert hash_of(redis_sync, "1") == {"state": b"pending", "msg": before}
    assert redis_sync.exists(keys.active(Q), keys.lease(Q), keys.processed(Q)) == 0
    assert [attempt.id for attempt in gate.canceled] == ["1"]


async def test_task_that_is_given_away_again_ends_its_older_attempt(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker
) -> None:
    """Somebody put it back meanwhile: the attempt before is told to stop and writes nothing."""
    gate = Gate()
    await broker.enqueue(a_task("1"))
    async with serving(redis_client, gate, heartbeat_seconds=20, recover_seconds=60):
        await gate.holds(1)
        redis_sync.zrem(keys.lease(Q), "1")
        redis_sync.hset(keys.task(Q, "1"), "state", "pending")
        redis_sync.rpoplpush(keys.active(Q), keys.pending(Q))
        await gate.holds(2)
        await until(lambda: gate.canceled, what="the first attempt is told to stop")
        assert list_of(redis_sync, keys.active(Q)) == ["1"]
        gate.opened.set()
        await until(lambda: not hash_of(redis_sync, "1"), what="the second attempt has done it")
    assert gate.canceled == gate.entered[:1]
    assert redis_sync.exists(keys.active(Q), keys.lease(Q), keys.retry(Q)) == 0
    assert redis_sync.get(keys.failed(Q)) is None


async def test_server_starts_once(redis_client: AsyncRedis) -> None:
    """Running, it refuses a second start; shut down, any."""
    async with serving(redis_client, succeed) as server:
        with pytest.raises(FailedPreconditionError, match="already running"):
            await server.start()
        server.stop()
        with pytest.raises(FailedPreconditionError, match="already running"):
            await server.start()
    with pytest.raises(ServerClosedError):
        await server.start()
    await server.shutdown()


async def test_what_can_never_work_is_refused() -> None:
    """At construction, not in production."""
    with pytest.raises(InvalidArgumentError):
        ServerConfig(group_grace_seconds=0.5)
    with pytest.raises(InvalidArgumentError):
        ServerConfig(heartbeat_seconds=30, lease_seconds=30)
    assert ServerConfig().slots >= 1
    assert ServerConfig(queues={"a": 0}).weights == {"default": 1}


async def test_strict_priority_empties_the_heavier_queue_first(redis_client: AsyncRedis) -> None:
    """The order of a poll is that of the weights, and a paused queue falls through."""
    client, taken = Client(redis_client), []

    async def note(attempt: Attempt) -> None:
        taken.append(attempt.queue)

    for queue in ("low", "high", "paused"):
        for _ in range(3):
            await client.enqueue(Task("t"), queue=queue)
    await Broker(redis_client).pause("paused")
    weights = {"low": 1, "high": 6, "paused": 10}
    async with serving(redis_client, note, queues=weights, strict_priority=True, concurrency=1):
        await until(lambda: len(taken) == 6, what="six tasks are done")
    assert taken == ["high"] * 3 + ["low"] * 3


async def test_shares_of_full_queues_are_as_the_weights(redis_client: AsyncRedis, redis_sync: Redis) -> None:
    """The first 10,000 tasks of a server, none of its queues empty: 10:6:4:3:1:1, as far as chance allows."""
    number, total = 10_000, sum(DOCUMENTED.values())
    expected = {queue: number * weight / total for queue, weight in DOCUMENTED.items()}
    for queue, share in expected.items():
        ids = [str(i) for i in range(int(share * 1.3) + 100)]
        pipe = redis_sync.pipeline(transaction=False)
        for task_id in ids:
            message = messages.encode(a_task(task_id, queue=queue))
            pipe.hset(keys.task(queue, task_id), mapping={"msg": message, "state": "pending"})
        pipe.lpush(keys.pending(queue), *ids)
        pipe.execute()
    taken: list[str] = []

    async def note(attempt: Attempt) -> None:
        taken.append(attempt.queue)

    async with serving(redis_client, note, queues=DOCUMENTED, concurrency=50, random=Random(11)) as server:
        await until(lambda: len(taken) >= number, what="10,000 tasks are taken", seconds=120)
        server.stop()
    assert all(redis_sync.exists(keys.pending(queue)) for queue in DOCUMENTED)
    shares = Counter(taken[:number])
    chi_squared = sum((shares[queue] - share) ** 2 / share for queue, share in expected.items())
    # Five degrees of freedom: more than this comes by chance once in a thousand times.
    assert chi_squared < 20.5, shares


async def test_health_is_told(own_redis: RedisServer) -> None:
    """None while Redis answers, and the error while it does not."""
    told: list[AsynqError | None] = []

    async def tell(error: AsynqError | None) -> None:
        told.append(error)

    redis = own_redis.async_client()
    async with serving(redis, succeed, health_check=tell):
        await until(lambda: told[-1:] == [None], what="Redis is well")
        own_redis.kill()
        await until(lambda: told[-1], what="Redis is not well")
        own_redis.start_again()
        await until(lambda: told[-1] is None, what="Redis is well again")
    await redis.aclose()


async def test_idle_server_asks_seldom(redis_client: AsyncRedis) -> None:
    """A poll asks each empty queue once, with half to one and a half intervals between."""
    async with serving(redis_client, succeed, task_check_seconds=0.1, queues={"a": 1, "b": 1}) as server:
        await there(redis_client, keys.SERVERS)
        await redis_client.config_resetstat()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await until(lambda: _polls(redis_client, 12), what="six polls of two queues came")
        seconds = loop.time() - began
        assert server.active_tasks == 0
    # Six pauses of 50 to 150 ms.
    assert seconds >= 5 * 0.05


async def _polls(redis: AsyncRedis, number: int) -> bool:
    stats = await redis.info("commandstats")
    return int(stats.get("cmdstat_rpoplpush", {"calls": 0})["calls"]) >= number


PROGRAM = """
import asyncio, logging, sys
import redis.asyncio
from asynq_exporter.core.worker import Server, ServerConfig

logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)

async def handle(attempt):
    print("begun", attempt.id, flush=True)
    await asyncio.sleep(0 if attempt.id == "quick" else 600)

async def main():
    redis_client = redis.asyncio.Redis(port=int(sys.argv[1]))
    config = ServerConfig(shutdown_seconds=0.2, task_check_seconds=0.02, heartbeat_seconds=0.05)
    await Server(redis_client, handle, config).run()
    print("ended", flush=True)
    await redis_client.aclose()

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_program_ends_by_signal(
    redis_server: RedisServer, redis_sync: Redis, redis_client: AsyncRedis, number: signal.Signals
) -> None:
    """SIGTSTP ends the taking; SIGTERM and SIGINT shut down, and the task that runs goes back."""
    client = Client(redis_client)
    argv = [sys.executable, "-W", "error", "-c", PROGRAM, str(redis_server.port)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            await client.enqueue(Task("t"), task_id="slow")
            await there(redis_client, keys.active(Q))
            process.send_signal(signal.SIGTSTP)
            await until(
                lambda: [r.status for r in server_records(redis_sync)] == ["stopped"], what="it has stopped"
            )
            await client.enqueue(Task("t"), task_id="quick")
            process.send_signal(number)
            output = process.communicate(timeout=30)[0].splitlines()
        finally:
            process.kill()
    assert process.returncode == 0
    assert output[-1] == "ended"
    assert READY in output
    assert "begun quick" not in output
    assert list_of(redis_sync, keys.pending(Q)) == ["quick", "slow"]
    assert redis_sync.exists(keys.SERVERS, keys.active(Q)) == 0


async def test_our_inspector_sees_the_server(redis_client: AsyncRedis) -> None:
    """The same records that Go's Inspector and the exporter read."""
    gate = Gate()
    await Client(redis_client).enqueue(Task("t", b"x"), task_id="1")
    async with serving(redis_client, gate, queues={Q: 3}) as server:
        await gate.holds(1)
        inspector = Inspector(redis_client)

        async def working() -> bool:
            found = await inspector.servers()
            return bool(found and found[0].workers)

        await until(working, what="it shows its worker")
        [found] = await inspector.servers()
        assert (found.server_id, found.status) == (server.server_id, "active")
        assert [worker.task_id for worker in found.workers] == ["1"]
        gate.opened.set()
