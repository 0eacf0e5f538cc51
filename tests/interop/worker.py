"""A worker of ours as a program, the twin of serve.go: it obeys the orders in its tasks."""

import asyncio
import base64
import json
import sys
from collections.abc import Sequence
from typing import Any

import redis.asyncio

from asynq_exporter.core import Task
from asynq_exporter.core.client import Options
from asynq_exporter.core.worker import Attempt, Server, ServerConfig

HOUR = 3600.0


def order_of(payload: bytes | None) -> dict[str, Any]:
    """What a task asks for (order.go); what is no order asks for nothing."""
    try:
        found = json.loads(payload or b"")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


async def obey(attempt: Attempt) -> None:
    """Carries out an order, as `obey` in order.go does."""
    order = order_of(attempt.payload)
    if order.get("block"):
        await asyncio.Event().wait()
    await asyncio.sleep(order.get("sleep", 0) / 1000)
    if "result" in order:
        await attempt.write_result(order["result"].encode())
    if "fail" in order and not 0 < order.get("times", 0) <= attempt.retried:
        raise RuntimeError(order["fail"])


def retry_in(_retried: int, _error: Exception, task: Task) -> float:
    """The delay that an order asks for."""
    return float(order_of(task.payload).get("retry_in", HOUR))


async def aggregate(group: str, tasks: Sequence[Task]) -> tuple[Task, Options]:
    """Packs the payloads of a group into one task, as `aggregate` in work.go does."""
    members = [base64.b64encode(task.payload or b"").decode() for task in tasks]
    payload = json.dumps({"group": group, "members": members}, separators=(",", ":")).encode()
    return Task("aggregated", payload), {"retention_seconds": HOUR}


async def main(port: int, queues: dict[str, int], concurrency: int, held: str) -> None:
    """Works until SIGTERM."""
    client: Any = redis.asyncio.Redis(port=port)

    async def handle(attempt: Attempt) -> None:
        await client.sadd(held, attempt.id)
        try:
            await obey(attempt)
            await attempt.write_result(b"python")
        finally:
            await client.srem(held, attempt.id)

    config = ServerConfig(
        concurrency=concurrency,
        queues=queues,
        retry_delay=retry_in,
        task_check_seconds=0.1,
        forward_seconds=1.0,
        group_grace_seconds=1.0,
        aggregator=aggregate,
    )
    await Server(client, handle, config).run()
    await client.aclose()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
