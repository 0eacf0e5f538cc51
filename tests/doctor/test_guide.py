"""The guide's chapter 5, end to end: what an operator meets, and the evidence the command gives."""

import json
import threading
from typing import Any

import pytest
from redis.asyncio import Redis

from asynq_exporter.core import keys, messages
from tests.conftest import RedisServer
from tests.doctor import living


@pytest.mark.parametrize("direction", ["growing", "draining"])
async def test_backlog(redis_client: Redis, redis_server: RedisServer, direction: str) -> None:
    """Guide 5.1: pending grows; workers, their slots and the pace are told, and what to do."""
    await living.worker(redis_client, active_worker_count=10)
    await living.enqueue(redis_client, 2_500, ago=40)
    stop = threading.Event()

    def work() -> None:
        with redis_server.client() as client:
            number = 0
            while not stop.wait(0.02):
                if direction == "draining":
                    client.rpop(keys.pending("default"))
                    client.incr(keys.processed("default"))
                else:
                    client.lpush(keys.pending("default"), f"more{number}")
                number += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        found = living.report(living.run(redis_server.url, "--json", "--seconds=1"))
    finally:
        stop.set()
        thread.join()

    backlog = found[f"queue-backlog.{direction}"]
    values = backlog["values"]
    assert ("warning", "default") == (backlog["severity"], backlog["queue"])
    assert 1_000 == values["threshold"] < values["pending"]
    assert values["oldest_seconds"] >= 40
    assert 1 == values["workers"]
    assert [{"type": "mail:send", "count": 100}] == backlog["types"]
    if direction == "growing":
        assert values["in_per_second"] > 0 == values["out_per_second"]
        assert "empty_in_seconds" not in values
    else:
        assert values["out_per_second"] > 0
        assert values["empty_in_seconds"] > 0
    shell = [command for remedy in backlog["remedies"] for command in remedy["commands"]]
    assert "kubectl scale deployment/app-server --replicas=5" in shell
    assert any("ASYNQ_CONCURRENCY=30" in command for command in shell)
    assert {"busy": 10, "slots": 10}.items() <= found["workers-saturated.saturated"]["values"].items()


async def test_retries(redis_client: Redis, redis_server: RedisServer) -> None:
    """Guide 5.2: the last errors, grouped, with an example that is there."""
    await living.worker(redis_client)
    by = living.broker(redis_client)
    ids = await living.enqueue(redis_client, 60, queue="scheduled")
    for number in range(60):
        delivery = await by.dequeue(["scheduled"])
        assert delivery is not None
        error = (
            f"POST http://10.0.0.{number}/v1: 429 Too Many Requests"
            if number < 45
            else f"timeout after {number}s"
        )
        await by.retry(delivery.message, retry_at=int(living.now()) + 300, error=error)

    done = living.run(redis_server.url, "--json", "--seconds=0", "--only=task-retries")
    finding = living.report(done)["task-retries.many"]

    assert ("warning", "scheduled", 10) == (finding["severity"], finding["queue"], done.returncode)
    assert {"retry": 60, "threshold": 50, "looked_at": 60}.items() <= finding["values"].items()
    assert [
        ("POST http://<ip>/v1: <n> Too Many Requests", 45),
        ("timeout after <n>s", 15),
    ] == [(error["message"], error["count"]) for error in finding["errors"]]
    assert finding["errors"][0]["task_id"] in ids
    assert ["An external service limits the rate of requests."] == finding["causes"]
    assert "SECRET-PAYLOAD" not in done.stdout
    retry = next(c for r in finding["remedies"] for c in r["commands"] if "tasks/retry" in c)
    assert finding["errors"][0]["task_id"] in retry
    assert "alerts/runbooks/AsynqRetryHigh.md" == finding["runbook"]


async def test_workers_do_not_consume(redis_client: Redis, redis_server: RedisServer) -> None:
    """Guide 5.3: first there is no worker at all, then one that lives and takes nothing."""
    await living.enqueue(redis_client, 20, ago=60)
    none = living.report(living.run(redis_server.url, "--json", "--seconds=0"))["workers-alive.none"]
    await living.worker(redis_client)
    done = living.run(redis_server.url, "--json", "--seconds=1")
    idle = living.report(done)["queue-consumed.idle"]

    assert ("critical", 20) == (none["severity"], none["values"]["pending"])
    assert ("critical", "default", 20) == (idle["severity"], idle["queue"], done.returncode)
    assert {"pending": 20, "active": 0, "workers": 1, "busy": 0, "slots": 10}.items() <= idle[
        "values"
    ].items()
    assert idle["values"]["waited_seconds"] >= 60
    for finding in (none, idle):
        shell = [command for remedy in finding["remedies"] for command in remedy["commands"]]
        assert any("ASYNQ_POLLING_ENABLED=true" in command for command in shell)
        assert 'kubectl logs -l app=app-server --tail=100 | grep "Asynq"' in shell


async def test_timeouts(redis_client: Redis, redis_server: RedisServer) -> None:
    """Guide 5.4: tasks that stay active beyond their timeout, since when, and where."""
    ids = await living.enqueue(redis_client, 2)
    by = living.broker(redis_client)
    for _ in ids:
        assert await by.dequeue(["default"]) is not None
    tasks = [
        living.running(ids[0], started=living.now() - 100, timeout=60),
        living.running(ids[1], started=living.now() - 10, timeout=600),
    ]
    await living.worker(redis_client, tasks=tasks)

    done = living.run(redis_server.url, "--json", "--seconds=0", "--only=task-long-running")
    finding = living.report(done)["task-long-running.over_timeout"]
    (task,) = finding["tasks"]

    assert ("warning", "default") == (finding["severity"], finding["queue"])
    assert {"over": 1, "active": 2}.items() <= finding["values"].items()
    assert (ids[0], "video:render", "web-1:7", 60) == (
        *(task["task_id"], task["task_type"], task["worker"]),
        task["timeout_seconds"],
    )
    assert task["running_seconds"] >= 100
    assert task["overdue_seconds"] >= 40
    assert "SECRET-PAYLOAD" not in done.stdout
    shell = [command for remedy in finding["remedies"] for command in remedy["commands"]]
    assert f"asynq -u 127.0.0.1:{redis_server.port} task cancel {ids[0]}" in shell
    assert any('{"task_id": "default0"}' in command for command in shell)


async def test_good_day(redis_client: Redis, redis_server: RedisServer) -> None:
    """Workers, a scheduler, tasks that run and fail now and then: nothing to worry about, exit code 0."""
    ids = await living.enqueue(redis_client, 5)
    by = living.broker(redis_client)
    for number in range(3):
        delivery = await by.dequeue(["default"])
        assert delivery is not None
        if number == 1:
            await by.done(delivery.message)
        if number == 2:
            await by.retry(delivery.message, retry_at=int(living.now()) + 60, error="x")
    await living.worker(redis_client, tasks=[living.running(ids[0], started=living.now() - 1, timeout=600)])
    await living.scheduler(redis_client, "one")
    done = living.run(redis_server.url, "--json", "--seconds=0.2")
    made = json.loads(done.stdout)

    # The session's Redis keeps nothing, and says so.
    assert {"redis-persistence.off"} == set(living.report(done))
    assert 0 == made["summary"]["skipped"]
    assert 10 == done.returncode


async def test_real_messages_are_decoded(redis_client: Redis) -> None:
    """What is looked at carries type and error, and no payload."""
    by = living.broker(redis_client)
    await living.enqueue(redis_client, 1)
    delivery = await by.dequeue(["default"])
    assert delivery is not None
    await by.archive(delivery.message, error="boom")
    made: Any = await living.see(redis_client)
    (task,) = made.sample("default", "archived").tasks

    assert ("mail:send", "boom", "job:default0:0") == (task.task_type, task.error, task.task_id)
    assert "SECRET-PAYLOAD" not in repr(made)
    assert messages.decode_task(messages.encode(delivery.message)).payload == b"SECRET-PAYLOAD"
