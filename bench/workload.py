"""Queues in Redis: a number of them, each with the same number of tasks in every state."""

import time

import redis

from asynq_exporter.core import catalog, keys


def fill(port: int, queues: int, tasks: int) -> list[str]:
    """Fills an empty Redis; the names of the queues."""
    client = redis.Redis(port=port)
    client.flushall()
    # The documented ones first: we show those in any case, so that both exporters read the same queues.
    names = [*catalog.documented().queues, *(f"queue-{number:05}" for number in range(queues))][:queues]
    now = time.time()
    for start in range(0, queues, 100):
        pipe = client.pipeline(transaction=False)
        for name in names[start : start + 100]:
            _fill_queue(pipe, name, tasks, now)
        pipe.execute()
    return names


def _fill_queue(pipe: "redis.client.Pipeline", queue: str, tasks: int, now: float) -> None:
    pipe.sadd(keys.QUEUES, queue)
    pipe.set(keys.processed(queue), 123_456)
    pipe.set(keys.failed(queue), 789)
    ids = {state: [f"{state}-{number:04}" for number in range(tasks)] for state in "parsdc"}
    for members in ids.values():
        for task_id in members:
            pipe.hset(
                keys.task(queue, task_id),
                mapping={"msg": b"x" * 200, "state": "pending", "pending_since": int((now - 60) * 1e9)},
            )
    pipe.lpush(keys.pending(queue), *ids["p"])
    pipe.lpush(keys.active(queue), *ids["a"])
    pipe.zadd(keys.lease(queue), dict.fromkeys(ids["a"], now + 3600))
    pipe.zadd(keys.scheduled(queue), dict.fromkeys(ids["s"], now + 3600))
    pipe.zadd(keys.retry(queue), dict.fromkeys(ids["r"], now + 3600))
    pipe.zadd(keys.archived(queue), dict.fromkeys(ids["d"], now - 60))
    pipe.zadd(keys.completed(queue), dict.fromkeys(ids["c"], now + 3600))
