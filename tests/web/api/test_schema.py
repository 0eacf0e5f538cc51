"""schemathesis against the OpenAPI document: no 5xx, no answer that the document does not know.

Besides, what the document forbids is refused, and what it allows is accepted, or refused as it says.
"""

import asyncio
import sys
from pathlib import Path

import pytest
from aiohttp import ClientSession

from asynq_exporter.core import Broker, TaskState
from asynq_exporter.core.records import Database, NewRecord, SqlRecords
from asynq_exporter.web.api import attempts, openapi
from asynq_exporter.web.api.endpoints import ENDPOINTS
from tests.conftest import RedisServer
from tests.core.inspector.placing import place
from tests.web.api.conftest import TOKENS, Api, ServeApi
from tests.web.api.test_acl import fill_everything

#: How many requests for each endpoint, beside those that schemathesis derives from the document.
EXAMPLES = 12

RUN_SECONDS = 300

#: What two fields together forbid, such as a group for other than aggregating tasks, no schema says: 422.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429", "501", "503"]
"""

#: `Allow` for /tasks/retry has DELETE too, for a task may have the ID "retry".
WITHOUT = "allow_header_conformance"

#: The shortest text that schemathesis makes up: a queue and a task of that name are there.
SHORTEST = "0"


async def run(api: Api, folder: Path, *flags: str) -> None:
    """Runs schemathesis; its report is the message of a failure."""
    (folder / "schemathesis.toml").write_text(CONFIG)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", f"--config-file={folder / 'schemathesis.toml'}", "run"),
        *(
            f"{api.base}/api/v1/openapi.json",
            "--checks=all",
            f"--exclude-checks={WITHOUT}",
            "--seed=1",
            "--no-color",
            "--no-shrink",
        ),
        *(f"--max-examples={EXAMPLES}", *flags),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(RUN_SECONDS):
        output, _ = await process.communicate()
    assert 0 == process.returncode, output.decode()[-8000:]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends many wrong tokens, and wants to hear 401."""
    monkeypatch.setattr(attempts, "CLIENT_FAILURES", 10**6)
    monkeypatch.setattr(attempts, "ALL_FAILURES", 10**6)


async def test_reads(own_redis: RedisServer, serve_api: ServeApi, tmp_path: Path) -> None:
    """Every GET, as a viewer, on a Redis with something in every state."""
    fill_everything(own_redis)
    async with serve_api(own_redis) as api:
        await run(api, tmp_path, "--include-method=GET", f"--header=Authorization: Bearer {TOKENS['viewer']}")


async def test_writes(own_redis: RedisServer, serve_api: ServeApi, tmp_path: Path) -> None:
    """Every write, as an admin, with task records."""
    database = Database(f"sqlite:///{tmp_path / 'records.db'}")
    await database.upgrade()
    await SqlRecords(database).create(NewRecord(task_id=SHORTEST, user_id=1, credits=1))
    await database.close()
    fill_everything(own_redis)
    async with own_redis.async_client() as client:
        await place(Broker(client), TaskState.RETRY, SHORTEST, queue=SHORTEST)
    async with serve_api(own_redis) as api:
        await run(api, tmp_path, "--exclude-method=GET", f"--header=Authorization: Bearer {TOKENS['admin']}")


async def test_document_is_served_and_whole(api: Api) -> None:
    """Without a token; each endpoint is in it, with its role, both languages, and every refusal."""
    async with ClientSession() as session, session.get(f"{api.base}/api/v1/openapi.json") as response:
        document = await response.json()

    assert document == openapi.document()
    for endpoint in ENDPOINTS:
        told = document["paths"][f"/api/v1/queue{endpoint.path}"][endpoint.method.lower()]
        assert endpoint.role.value == told["x-role"]
        assert told["x-summary-zh"]
        assert {"200", *map(str, endpoint.statuses)} == set(told["responses"])
