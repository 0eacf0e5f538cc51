"""Every write on every state: what is done, what is refused and how (wire section 4.7)."""

from typing import Any

import pytest
import redis

from asynq_exporter.core import Broker, TaskState
from asynq_exporter.core.states import Operation
from tests.core.inspector.placing import GROUP, fill, place
from tests.core.queue_state import Q, everything, hash_of
from tests.web.api.conftest import Answer, Api

S = TaskState

#: Operation -> state -> code of the refusal; what is not here is done.
REFUSED: dict[str, dict[TaskState, str]] = {
    "retry": {S.ACTIVE: "task_active", S.PENDING: "already_pending"},
    "archive": {S.ACTIVE: "task_active", S.ARCHIVED: "already_archived"},
    "delete": {S.ACTIVE: "task_active"},
    "stop": {state: "task_not_active" for state in S if state is not S.ACTIVE},
}

#: Operation -> state afterwards; None for a task that is gone.
AFTER = {"retry": "pending", "archive": "archived", "delete": None, "stop": "active"}

#: What a batch may take its tasks from.
SOURCES = {
    "retry": {S.SCHEDULED, S.RETRY, S.ARCHIVED, S.AGGREGATING},
    "archive": {S.PENDING, S.SCHEDULED, S.RETRY, S.AGGREGATING},
    "delete": set(S) - {S.ACTIVE},
}

CASES = [(operation, state) for operation in REFUSED for state in S]
BATCHES = [(operation, state) for operation in SOURCES for state in S]


async def change(api: Api, operation: str, task_id: str = "1", **more: Any) -> Answer:
    """Asks for an operation on one task."""
    if operation == "delete":
        query = "".join(f"&{name}={value}" for name, value in more.items())
        return await api.ask("DELETE", f"/tasks/{task_id}?queue={Q}{query}")
    return await api.post(f"/tasks/{operation}", {"queue": Q, "task_id": task_id, **more})


def state_of(redis_sync: redis.Redis, task_id: str = "1") -> str | None:
    """The state in the hash; None without one."""
    word = hash_of(redis_sync, task_id).get("state")
    return None if word is None else word.decode()


@pytest.mark.parametrize(("operation", "state"), CASES, ids=str)
async def test_operation_on_state(
    api: Api, broker: Broker, redis_sync: redis.Redis, operation: str, state: TaskState
) -> None:
    """Done with the state before, or 409 with the state that forbids it, and then nothing has changed."""
    await place(broker, state)
    before = everything(redis_sync)

    answer = await change(api, operation)

    if code := REFUSED[operation].get(state):
        assert (409, code, state) == (answer.status, answer.code, answer.json["error"]["state"])
        assert before == everything(redis_sync)
        return
    assert 200 == answer.status
    assert (Q, "1") == (answer.data["queue"], answer.data["task_id"])
    assert answer.json["message"]
    if operation != "stop":
        assert state == answer.data["previous_state"]
    assert AFTER[operation] == state_of(redis_sync)


@pytest.mark.parametrize("operation", ["retry", "archive", "delete"])
async def test_only_in_another_state(
    api: Api, broker: Broker, redis_sync: redis.Redis, operation: str
) -> None:
    """The state that is asked for has to be the one it is in: guide section 2.6, DELETE with state."""
    await place(broker, S.SCHEDULED)
    before = everything(redis_sync)

    other = await change(api, operation, state="retry")
    assert (409, "wrong_state", "scheduled") == (other.status, other.code, other.json["error"]["state"])
    assert before == everything(redis_sync)

    assert 200 == (await change(api, operation, state="scheduled")).status


@pytest.mark.parametrize("operation", REFUSED)
async def test_what_is_not_there(api: Api, broker: Broker, operation: str) -> None:
    """An unknown task and an unknown queue are 404, each with a code of its own."""
    missing_queue = await change(api, operation)
    await place(broker, S.PENDING)
    missing_task = await change(api, operation, "nobody")

    assert (404, "queue_not_found") == (missing_queue.status, missing_queue.code)
    assert (404, "task_not_found") == (missing_task.status, missing_task.code)


async def test_ids_with_colons_and_slashes(api: Api, broker: Broker, redis_sync: redis.Redis) -> None:
    """The IDs of the guide are written as they are; a slash or a percent sign is encoded."""
    for task_id, written in (
        ("job:task_xxx:0", "job:task_xxx:0"),
        ("a/b%2F c", "a%2Fb%252F%20c"),
        ("retry", "retry"),
    ):
        await place(broker, S.SCHEDULED, task_id)
        shown = await api.get(f"/tasks/{written}?queue={Q}")
        deleted = await change(api, "delete", written)

        assert (200, task_id) == (shown.status, shown.data["id"])
        assert (200, task_id) == (deleted.status, deleted.data["task_id"])
        assert state_of(redis_sync, task_id) is None


async def test_unreadable_and_misplaced_tasks(api: Api, broker: Broker, redis_sync: redis.Redis) -> None:
    """What contradicts itself is shown as such, and refused rather than made worse."""
    await place(broker, S.PENDING)
    redis_sync.hset(f"asynq:{{{Q}}}:t:1", "state", "scheduled")

    misplaced = await change(api, "delete")
    assert (409, "task_misplaced") == (misplaced.status, misplaced.code)

    redis_sync.hset(f"asynq:{{{Q}}}:t:1", mapping={"state": "dancing", "msg": b"\xff"})
    shown = await api.get(f"/tasks/1?queue={Q}")
    unknown = await change(api, "retry")
    assert ("dancing", "unknown_state", None) == (
        shown.data["state"],
        shown.data["problem"],
        shown.data["type"],
    )
    assert (409, "unknown_state") == (unknown.status, unknown.code)


@pytest.mark.parametrize(("operation", "state"), BATCHES, ids=str)
async def test_batch_by_ids(
    api: Api, broker: Broker, redis_sync: redis.Redis, operation: str, state: TaskState
) -> None:
    """Each task is done or refused by itself; a dry run says the same and changes nothing."""
    await place(broker, state)
    before = everything(redis_sync)
    body = {"queue": Q, "task_ids": ["1", "nobody", "1"]}

    dry = await api.post(f"/tasks/{operation}/batch", {**body, "dry_run": True})
    assert before == everything(redis_sync)
    wet = await api.post(f"/tasks/{operation}/batch", body)

    code = REFUSED[operation].get(state)
    for answer in (dry, wet):
        assert (200, 2) == (answer.status, len(answer.data["results"]))
        first, second = answer.data["results"]
        assert (code is None, code, state) == (first["success"], first["code"], first["previous_state"])
        assert (False, "task_not_found", None) == (
            second["success"],
            second["code"],
            second["previous_state"],
        )
        assert int(code is None) == answer.data["done"]
    assert (state if code else AFTER[operation]) == state_of(redis_sync)


@pytest.mark.parametrize(("operation", "state"), BATCHES, ids=str)
async def test_batch_of_a_state(api: Api, redis_sync: redis.Redis, operation: str, state: TaskState) -> None:
    """Up to the limit from its beginning; a dry run counts; a state it is not made for is 422."""
    ids = fill(redis_sync, state, (f"t{n}" for n in range(5)))
    before = everything(redis_sync)
    group = {"group": GROUP} if state is S.AGGREGATING else {}
    body = {"queue": Q, "state": state, "limit": 3, **group}

    dry = await api.post(f"/tasks/{operation}/batch", {**body, "dry_run": True})
    assert before == everything(redis_sync)
    wet = await api.post(f"/tasks/{operation}/batch", body)

    if state not in SOURCES[operation]:
        assert (422, "invalid_argument", 422) == (dry.status, dry.code, wet.status)
        assert before == everything(redis_sync)
        return
    for answer in (dry, wet):
        assert (3, 2, 0) == (answer.data["done"], answer.data["remaining"], answer.data["refused"])
    assert set(ids[:3]) == {task_id for task_id in ids if state_of(redis_sync, task_id) != state}


def test_the_tables_agree_with_the_core() -> None:
    """This file says itself what is refused; the core must say the same."""
    from asynq_exporter.core.inspector import REFUSALS

    names = {"retry": Operation.RUN, "archive": Operation.ARCHIVE, "delete": Operation.DELETE}
    for word, operation in names.items():
        assert {state: kind.code for state, (kind, _) in REFUSALS[operation].items()} == REFUSED[word]
