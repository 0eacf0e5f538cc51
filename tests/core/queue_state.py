"""What lies in one queue, read with plain commands; and the tasks that tests put there."""

from typing import Any, cast

from redis import Redis

from asynq_exporter.core import keys, messages
from asynq_exporter.core.messages import TaskMessage

#: 2100-01-01T00:00:00Z; in the future, since Redis expires daily counters by its own clock.
T = 4_102_444_800
DAY = "2100-01-01"
Q = "default"


def a_task(task_id: str = "1", **fields: Any) -> TaskMessage:
    """Task A of the wire document, with other fields where a test wants them."""
    defaults: dict[str, Any] = {"queue": Q, "max_retry": 25, "timeout_seconds": 1800}
    return messages.make_task("t", task_id=task_id, **{**defaults, **fields})


def hash_of(redis: Redis, task_id: str = "1", queue: str = Q) -> dict[str, bytes]:
    """The fields of a task hash; empty when there is none."""
    found = cast("dict[bytes, bytes]", redis.hgetall(keys.task(queue, task_id)))
    return {name.decode(): value for name, value in found.items()}


def message_of(redis: Redis, task_id: str = "1", queue: str = Q) -> TaskMessage:
    """The message of a task."""
    return messages.decode_task(hash_of(redis, task_id, queue)["msg"])


def list_of(redis: Redis, key: str) -> list[str]:
    """A list from its left end."""
    return [item.decode() for item in cast("list[bytes]", redis.lrange(key, 0, -1))]


def scores_of(redis: Redis, key: str) -> dict[str, float]:
    """A sorted set: member -> score."""
    found = cast("list[tuple[bytes, float]]", redis.zrange(key, 0, -1, withscores=True))
    return {member.decode(): score for member, score in found}


def counters_of(redis: Redis, queue: str = Q, day: str = DAY) -> tuple[int, int, int, int]:
    """Processed, failed, processed that day, failed that day; -1 for a key that does not exist."""
    names = (
        *(keys.processed(queue), keys.failed(queue)),
        *(keys.processed_on(queue, day), keys.failed_on(queue, day)),
    )
    values = cast("list[bytes | None]", redis.mget(names))
    one, two, three, four = (-1 if value is None else int(value) for value in values)
    return one, two, three, four


def everything(redis: Redis) -> dict[str, bytes]:
    """The whole database, to prove that nothing changed."""
    names = sorted(cast("list[bytes]", redis.keys("*")))
    return {name.decode(): cast("bytes", redis.dump(name)) for name in names}
