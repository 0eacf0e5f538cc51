"""What all operations share: the client, the clock, running scripts, and Redis errors in our own words."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import (
    ClusterCrossSlotError,
    ClusterDownError,
    ConnectionError,  # noqa: A004 - redis-py's own, and named so
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004 - likewise
    TryAgainError,
)

from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.core.errors import (
    AsynqError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.scripts import Argument, Call, ScriptRunner

#: Daily counters live this long (wire section 3.0).
STATS_TTL_SECONDS = 90 * 24 * 3600

_UNAVAILABLE = (
    ConnectionError,
    TimeoutError,
    ReadOnlyError,
    OutOfMemoryError,
    ClusterDownError,
    TryAgainError,
)


def as_asynq_error(exc: RedisError) -> AsynqError:
    """The error of ours that says the same as one of redis-py."""
    text = str(exc)
    if isinstance(exc, _UNAVAILABLE):
        return UnavailableError(f"Redis is not available: {text}")
    if isinstance(exc, ClusterCrossSlotError):
        return InvalidArgumentError(text)
    if isinstance(exc, ResponseError):
        # The errors of our own scripts. Redis 6.2 answers "INTERNAL" and 7 "ERR INTERNAL"; redis-py cuts
        # "ERR" off in some versions.
        word = text.removeprefix("ERR ")
        if word.startswith("NOT FOUND"):
            return NotFoundError(
                "the task is not where it should be: no worker holds it, or its data is gone"
            )
        if word.startswith("INTERNAL"):
            return InternalError("the task is already where it should go")
    return InternalError(f"Redis refused: {text}")


@contextlib.contextmanager
def asynq_errors() -> Iterator[None]:
    """Raises errors of redis-py as errors of ours."""
    try:
        yield
    except RedisError as exc:
        raise as_asynq_error(exc) from exc


class Operations:
    """A client, a clock, and the scripts on that client."""

    def __init__(
        self, redis: Redis, clock: Clock | None = None, *, scripts: ScriptRunner | None = None
    ) -> None:
        if isinstance(redis, RedisCluster):
            raise InvalidArgumentError(
                "give a ClusterClient of asynq_exporter.core instead of redis-py's RedisCluster"
            )
        self._redis = redis
        self._clock: Clock = clock or SystemClock()
        self._scripts = scripts or ScriptRunner(redis)

    def _now_ns(self) -> int:
        return self._clock.now_ns()

    def _now_seconds(self) -> int:
        # asynq cuts fractions off everywhere.
        return self._clock.now_ns() // NANOSECONDS

    async def _run(self, script: str, keys: Sequence[str], *args: Argument) -> Any:
        with asynq_errors():
            return await self._scripts.run(script, keys, *args)

    async def _run_after(self, commands: Sequence[Sequence[Argument]], call: Call) -> None:
        """Plain commands and then a script, in one round trip."""
        with asynq_errors():
            [reply] = await self._scripts.run_many([call], before=commands)
            if isinstance(reply, RedisError):
                raise reply
