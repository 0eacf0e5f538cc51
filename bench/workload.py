"""Queues in Redis: a number of them, each with the same number of tasks in every state."""

import time
from collections.abc import Sequence

import redis

from asynq_exporter.core import catalog, keys
from asynq_exporter.core.messages import ServerInfo, encode, timestamp

#: Queues that something happens to between two scrapes, and scrapes until a guest among the queues is replaced.
STIRRED = 10
STAY = 100


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
            _record(pipe, queue, task_id, pending_since=int((now - 60) * 1e9))
    pipe.lpush(keys.pending(queue), *ids["p"])
    pipe.lpush(keys.active(queue), *ids["a"])
    pipe.zadd(keys.lease(queue), dict.fromkeys(ids["a"], now + 3600))
    pipe.zadd(keys.scheduled(queue), dict.fromkeys(ids["s"], now + 3600))
    pipe.zadd(keys.retry(queue), dict.fromkeys(ids["r"], now + 3600))
    pipe.zadd(keys.archived(queue), dict.fromkeys(ids["d"], now - 60))
    pipe.zadd(keys.completed(queue), dict.fromkeys(ids["c"], now + 3600))


def _record(pipe: "redis.client.Pipeline", queue: str, task_id: str, *, pending_since: int) -> None:
    key = keys.task(queue, task_id)
    pipe.hset(key, mapping={"msg": b"x" * 200, "state": b"pending", "pending_since": b"%d" % pending_since})


def stir(client: "redis.Redis", names: Sequence[str], turn: int) -> None:
    """Some of what goes on between two scrapes: tasks come and end, a server beats, now and then a queue is replaced."""
    pipe = client.pipeline(transaction=False)
    for offset in range(STIRRED):
        queue, task_id = names[(turn * STIRRED + offset) % len(names)], f"stirred-{turn:06}"
        _record(pipe, queue, task_id, pending_since=time.time_ns())
        pipe.expire(keys.task(queue, task_id), 60)
        pipe.lpush(keys.pending(queue), task_id)
        pipe.rpop(keys.pending(queue))
        pipe.incr(keys.processed(queue))
    guest, gone = (f"guest-{turn // STAY + later:04}" for later in (0, -1))
    pipe.srem(keys.QUEUES, gone)
    pipe.sadd(keys.QUEUES, guest)
    server = ServerInfo(host="bench", pid=1, server_id="bench", status="active", active_worker_count=turn)
    server.queues.update(dict.fromkeys(names[:10], 1))
    server.start_time.CopyFrom(timestamp(time.time_ns()))
    key = keys.server("bench", 1, "bench")
    pipe.set(key, encode(server), ex=60)
    pipe.zadd(keys.SERVERS, {key: time.time() + 60})
    pipe.execute()
