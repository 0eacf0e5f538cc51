"""Input that somebody made up: refused with 4xx and one shape, and the server goes on."""

import asyncio
import gzip
import json
import urllib.parse
from typing import Any

import pytest
import redis

from asynq_exporter.core import keys
from asynq_exporter.web.api import body
from tests.conftest import RedisServer
from tests.core.queue_state import everything
from tests.web.api.conftest import TOKENS, Api

NAMES = {
    "huge": "x" * 100_000,
    "long": "x" * 1025,
    "blank": "  \t ",
    "controls": "a\x00b\r\nc\x1b[31m",
    "sql": "1'; DROP TABLE tasks; --",
    "lua": "'] redis.call('FLUSHALL') --[[",
    "path": "../../etc/passwd",
    "dots": "..",
    "braces": "{x}:{y}",
    "glob": "*",
    "format": "%s%n{0.__class__}",
    "right to left": "\u202etxt.exe",
    "beyond the plane": "\U0010ffff",
}

BODIES: dict[str, bytes] = {
    "nothing": b"",
    "half": b'{"queue":',
    "list": b"[]",
    "number": b"1",
    "null": b"null",
    "text": b'"text"',
    "not UTF-8": b'{"queue":"\xff","task_id":"1"}',
    "surrogate": b'{"queue":"\\ud800","task_id":"1"}',
    "deep": b"[" * 100_000,
    "number for text": b'{"queue":1,"task_id":2}',
    "null for text": b'{"queue":null,"task_id":"1"}',
    "unknown field": b'{"queue":"q","task_id":"1","quue":"q"}',
    "missing": b'{"queue":"q"}',
    "unknown state": b'{"queue":"q","task_id":"1","state":"dancing"}',
    "huge number": b'{"queue":"q","state":"retry","limit":' + b"9" * 5000 + b"}",
}

QUERIES = {
    "page 0": "/tasks?page=0",
    "page -1": "/tasks?page=-1",
    "page text": "/tasks?page=one",
    "page huge": "/tasks?page=" + "9" * 400,
    "size 101": "/tasks?size=101",
    "size 0": "/tasks?size=0",
    "size none": "/tasks?size=",
    "state": "/tasks?state=PENDING",
    "twice": "/tasks?page=1&page=2",
    "unknown": "/tasks?stat=retry",
    "no group": "/tasks?state=aggregating",
    "needless group": "/tasks?group=g",
    "raw bytes": "/tasks?queue=%ff%fe",
    "days": "/history?days=91",
    "cursor": "/search?cursor=nonsense",
    "cursor of bytes": "/search?cursor=%00",
    "budget": "/search?budget=1000000",
    "group cursor": "/groups?cursor=-1",
    "no ID": "/find",
    "empty queue": "/tasks?queue=",
    "null byte": "/tasks/%00?queue=q",
    "path in ID": "/tasks/..%2f..%2fmetrics?queue=q",
    "double slash": "//stats",
    "dots": "/../queue/tasks/x/y/z",
    "encoded prefix": "/%2e%2e/queue/nothing",
}

WRITES = ("/tasks/retry", "/tasks/archive", "/tasks/stop", "/tasks/cancel", "/tasks/delete/batch", "/pause")


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_names(api: Api, redis_sync: redis.Redis, name: str) -> None:
    """As queue, as ID, in the body, in the path: 404 or 422, and Redis is as it was."""
    redis_sync.sadd(keys.QUEUES, "default")
    before = everything(redis_sync)
    quoted = urllib.parse.quote(name, safe="") or "%20"
    # A longer line than aiohttp takes is refused before it reaches us.
    in_paths = (
        []
        if len(name) > 2000
        else [
            await api.ask("DELETE", f"/tasks/{quoted}?queue=default"),
            await api.get(f"/tasks/{quoted}?queue=default"),
            await api.get(f"/tasks?queue={quoted}"),
            await api.get(f"/tasks/1?queue={quoted}"),
            await api.get(f"/history?queue={quoted}"),
        ]
    )
    in_bodies = [
        await api.post("/tasks/retry", {"queue": name, "task_id": "1"}),
        await api.post("/tasks/retry", {"queue": "default", "task_id": name}),
        await api.post("/tasks/archive/batch", {"queue": name, "task_ids": ["1"]}),
        await api.post("/tasks/stop", {"queue": "default", "task_id": name}),
        await api.post("/tasks/cancel", {"task_id": name}),
        await api.post("/pause", {"queue": name}),
    ]

    for answer in in_paths + in_bodies:
        assert answer.status in {404, 422, 501}, answer.text[:300]
        assert answer.code
    assert before == everything(redis_sync)


@pytest.mark.parametrize("data", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("path", WRITES)
async def test_bodies(api: Api, path: str, data: bytes) -> None:
    """400 for what is no JSON, 422 for what is the wrong JSON, 404 for what is right and not there."""
    answer = await api.ask("POST", path, data=data)

    assert answer.status in {400, 404, 422, 501}, answer.text[:300]
    assert answer.code


@pytest.mark.parametrize("path", QUERIES.values(), ids=QUERIES)
async def test_queries(api: Api, path: str) -> None:
    """A parameter that is wrong is named; nothing is guessed."""
    answer = await api.get(path)

    assert answer.status in {404, 422}, answer.text[:300]
    assert answer.code


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
async def test_forms_are_no_json(api: Api, kind: str) -> None:
    """What a form of another site can send is not read."""
    answer = await api.ask("POST", "/pause", data=b'{"queue":"default"}', Content_Type=kind)

    assert (415, "unsupported_media_type") == (answer.status, answer.code)


async def test_long_bodies(api: Api) -> None:
    """Refused by the length that is announced, by the length that comes, and when it unfolds."""
    announced = await api.ask("POST", "/pause", data=b" " * (body.MAX_BODY_BYTES + 1))

    async def chunks() -> Any:
        for _ in range(body.MAX_BODY_BYTES // 1000 + 2):
            yield b" " * 1000

    headers = {"Authorization": f"Bearer {TOKENS['admin']}", "Content-Type": "application/json"}
    async with api.session.post(api.base + "/api/v1/queue/pause", data=chunks(), headers=headers) as response:
        streamed = response.status
    bomb = gzip.compress(b" " * (64 << 20))
    unfolded = await api.ask("POST", "/pause", data=bomb, Content_Encoding="gzip")

    assert (413, "body_too_long") == (announced.status, announced.code)
    assert 413 == streamed
    assert unfolded.status in {400, 413}
    assert 200 == (await api.get("/stats")).status


async def test_slow_body(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that drips is given up, and its connection closed."""
    monkeypatch.setattr(body, "BODY_SECONDS", 0.3)
    host, port = api.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /api/v1/queue/pause HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer " + TOKENS["admin"].encode() + b"\r\nContent-Length: 100\r\n\r\n{"
    )
    answer = (await asyncio.wait_for(reader.read(), 30)).decode()
    writer.close()

    assert answer.startswith("HTTP/1.1 408")
    assert "body_timeout" == json.loads(answer.partition("\r\n\r\n")[2])["error"]["code"]


async def test_what_is_no_http(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """A broken header is 400, and neither it nor the token in it is logged."""
    host, port = api.base.removeprefix("http://").split(":")
    for line in (b"=Authorization: Bearer " + TOKENS["admin"].encode(), b"A" * 100_000 + b": x"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /api/v1/queue/stats HTTP/1.1\r\nHost: x\r\n" + line + b"\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        assert b" 400 " in answer.splitlines()[0]

    # The records of these tests are not written yet, which is told meanwhile.
    assert {"asynq_exporter.scan.background.records"} >= {record.name for record in caplog.records}


async def test_a_token_that_is_none(api: Api) -> None:
    """Whatever stands in the header, it is a wrong token and not an error."""
    for token in ("\u00ff\u00fe", "a" * 5000, "%00", "' OR 1=1"):
        answer = await api.get("/stats", role="", Authorization=f"Bearer {token}")
        assert 401 == answer.status


async def test_the_log_is_not_forged(
    api: Api, redis_sync: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line break in an ID does not begin a line of its own."""
    from asynq_exporter import logs

    logs.configure(level="info", form="logfmt")
    redis_sync.sadd(keys.QUEUES, "default")
    await api.post("/tasks/retry", {"queue": "default", "task_id": "x\nts=1 event=forged"})

    lines = capsys.readouterr().err.splitlines()
    assert not [line for line in lines if line.startswith("ts=1")]
    assert [line for line in lines if "forged" in line]


async def test_an_unforeseen_error_has_the_shape(
    api: Api, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even then: 500, one shape, nothing of the inside."""
    from asynq_exporter.core.inspector import Inspector

    async def fail(*_args: Any, **_options: Any) -> None:
        raise ZeroDivisionError("the inside")

    monkeypatch.setattr(Inspector, "servers", fail)
    answer = await api.get("/servers")

    assert (500, "internal") == (answer.status, answer.code)
    assert "inside" not in answer.text
