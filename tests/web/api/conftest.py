"""The API on a real socket and a real Redis, with a token for each role."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest
import redis
from aiohttp import ClientSession, web
from yarl import URL

from asynq_exporter import connect
from asynq_exporter.core import Broker, FixedClock, catalog
from asynq_exporter.settings import resolve
from asynq_exporter.web import server
from asynq_exporter.web.api.paths import PREFIX
from asynq_exporter.web.app import create_app
from tests.conftest import RedisServer, free_port

TOKENS = {
    "viewer": "viewer-token-0123456789",
    "operator": "operator-token-0123456789",
    "admin": "admin-token-0123456789",
}

TOKEN_FILE = "".join(f"{role}:{role}:{token}\n" for role, token in TOKENS.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response, read."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.text)

    @property
    def data(self) -> Any:
        """What was asked for."""
        assert self.json["success"], self.text
        return self.json["data"]

    @property
    def code(self) -> str:
        """Why not."""
        assert not self.json["success"], self.text
        assert self.json["message"]
        return str(self.json["error"]["code"])


@dataclass
class Api:
    """A served API and a client for it."""

    base: str
    session: ClientSession
    token_file: Path
    app: web.Application
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        role: str = "admin",
        body: Any = None,
        data: bytes | None = None,
        prefix: str = PREFIX,
        **headers: str,
    ) -> Answer:
        """A request as it is written: nothing is encoded anew; header names are written with underscores."""
        named = {"Authorization": f"Bearer {TOKENS[role]}"} if role else {}
        if body is not None or data is not None:
            named["Content-Type"] = "application/json"
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        raw = json.dumps(body).encode() if body is not None else data
        url = URL(self.base + prefix + path, encoded=True)
        async with self.session.request(method, url, data=raw, headers=named) as response:
            return Answer(status=response.status, headers=dict(response.headers), text=await response.text())

    async def get(self, path: str, **options: Any) -> Answer:
        """A read."""
        return await self.ask("GET", path, **options)

    async def post(self, path: str, body: Any, **options: Any) -> Answer:
        """A write."""
        return await self.ask("POST", path, body=body, **options)


class HasUrl(Protocol):
    """A Redis, of whatever kind."""

    @property
    def url(self) -> str:
        """Its URL."""
        ...


class ServeApi(Protocol):
    """Serves a Redis with the API on."""

    def __call__(self, redis: HasUrl, **flags: str) -> AbstractAsyncContextManager[Api]:
        """A running application; flags are written with underscores for dots, two for dashes."""
        ...


@pytest.fixture
def serve_api(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[Api]]:
    """Serves with a token for each role, changed by flags such as `api_read__only="true"`."""

    @asynccontextmanager
    async def serving(redis: HasUrl, **flags: str) -> AsyncIterator[Api]:
        token_file = tmp_path / "tokens"
        token_file.write_text(TOKEN_FILE)
        port = free_port()
        given = {
            "web.listen-address": [f"127.0.0.1:{port}"],
            "redis.url": [redis.url],
            "api.token-file": [str(token_file)],
            "records.database-url": [f"sqlite:///{tmp_path / 'records.db'}"],
        }
        given |= {name.replace("__", "-").replace("_", "."): [text] for name, text in flags.items()}
        settings = resolve(flags=given).settings
        app = create_app(
            settings,
            catalog.documented(),
            connect.make_redis(settings),
            api_client=connect.make_api_redis(settings),
        )
        runner = await server.start(app, settings)
        async with ClientSession() as session:
            try:
                yield Api(f"http://127.0.0.1:{port}", session, token_file, app)
            finally:
                await runner.cleanup()

    return serving


@pytest.fixture
async def api(redis_server: RedisServer, redis_sync: redis.Redis, serve_api: ServeApi) -> AsyncIterator[Api]:
    """The API on the session's Redis, emptied."""
    async with serve_api(redis_server) as made:
        yield made


@pytest.fixture
async def broker(redis_server: RedisServer) -> AsyncIterator[Broker]:
    """A broker that puts tasks into states, at a moment of its own."""
    client = redis_server.async_client()
    with contextlib.suppress(redis.RedisError):
        yield Broker(client, FixedClock(seconds=4_102_444_800))
    await client.aclose()
