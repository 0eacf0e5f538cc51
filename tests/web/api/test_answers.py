"""Requests with an Idempotency-Key happen once."""

import asyncio

import pytest
import redis
import redis.asyncio

from asynq_exporter.core import Broker, SystemClock, TaskState, keys
from asynq_exporter.web.api import answers
from asynq_exporter.web.api.answers import Answers, Claim, Kept
from asynq_exporter.web.api.errors import ApiError
from tests.conftest import RedisServer
from tests.core.inspector.placing import fill, place
from tests.core.queue_state import Q
from tests.web.api.conftest import Api, ServeApi


async def test_same_request_same_answer(
    redis_server: RedisServer, redis_sync: redis.Redis, serve_api: ServeApi
) -> None:
    """The second time nothing happens, also after a restart; the answer is the first one."""
    fill(redis_sync, TaskState.RETRY, (f"t{n}" for n in range(6)))
    body = {"queue": Q, "state": "retry", "limit": 2}
    async with serve_api(redis_server) as api:
        first = await api.post("/tasks/retry/batch", body, Idempotency_Key="one")
    async with serve_api(redis_server) as api:
        second = await api.post("/tasks/retry/batch", body, Idempotency_Key="one")
        other = await api.post("/tasks/retry/batch", body, Idempotency_Key="two")

    assert (first.status, first.json) == (second.status, second.json)
    assert ("true", None) == tuple(a.headers.get(answers.REPLAYED_HEADER) for a in (second, first))
    assert (2, 4, 2) == (first.data["done"], first.data["remaining"], other.data["remaining"])
    assert 4 == redis_sync.llen(keys.pending(Q))


async def test_refusals_are_kept_too(api: Api, broker: Broker) -> None:
    """A key answers what it answered, although the state has changed meanwhile."""
    body = {"queue": Q, "task_id": "1"}
    await place(broker, TaskState.PENDING)
    first = await api.post("/tasks/retry", body, Idempotency_Key="k")
    await api.ask("DELETE", f"/tasks/1?queue={Q}")
    await place(broker, TaskState.RETRY)
    second = await api.post("/tasks/retry", body, Idempotency_Key="k")

    assert (409, "already_pending") == (first.status, first.code) == (second.status, second.code)


async def test_another_request_with_the_key(api: Api, broker: Broker) -> None:
    """It is refused; the key of another token is another key; the order of fields does not matter."""
    await place(broker, TaskState.RETRY)
    first = await api.post("/tasks/archive", {"queue": Q, "task_id": "1"}, Idempotency_Key="k")
    other = await api.post("/tasks/archive", {"queue": Q, "task_id": "2"}, Idempotency_Key="k")
    elsewhere = await api.post("/tasks/retry", {"queue": Q, "task_id": "1"}, Idempotency_Key="k")
    stranger = await api.post(
        "/tasks/archive", {"queue": Q, "task_id": "1"}, Idempotency_Key="k", role="operator"
    )
    turned = await api.post("/tasks/archive", {"task_id": "1", "queue": Q}, Idempotency_Key="k")

    assert 200 == first.status
    for answer in (other, elsewhere):
        assert (409, "idempotency_key_reused") == (answer.status, answer.code)
    assert (409, "already_archived") == (stranger.status, stranger.code)
    assert first.json == turned.json


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "ключ"])
async def test_what_is_no_key(api: Api, key: str) -> None:
    """Refused, and nothing is done."""
    answer = await api.post("/pause", {"queue": "default"}, Idempotency_Key=key)

    assert (422, "invalid_idempotency_key") == (answer.status, answer.code)
    assert 200 == (await api.post("/pause", {"queue": "default"})).status


async def test_under_way(redis_client: redis.asyncio.Redis) -> None:
    """While the first is carried out the second is told so; a failure for now frees the key."""
    kept = Answers(redis_client, SystemClock())
    claim = await kept.begin(owner="o", given="k", request=b"r")
    assert isinstance(claim, Claim)
    with pytest.raises(ApiError) as caught:
        await kept.begin(owner="o", given="k", request=b"r")
    assert (409, "idempotency_under_way") == (caught.value.status, caught.value.code)

    await kept.give_up(claim)
    assert isinstance(await kept.begin(owner="o", given="k", request=b"r"), Claim)


async def test_many_at_once(api: Api, redis_sync: redis.Redis) -> None:
    """Of twenty that come together one happens; the others get its answer, or hear that it is under way."""
    fill(redis_sync, TaskState.RETRY, (f"t{n}" for n in range(40)))
    body = {"queue": Q, "state": "retry", "limit": 1}

    found = await asyncio.gather(
        *(api.post("/tasks/retry/batch", body, Idempotency_Key="k") for _ in range(20))
    )

    assert {answer.status for answer in found} <= {200, 409}
    assert 1 == redis_sync.llen(keys.pending(Q))


async def test_memory_is_bounded(redis_client: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest answers stay, none for longer than a day."""
    monkeypatch.setattr(answers, "MAX_ANSWERS", 3)
    kept = Answers(redis_client, SystemClock())
    for n in range(8):
        claim = await kept.begin(owner="o", given=str(n), request=b"r")
        assert isinstance(claim, Claim)
        await kept.keep(claim, Kept(status=200, body={"n": n}))
        await redis_client.zincrby(keys.API_ANSWERS, -100 + n, claim.key)

    names = [name async for name in redis_client.scan_iter(match=keys.api_answer("*"))]
    assert 3 == len(names) == await redis_client.zcard(keys.API_ANSWERS)
    assert isinstance(await kept.begin(owner="o", given="7", request=b"r"), Kept)
    assert isinstance(await kept.begin(owner="o", given="0", request=b"r"), Claim)
    for name in (*names, keys.API_ANSWERS.encode()):
        assert 0 < await redis_client.ttl(name) <= answers.ANSWER_SECONDS
