"""What the reads show: the guide's numbers, pages, searches, payloads only for who may see them."""

import base64
import json
from typing import Any

import pytest
import redis

from asynq_exporter.core import Broker, TaskState, keys, messages
from asynq_exporter.core.inspector import InspectedTask
from asynq_exporter.web.api import views
from tests.conftest import RedisServer
from tests.core.inspector.placing import GROUP, fill, place
from tests.core.queue_state import Q
from tests.web.api.conftest import Api, ServeApi

S = TaskState


async def test_stats_are_the_guides_numbers(api: Api, redis_sync: redis.Redis) -> None:
    """Guide section 2.6: seven fields, archived tasks not in the size; documented queues from the start."""
    redis_sync.sadd(keys.QUEUES, "scheduled")
    for state, count in ((S.PENDING, 100), (S.ACTIVE, 10)):
        redis_sync.lpush(f"asynq:{{scheduled}}:{state}", *range(count))
    for state, count in ((S.SCHEDULED, 35), (S.RETRY, 5), (S.ARCHIVED, 3)):
        redis_sync.zadd(f"asynq:{{scheduled}}:{state}", {str(n): 4e9 for n in range(count)})

    data = (await api.get("/stats", role="viewer")).data

    assert {
        "queue": "scheduled",
        "size": 150,
        "pending": 100,
        "active": 10,
        "scheduled": 35,
        "retry": 5,
        "archived": 3,
    } == data["scheduled"]
    assert {"critical", "high", "default", "scheduled", "low", "dead_letter"} == set(data)
    assert 0 == data["low"]["size"]


async def test_health_and_overview(api: Api, redis_sync: redis.Redis) -> None:
    """Utilisation of the fullest queue; no worker is not healthy; sums over the queues."""
    redis_sync.sadd(keys.QUEUES, "default")
    redis_sync.lpush(keys.pending("critical"), *range(70))
    capacity = next(q for q in (await api.get("/overview")).data["queues"] if q["queue"] == "critical")[
        "capacity"
    ]
    health = (await api.get("/health")).data
    overview = (await api.get("/overview")).data

    assert {
        "healthy": False,
        "redis_connected": True,
        "queue_utilization": 70 / capacity,
        "worker_active_count": 0,
        "processor_count": 0,
        "backpressure_state": "NORMAL",
    } == health
    assert health == overview["health"]
    assert (6, 70, 0) == tuple(overview["totals"][name] for name in ("queues", "size", "workers"))
    assert "critical" == max(overview["queues"], key=lambda queue: queue["size"])["queue"]


async def test_redis_away(own_redis: RedisServer, serve_api: ServeApi) -> None:
    """The health still answers, with null for what is not known; all else is 503 with a Retry-After."""
    async with serve_api(own_redis) as api:
        own_redis.kill()
        health = await api.get("/health")
        others = [await api.get(path) for path in ("/stats", "/overview", "/tasks", "/servers", "/redis")]
        write = await api.post("/tasks/retry", {"queue": "q", "task_id": "1"}, Idempotency_Key="k")
        own_redis.start_again()
        again = await api.post("/tasks/retry", {"queue": "q", "task_id": "1"}, Idempotency_Key="k")

    assert 200 == health.status
    assert {"healthy": False, "redis_connected": False, "queue_utilization": None} == {
        name: health.data[name] for name in ("healthy", "redis_connected", "queue_utilization")
    }
    for answer in (*others, write):
        assert (503, "unavailable") == (answer.status, answer.code)
        assert int(answer.headers["Retry-After"]) > 0
    assert 404 == again.status


@pytest.mark.parametrize("state", S)
async def test_pages(api: Api, redis_sync: redis.Redis, state: TaskState) -> None:
    """Every state, in the core's order, page by page; a page beyond the end is empty."""
    ids = fill(redis_sync, state, (f"t{n}" for n in range(5)))
    group = f"&group={GROUP}" if state is S.AGGREGATING else ""

    pages = [
        (await api.get(f"/tasks?queue={Q}&state={state}&page={page}&size=2{group}")).data
        for page in (1, 2, 3, 4)
    ]

    assert ids == [task["id"] for page in pages for task in page["tasks"]]
    assert [5] * 4 == [page["total"] for page in pages]
    assert {state} == {task["state"] for page in pages for task in page["tasks"]}


async def test_defaults_of_the_list(api: Api, broker: Broker) -> None:
    """Guide section 2.6: queue scheduled, state pending, page 1, size 20; and it need not be used yet."""
    empty = (await api.get("/tasks")).data
    assert [] == (await api.get("/search")).data["tasks"]
    assert [] == (await api.get("/history")).data["days"]
    await place(broker, S.PENDING, queue="scheduled")
    one = (await api.get("/tasks")).data

    named = ("queue", "state", "page", "size", "total")
    assert ("scheduled", "pending", 1, 20, 0) == tuple(empty[name] for name in named)
    assert ("scheduled", "pending", 1, 20, 1) == tuple(one[name] for name in named)


async def test_a_task_has_the_guides_fields(api: Api, broker: Broker) -> None:
    """Guide section 2.3: ID, type, queue, state, retried, max retry, next process at, payload, last error."""
    await place(broker, S.RETRY, "job:task_abc123:0", payload=b'{"user":1}')

    task = (await api.get(f"/tasks/job:task_abc123:0?queue={Q}")).data

    assert {
        "id": "job:task_abc123:0",
        "type": "t",
        "queue": Q,
        "state": "retry",
        "retried": 1,
        "max_retry": 25,
        "next_process_at": "2100-01-01T00:01:00Z",
        "last_error": "boom",
        "payload": {"encoding": "utf-8", "data": '{"user":1}', "cut": False},
    }.items() <= task.items()


@pytest.mark.parametrize(
    ("lowest", "shown"),
    [
        ("viewer", {"viewer", "operator", "admin"}),
        ("operator", {"operator", "admin"}),
        ("admin", {"admin"}),
        ("nobody", set()),
    ],
)
async def test_payloads_by_role(
    redis_server: RedisServer,
    broker: Broker,
    redis_sync: redis.Redis,
    serve_api: ServeApi,
    lowest: str,
    shown: set[str],
) -> None:
    """From the configured role on; below it not a byte of payload, result or header, but their lengths."""
    await place(broker, S.RETRY, payload=b"top-secret", headers={"k": "top-secret"})
    redis_sync.hset(keys.task(Q, "1"), "result", b"top-secret")
    async with serve_api(redis_server, api_payloads=lowest) as api:
        for role in ("viewer", "operator", "admin"):
            for path in (
                f"/tasks/1?queue={Q}",
                f"/tasks?queue={Q}&state=retry",
                f"/search?queue={Q}&state=retry",
                "/find?task_id=1",
            ):
                answer = await api.get(path, role=role)
                task = answer.data.get("tasks", [answer.data])[0]
                assert (10, 10) == (task["payload_bytes"], task["result_bytes"])
                assert (3 if role in shown else 0) == answer.text.count("top-secret")
                assert (role in shown) == (task["payload"] is not None)


async def test_long_payloads_are_cut(api: Api, broker: Broker) -> None:
    """1 KiB in a list and 64 KiB of a task unless asked for more; characters stay whole; bytes are base64."""
    text = "任" * 100_000
    await place(broker, S.SCHEDULED, payload=text.encode())
    await place(broker, S.SCHEDULED, "2", payload=b"\xff" * 10)

    listed, raw = (await api.get(f"/tasks?queue={Q}&state=scheduled")).data["tasks"]
    one = (await api.get(f"/tasks/1?queue={Q}")).data
    whole = (await api.get(f"/tasks/1?queue={Q}&payload_limit=1000000")).data
    none = (await api.get(f"/tasks/1?queue={Q}&payload_limit=0")).data

    assert [("任" * 341, True), ("任" * 21_845, True), (text, False), ("", True)] == [
        (task["payload"]["data"], task["payload"]["cut"]) for task in (listed, one, whole, none)
    ]
    assert 300_000 == listed["payload_bytes"]
    assert {"encoding": "base64", "data": base64.b64encode(b"\xff" * 10).decode(), "cut": False} == raw[
        "payload"
    ]


async def test_find_and_search(api: Api, broker: Broker, redis_sync: redis.Redis) -> None:
    """An ID in every queue that has it; type and error in bounded stretches until the cursor ends."""
    await place(broker, S.PENDING, "same", queue="a")
    await place(broker, S.PENDING, "same", queue="b")
    fill(redis_sync, S.RETRY, (f"t{n}" for n in range(30)))
    for n in (3, 17, 29):
        message = messages.make_task("mail:send", task_id=f"t{n}", queue=Q)
        message.error_msg = "Timeout"
        redis_sync.hset(keys.task(Q, f"t{n}"), "msg", messages.encode(message))

    found = (await api.get("/find?task_id=same")).data["tasks"]
    ids: list[str] = []
    cursor, looks = "", 0
    while True:
        query = f"/search?queue={Q}&state=retry&type=mail:*&error=TIMEOUT&budget=7{cursor}"
        page = (await api.get(query)).data
        ids, looks = ids + [task["id"] for task in page["tasks"]], looks + page["scanned"]
        assert page["scanned"] <= 7
        if page["cursor"] is None:
            break
        cursor = f"&cursor={page['cursor']}"

    assert [("same", "a"), ("same", "b")] == [(task["id"], task["queue"]) for task in found]
    assert (["t3", "t17", "t29"], 30, 30) == (ids, looks, page["total"])


async def test_batch_by_type_and_error(api: Api, redis_sync: redis.Redis) -> None:
    """Only what matches, up to the limit, going on with the cursor; a dry run names the same tasks."""
    fill(redis_sync, S.ARCHIVED, (f"t{n}" for n in range(9)))
    for n in (1, 4, 7):
        message = messages.make_task("t", task_id=f"t{n}", queue=Q)
        message.error_msg = "dial tcp: timeout"
        redis_sync.hset(keys.task(Q, f"t{n}"), "msg", messages.encode(message))
    body: dict[str, Any] = {"queue": Q, "state": "archived", "error": "timeout", "limit": 2}

    dry = (await api.post("/tasks/retry/batch", {**body, "dry_run": True})).data
    onward = {**body, "dry_run": True, "cursor": dry["cursor"]}
    further = (await api.post("/tasks/retry/batch", onward)).data
    first = (await api.post("/tasks/retry/batch", body)).data
    rest = (await api.post("/tasks/retry/batch", {**body, "cursor": first["cursor"]})).data

    def ids(data: Any) -> list[str]:
        return [one["task_id"] for one in data["results"]]

    assert ["t1", "t4"] == ids(dry) == ids(first)
    assert (["t7"], None) == (ids(rest), rest["cursor"]) == (ids(further), further["cursor"])
    assert (9, 7, 6) == (dry["remaining"], first["remaining"], rest["remaining"])
    assert 3 == redis_sync.llen(keys.pending(Q))


async def test_history_groups_pause_and_redis(api: Api, broker: Broker, redis_sync: redis.Redis) -> None:
    """Days with today first; groups with sizes; a queue paused and resumed, each once; Redis itself."""
    await place(broker, S.AGGREGATING)
    days = (await api.get(f"/history?queue={Q}&days=3")).data["days"]
    groups = (await api.get(f"/groups?queue={Q}")).data

    assert 3 == len(days)
    assert days[0]["date"] > days[1]["date"] > days[2]["date"]
    assert ([{"name": GROUP, "size": 1}], None) == (groups["groups"], groups["cursor"])

    first, second = [await api.post("/pause", {"queue": Q}) for _ in range(2)]
    assert (200, True, 409) == (first.status, first.data["paused"], second.status)
    assert 1 == redis_sync.exists(keys.paused(Q))
    first, second = [await api.post("/unpause", {"queue": Q}) for _ in range(2)]
    assert (200, False, 409) == (first.status, first.data["paused"], second.status)
    assert (404, "queue_not_found") == (
        (answer := await api.post("/pause", {"queue": "defualt"})).status,
        answer.code,
    )

    info = (await api.get("/redis")).data
    assert redis_sync.info()["redis_version"] == info["version"]
    assert info["memory_used_bytes"] > 0


async def test_a_bad_key_is_an_error_of_its_own(api: Api, redis_sync: redis.Redis) -> None:
    """A key of the wrong type fails the request that needs it, clearly, and nothing else."""
    redis_sync.sadd(keys.QUEUES, Q)
    redis_sync.set(keys.retry(Q), "not a sorted set")

    bad = await api.get(f"/tasks?queue={Q}&state=retry")
    good = await api.get(f"/tasks?queue={Q}&state=pending")

    assert (500, "internal") == (bad.status, bad.code)
    assert "WRONGTYPE" in bad.json["message"]
    assert 200 == good.status


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, None),
        (0, "1970-01-01T00:00:00Z"),
        (1_769_077_800, "2026-01-22T10:30:00Z"),
        (1.5, "1970-01-01T00:00:01.500Z"),
        (-1, None),
        (1e300, None),
        (float("nan"), None),
        (float("inf"), None),
    ],
)
def test_moments(seconds: float | None, text: str | None) -> None:
    """As in the guide; what is no date is none."""
    assert text == views.moment(seconds)


def test_every_field_of_a_task_is_shown() -> None:
    """What the Inspector tells of a task has a place in the answer, or is left out knowingly."""
    from asynq_exporter.core.messages import TaskInfo
    from asynq_exporter.web.api.models.tasks import TaskView

    told = set(TaskInfo.__slots__) | set(InspectedTask.__slots__)
    left_out = {"info", "state_text", "message_bytes", "score"}
    assert told - left_out <= set(TaskView.model_fields)
    assert json.dumps(TaskView.model_json_schema())
