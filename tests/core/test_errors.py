"""Errors of Redis in the words of the core."""

import pytest
from redis import Redis
from redis import exceptions as redis_errors
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from asynq_exporter.core import AsynqError, Broker, NotFoundError, UnavailableError, keys
from asynq_exporter.core.broker.base import as_asynq_error
from asynq_exporter.core.errors import InternalError
from tests.conftest import RedisServer, free_port
from tests.core.queue_state import Q, a_task


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("NOT FOUND", NotFoundError),
        ("INTERNAL", InternalError),
        ("ERR INTERNAL", InternalError),
        ("ERR NOT FOUND", NotFoundError),
        ("WRONGTYPE Operation against a key", InternalError),
    ],
)
def test_script_errors_are_told_apart(text: str, kind: type[AsynqError]) -> None:
    """Wire 3.0: the texts of Redis 6.2 and 7."""
    assert type(as_asynq_error(redis_errors.ResponseError(text))) is kind


@pytest.mark.parametrize(
    "exc",
    [
        redis_errors.ConnectionError("refused"),
        redis_errors.TimeoutError("slow"),
        redis_errors.BusyLoadingError("loading"),
        redis_errors.ReadOnlyError("replica"),
        redis_errors.OutOfMemoryError("full"),
    ],
)
def test_what_may_pass_is_unavailable(exc: redis_errors.RedisError) -> None:
    """Trying again later may help: the caller can tell it from a mistake."""
    assert isinstance(as_asynq_error(exc), UnavailableError)


async def test_no_server_is_unavailable() -> None:
    """Scripts, batches and plain commands say the same, with redis-py's error as the cause."""
    async with AsyncRedis(port=free_port(), retry=Retry(NoBackoff(), 0)) as client:
        broker = Broker(client)
        for operation in (
            broker.dequeue([Q]),
            broker.enqueue(a_task()),
            broker.pause(Q),
            broker.extend_lease(Q, ["1"]),
        ):
            with pytest.raises(UnavailableError) as caught:
                await operation
            assert isinstance(caught.value.__cause__, redis_errors.ConnectionError)


async def test_full_server_is_unavailable(own_redis: RedisServer) -> None:
    """A Redis that may not grow refuses to enqueue, and no foreign error gets through."""
    with own_redis.client() as sync:
        sync.config_set("maxmemory", "1")
    async with AsyncRedis(port=own_redis.port) as client:
        with pytest.raises(UnavailableError):
            await Broker(client).enqueue(a_task())


async def test_key_of_another_type_is_our_error(broker: Broker, redis_sync: Redis) -> None:
    """A key that asynq never makes that way is an internal error, in single calls and in batches."""
    redis_sync.set(keys.pending(Q), "not a list")
    with pytest.raises(InternalError):
        await broker.dequeue([Q])
    with pytest.raises(InternalError):
        await broker.enqueue(a_task())
