"""Who is let in: tokens, roles, limits, other sites, writes switched off; the log and the metrics of it."""

import hashlib
import hmac
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from asynq_exporter.core import Broker, TaskState
from asynq_exporter.settings import SettingsError
from asynq_exporter.web.api import attempts, tokens
from asynq_exporter.web.api.attempts import Attempts, client_of
from asynq_exporter.web.api.endpoint import Endpoint
from asynq_exporter.web.api.endpoints import ENDPOINTS
from asynq_exporter.web.api.fields import example_values
from asynq_exporter.web.api.roles import Role
from asynq_exporter.web.api.tokens import Tokens, digest_of
from tests.conftest import RedisServer
from tests.core.inspector.placing import place
from tests.core.queue_state import Q
from tests.web.api.conftest import TOKENS, Answer, Api, ServeApi
from tests.web.conftest import Serve

ROLES = tuple(TOKENS)
EVERY = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
WRITES = tuple(endpoint for endpoint in ENDPOINTS if endpoint.is_write)


async def example(api: Api, endpoint: Endpoint, **options: Any) -> Answer:
    """The request that the documentation shows for an endpoint."""
    values = example_values(endpoint)
    path = endpoint.path.replace("{task_id}", "job:task_xxx:0")
    if endpoint.has_body:
        return await api.ask(endpoint.method, path, body=values, **options)
    query = "&".join(f"{name}={value}" for name, value in values.items() if name not in endpoint.path_names)
    return await api.ask(endpoint.method, f"{path}?{query}", **options)


@pytest.fixture
def audit(caplog: pytest.LogCaptureFixture) -> Iterator[list[logging.LogRecord]]:
    """The audit lines."""
    caplog.set_level(logging.INFO)
    lines: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record)

    logger, keep = logging.getLogger("asynq_exporter.web.api.audit"), Keep()
    logger.addHandler(keep)
    yield lines
    logger.removeHandler(keep)


@EVERY
async def test_role_of_every_endpoint(api: Api, endpoint: Endpoint) -> None:
    """Nobody without a token, nobody with a wrong one, and each role as far as it reaches."""
    nobody = await example(api, endpoint, role="")
    wrong = await example(api, endpoint, role="", Authorization="Bearer wrong-token-0123456789")
    basic = await example(api, endpoint, role="", Authorization="Basic " + TOKENS["admin"])

    assert (401, "missing_token") == (nobody.status, nobody.code)
    assert (401, "invalid_token") == (wrong.status, wrong.code)
    assert (401, "missing_token") == (basic.status, basic.code)
    assert "Bearer" in nobody.headers["WWW-Authenticate"]
    for role in ROLES:
        answer = await example(api, endpoint, role=role)
        if Role(role).may(endpoint.role):
            assert answer.status not in {401, 403, 500}, answer.text
        else:
            assert (403, "role_too_low") == (answer.status, answer.code)


@EVERY
async def test_read_only(
    redis_server: RedisServer, redis_sync: redis.Redis, serve_api: ServeApi, endpoint: Endpoint
) -> None:
    """ASYNQ_READONLY refuses every write, an admin's too, and no read."""
    async with serve_api(redis_server, api_read__only="true") as api:
        answer = await example(api, endpoint)

    if endpoint.is_write:
        assert (403, "read_only") == (answer.status, answer.code)
    else:
        assert 403 != answer.status


async def test_reads_are_viewers_and_money_is_the_admins() -> None:
    """The table of roles, in words."""
    roles = {endpoint.name: endpoint.role for endpoint in ENDPOINTS}

    assert {Role.VIEWER} == {endpoint.role for endpoint in ENDPOINTS if not endpoint.is_write}
    assert {Role.OPERATOR, Role.ADMIN} == {endpoint.role for endpoint in WRITES}
    assert {"cancel", "cancel_batch"} == {name for name, role in roles.items() if role is Role.ADMIN}


async def test_off_without_a_token_file(redis_server: RedisServer, serve: Serve) -> None:
    """Nothing below /api/ answers, and it says how to turn it on; the metrics do not mention it."""
    async with serve(redis_server) as site:
        answers = [
            await site.get(path) for path in ("/api/v1/", "/api/v1/queue/stats", "/api/v1/openapi.json")
        ]
        metrics = await site.get("/metrics")
        home = await site.get("/")

    for answer in answers:
        assert 404 == answer.status
        assert "ASYNQ_ADMIN_TOKEN_FILE" in answer.text
    assert "asynq_api_" not in metrics.text
    assert "/api/v1/" not in home.text


async def test_file_is_read_anew(api: Api) -> None:
    """A new token works at once, one that was taken away does not, and a broken file lets nobody in."""

    def rewrite(text: str) -> None:
        api.token_file.write_text(text)
        later = api.token_file.stat().st_mtime_ns + 10**9
        os.utime(api.token_file, ns=(later, later))

    async def status(token: str) -> int:
        return (await api.get("/stats", role="", Authorization=f"Bearer {token}")).status

    fresh = "fresh-token-0123456789"
    rewrite(fresh + "\n")
    assert (200, 401) == (await status(fresh), await status(TOKENS["admin"]))
    rewrite("nonsense:x\n")
    assert 401 == await status(fresh)
    rewrite("viewer:sha256:" + hashlib.sha256(fresh.encode()).hexdigest())
    assert 200 == await status(fresh)
    api.token_file.unlink()
    assert 401 == await status(fresh)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("0123456789abcdef", [("admin#1", "admin")]),
        ("# tokens\n\nviewer:0123456789abcdef\n", [("viewer#3", "viewer")]),
        ("operator:anna:0123456789abcdef", [("anna", "operator")]),
        ("sha256:" + "a" * 64, [("admin#1", "admin")]),
        ("viewer:grafana:sha256:" + "a" * 64, [("grafana", "viewer")]),
        ("\ufeffadmin:0123456789abcdef\r\n", [("admin#1", "admin")]),
    ],
)
def test_token_file(tmp_path: Path, text: str, named: list[tuple[str, str]]) -> None:
    """Every form of a line."""
    path = tmp_path / "tokens"
    path.write_text(text)

    assert named == [(caller.name, caller.role.value) for caller in tokens.load(path)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no token"),
        ("# only a comment", "no token"),
        ("short", ":1: a token has 16"),
        ("admin:with blank 0123456789", ":1: a token has 16"),
        ("root:0123456789abcdef", ":1: begins with no role"),
        ("viewer:bad name:0123456789abcdef", ":1: the name"),
        ("viewer:sha256:abc", ":1: behind sha256:"),
        ("0123456789abcdef\nviewer:0123456789abcdef", "same token twice"),
        ("viewer:a:0123456789abcdef\nadmin:a:0123456789abcdeg", "same name twice"),
        ("x" * 70_000, "larger than 64 KiB"),
    ],
)
def test_token_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """With the line and the remedy, and without the token."""
    path = tmp_path / "tokens"
    path.write_text(text)

    with pytest.raises(SettingsError, match=words) as caught:
        tokens.load(path)

    assert "0123456789" not in str(caught.value)


def test_every_token_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many comparisons whichever token matches, or none does, each in constant time."""
    path = tmp_path / "tokens"
    path.write_text("viewer:0123456789abcdef\nadmin:fedcba9876543210\n")
    known, compared = Tokens(path), []
    compare = hmac.compare_digest

    def spy(a: bytes, b: bytes) -> bool:
        compared.append(a)
        return compare(a, b)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    counts = []
    for token in ("0123456789abcdef", "fedcba9876543210", "neither"):
        compared.clear()
        known.find(digest_of(token))
        counts.append(len(compared))

    assert [2, 2, 2] == counts
    assert "0123" not in repr(known.find(digest_of("0123456789abcdef")))


async def test_guessing_is_limited(api: Api) -> None:
    """After ten wrong tokens even a right one is not looked at, unless it was right from there before."""
    assert 200 == (await api.get("/stats", role="viewer")).status
    for n in range(attempts.CLIENT_FAILURES):
        wrong = await api.get("/stats", role="", Authorization=f"Bearer guess-{n}")
        assert 401 == wrong.status

    limited = await api.get("/stats", role="admin")
    known = await api.get("/stats", role="viewer")

    assert (429, "too_many_attempts") == (limited.status, limited.code)
    assert 1 <= int(limited.headers["Retry-After"]) <= attempts.CLIENT_REFILL_SECONDS
    assert 200 == known.status


def test_limits_refill_and_memory_is_bounded() -> None:
    """Another guess after a while; a flood from everywhere is limited as a whole and forgotten in the end."""
    now = 0.0
    guard = Attempts(lambda: now)
    for _ in range(attempts.CLIENT_FAILURES):
        assert guard.retry_after_seconds("a", b"x") is None
        guard.failed("a")
    assert 6 == guard.retry_after_seconds("a", b"x")
    assert guard.retry_after_seconds("b", b"x") is None
    now += attempts.CLIENT_REFILL_SECONDS
    assert guard.retry_after_seconds("a", b"x") is None

    guard.succeeded("friend", b"right")
    for n in range(attempts.MAX_CLIENTS + 100):
        guard.failed(str(n))
        guard.succeeded(str(n), b"y")
    assert guard.retry_after_seconds("new", b"x") == 1
    assert attempts.MAX_CLIENTS == len(guard._clients)
    assert attempts.MAX_KNOWN == len(guard._known)


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "unknown"),
    ],
)
def test_client(address: str | None, client: str) -> None:
    """An IPv6 customer has a whole network to guess from."""
    assert client == client_of(address)


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Sec_Fetch_Site": "same-origin"}, True),
        ({"Sec_Fetch_Site": "none"}, True),
        ({"Sec_Fetch_Site": "cross-site"}, False),
        ({"Sec_Fetch_Site": "same-site"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://[broken"}, False),
    ],
)
async def test_other_sites_do_not_write(api: Api, headers: dict[str, str], allowed: bool) -> None:
    """A browser says whose page asks; it gets no header that would let a page of another site read."""
    write = await api.post("/pause", {"queue": "default"}, **headers)
    own = await api.post("/unpause", {"queue": "default"}, Origin=api.base)
    read = await api.get("/stats", **headers)
    preflight = await api.ask("OPTIONS", "/pause", role="", Origin="https://evil.example")

    assert (200 if allowed else 403) == write.status
    assert (200 if allowed else 409) == own.status
    assert 405 == preflight.status
    for answer in (write, own, read, preflight):
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        assert "no-store" == answer.headers["Cache-Control"]


async def test_each_write_is_told(api: Api, broker: Broker, audit: list[logging.LogRecord]) -> None:
    """One line: who, what, which task, result; also for a refusal; never a token, never a payload."""
    await place(broker, TaskState.RETRY, payload=b"top-secret")
    await api.get("/tasks?queue=default&state=retry")
    await api.post("/tasks/retry", {"queue": Q, "task_id": "1"}, role="operator")
    await api.post("/tasks/retry", {"queue": Q, "task_id": "1"}, role="operator")
    await api.post("/tasks/retry", {"queue": Q, "task_id": "1"}, role="viewer")
    await api.ask("POST", "/tasks/retry", data=b"{", role="admin")
    await api.post("/tasks/retry", {"queue": Q, "task_id": "1"}, role="")
    await api.post("/tasks/delete/batch", {"queue": Q, "task_ids": ["1", "2"], "dry_run": True})

    told = [
        tuple(getattr(line, name, None) for name in ("who", "action", "queue", "task_id", "result", "status"))
        for line in audit
    ]
    assert [
        ("operator", "retry", Q, "1", "done", 200),
        ("operator", "retry", Q, "1", "refused", 409),
        ("viewer", "retry", None, None, "refused", 403),
        ("admin", "retry", None, None, "refused", 400),
        ("admin", "delete_batch", Q, None, "done", 200),
    ] == told
    assert ("1 2", True, 1, 1) == tuple(
        getattr(audit[-1], name) for name in ("task_ids", "dry_run", "done", "refused")
    )
    text = "".join(str(vars(line)) for line in audit)
    assert not [secret for secret in (*TOKENS.values(), "top-secret") if secret in text]


async def test_requests_and_writes_are_counted(api: Api, broker: Broker) -> None:
    """By endpoint and status; paths and methods that strangers make up share one series."""
    await place(broker, TaskState.RETRY)
    await api.get("/stats")
    await api.post("/tasks/retry", {"queue": Q, "task_id": "1"})
    await api.post("/tasks/retry", {"queue": Q, "task_id": "1"})
    await api.post("/tasks/retry/batch", {"queue": Q, "state": "retry", "dry_run": True})
    await api.get("/no/such/path")
    await api.ask("PATCH", "/other")
    text = (await api.get("/metrics", prefix="")).text

    for line in (
        'asynq_api_requests_total{code="200",endpoint="stats",method="GET"} 1.0',
        'asynq_api_requests_total{code="409",endpoint="retry",method="POST"} 1.0',
        'asynq_api_requests_total{code="404",endpoint="unknown",method="GET"} 1.0',
        'asynq_api_requests_total{code="404",endpoint="unknown",method="other"} 1.0',
        'asynq_api_writes_total{action="retry",result="done"} 1.0',
        'asynq_api_writes_total{action="retry",result="refused"} 1.0',
    ):
        assert line in text
    assert "retry_batch" not in text.partition("asynq_api_writes_total")[2]
