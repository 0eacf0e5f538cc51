"""What is asked of all workers through Redis, and what each server makes of it."""

import logging

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from asynq_exporter.core import Broker, keys
from asynq_exporter.core.control import Control, WorkerControl
from asynq_exporter.core.worker import Server, ServerStatus
from asynq_exporter.core.worker.throttle import Throttle
from tests.core.queue_state import a_task
from tests.core.worker.serving import Gate, gone, serving, succeed, there, until


@pytest.mark.parametrize(
    ("polling", "asked", "slots", "is_stopped", "is_open"),
    [
        (True, None, 4, False, False),
        (True, Control(), 4, False, True),
        (True, Control(concurrency=2), 2, False, True),
        (True, Control(polling=False), 4, True, False),
        (True, Control(polling=True), 4, False, True),
        (False, Control(polling=True), 4, True, False),
        (False, None, 4, True, False),
    ],
)
def test_what_is_asked_goes_before(
    polling: bool, asked: Control | None, slots: int, is_stopped: bool, is_open: bool
) -> None:
    """Its number holds, and a stop; it starts nobody who was stopped alone; unheard, nothing is taken."""
    throttle = Throttle(concurrency=4, polling=polling)
    throttle.asked = asked
    assert (slots, is_stopped, is_open) == (throttle.slots, throttle.is_stopped, throttle.is_open)


async def concurrency_is(server: Server, number: int) -> None:
    """Waits until a server has heard."""
    await until(lambda: server.concurrency == number, what=f"{number} slots")


async def status_is(server: Server, status: ServerStatus) -> None:
    """Waits until a server has stopped, or goes on."""
    await until(lambda: server.status is status, what=f"it is {status}")


async def test_all_servers_follow(
    redis_client: AsyncRedis, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """Concurrency and stop reach every server, hold, and end with the asking; each change is one line."""
    control = WorkerControl(redis_client)
    async with serving(redis_client, succeed) as one, serving(redis_client, succeed, concurrency=7) as two:
        await control.set(concurrency=2)
        await concurrency_is(one, 2)
        await concurrency_is(two, 2)
        two.set_concurrency(9)
        assert 2 == two.concurrency
        await control.clear()
        await concurrency_is(one, 4)
        await concurrency_is(two, 9)

        await control.set(polling=False)
        for server in (one, two):
            await status_is(server, ServerStatus.STOPPED)
        one.set_polling(polling=True)
        assert one.status is ServerStatus.STOPPED
        await broker.enqueue(a_task("1"))
        await broker.schedule(a_task("2"), process_at=1)
        await until(lambda: redis_client.llen(keys.pending("default")), what="both wait")
        await until(lambda: _length(redis_client, 2), what="the due task is forwarded, and none is taken")
        await control.clear()
        await gone(redis_client, keys.task("default", "1"), keys.task("default", "2"))
    said = [(r.getMessage(), vars(r)["by"]) for r in caplog.records if "Polling" in r.getMessage()]
    assert [("[Asynq] Polling stopped", "redis")] * 2 + [("[Asynq] Polling resumed", "redis")] * 2 == said


async def _length(redis: AsyncRedis, number: int) -> bool:
    return bool(await redis.llen(keys.pending("default")) == number)


async def test_server_that_starts_in_a_stop_takes_nothing(redis_client: AsyncRedis, broker: Broker) -> None:
    """Not even one task, before it has heard."""
    await WorkerControl(redis_client).set(polling=False)
    for number in range(20):
        await broker.enqueue(a_task(str(number)))
    gate = Gate()
    async with serving(redis_client, gate) as server:
        await status_is(server, ServerStatus.STOPPED)
        await broker.schedule(a_task("later"), process_at=1)
        await until(lambda: _length(redis_client, 21), what="its upkeep goes on")
    assert [] == gate.entered


@pytest.mark.parametrize("wrong", ["hash", "string"])
async def test_nonsense_is_left_aside_and_told_once(
    redis_client: AsyncRedis, redis_sync: Redis, broker: Broker, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    """A slip of somebody's hand neither stops nor starts anything."""
    caplog.set_level(logging.WARNING)
    if wrong == "hash":
        redis_sync.hset(keys.WORKER_CONTROL, "polling", "perhaps")
    else:
        redis_sync.set(keys.WORKER_CONTROL, "x")
    await broker.enqueue(a_task("1"))
    async with serving(redis_client, succeed) as server:
        await gone(redis_client, keys.task("default", "1"))
        await redis_client.config_resetstat()
        await until(lambda: _calls(redis_client, "hmget", 3), what="it has read three times more")
        assert server.status is ServerStatus.ACTIVE
    assert ["[Asynq] What is asked of all workers is left aside"] == caplog.messages


async def _calls(redis: AsyncRedis, command: str, number: int) -> bool:
    stats = await redis.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"]) >= number


async def test_nothing_asked_costs_one_command_a_heartbeat(redis_client: AsyncRedis) -> None:
    """And changes nothing."""
    async with serving(redis_client, succeed, concurrency=5) as server:
        await there(redis_client, keys.SERVERS)
        await until(lambda: _calls(redis_client, "hmget", 2), what="it looks")
        assert (5, ServerStatus.ACTIVE) == (server.concurrency, server.status)
        assert not await redis_client.exists(keys.WORKER_CONTROL)
