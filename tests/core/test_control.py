"""What all workers of a Redis are asked to do."""

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from asynq_exporter.core import keys
from asynq_exporter.core.control import Control, WorkerControl, decode
from asynq_exporter.core.errors import InvalidArgumentError


@pytest.fixture
def control(redis_client: AsyncRedis) -> WorkerControl:
    """On an empty database."""
    return WorkerControl(redis_client)


async def test_nothing_is_asked_at_first(control: WorkerControl) -> None:
    """And clearing nothing is no error."""
    assert Control() == await control.read()
    await control.clear()
    assert Control() == await control.read()


async def test_fields_are_asked_and_cleared_one_by_one(control: WorkerControl, redis_sync: Redis) -> None:
    """One does not change the other; without any the key is gone."""
    await control.set(concurrency=3)
    await control.set(polling=False)
    await control.set()
    assert Control(concurrency=3, polling=False) == await control.read()
    assert {b"concurrency": b"3", b"polling": b"false"} == redis_sync.hgetall(keys.WORKER_CONTROL)

    await control.clear("concurrency")
    assert Control(polling=False) == await control.read()
    await control.set(polling=True)
    assert Control(polling=True) == await control.read()
    await control.clear()
    assert not redis_sync.exists(keys.WORKER_CONTROL)


@pytest.mark.parametrize("number", [0, -1, 100_001])
async def test_impossible_number_is_not_asked(control: WorkerControl, number: int) -> None:
    """The mistake is found where it is made."""
    with pytest.raises(InvalidArgumentError, match="concurrency is 1 to"):
        await control.set(concurrency=number)
    assert Control() == await control.read()


@pytest.mark.parametrize(
    ("concurrency", "polling"),
    [
        (b"0", None),
        (b"-1", None),
        (b"many", None),
        (b"", None),
        (b"9" * 5000, None),
        (None, b"no"),
        (None, b"\xff"),
    ],
)
def test_what_somebody_else_wrote_is_refused(concurrency: bytes | None, polling: bytes | None) -> None:
    """With the name of the key, and not at length."""
    with pytest.raises(InvalidArgumentError, match=keys.WORKER_CONTROL) as caught:
        decode([concurrency, polling])
    assert len(str(caught.value)) < 200
