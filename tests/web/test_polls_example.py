"""The documented example of a polling function."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from asynq_exporter import handlers
from asynq_exporter.core.records import PlatformClass, Status, TaskRecord
from tests.web.working import EXAMPLES


@pytest.fixture
def states() -> dict[str, str]:
    """Job -> state, as the service has it."""
    return {"task/1": "queued"}


@pytest.fixture
async def service(states: dict[str, str]) -> AsyncIterator[TestServer]:
    """A service with one job."""

    async def job(request: web.Request) -> web.Response:
        if request.match_info["name"] not in states:
            raise web.HTTPServiceUnavailable
        return web.json_response({"state": states[request.match_info["name"]]})

    app = web.Application()
    app.router.add_get("/jobs/{name}", job)
    server = TestServer(app)
    async with server:
        yield server


def record_of(task_id: str) -> TaskRecord:
    """A task that is polled."""
    return TaskRecord(
        task_id=task_id,
        user_id=1,
        credits=1,
        platform_class=PlatformClass.LONG,
        status=Status.SUBMITTED,
        reason="",
        timeout_seconds=60,
        queue="scheduled",
        attempt=0,
        created_at=0,
        updated_at=0,
        finished_at=None,
        polls=0,
        next_poll_at=0,
        lease_until=60,
        lease_number=1,
    )


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("queued", "QUEUED"),
        ("running", "IN_PROGRESS"),
        ("done", "SUCCESS"),
        ("failed", "FAILURE"),
        ("on holiday", "UNKNOWN"),
    ],
)
async def test_example_speaks_the_words_of_the_guide(
    service: TestServer, states: dict[str, str], monkeypatch: pytest.MonkeyPatch, state: str, status: str
) -> None:
    """Whatever the service says; an ID of any characters finds its job."""
    states["task/1"] = state
    poll = loaded(monkeypatch, service)
    assert status == await poll(record_of("task/1"))


async def test_service_that_fails_is_an_exception(
    service: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the status stays as it is, and the task is asked about again."""
    poll = loaded(monkeypatch, service)
    with pytest.raises(aiohttp.ClientResponseError):
        await poll(record_of("task_2"))


def loaded(monkeypatch: pytest.MonkeyPatch, service: TestServer) -> Any:
    """The function as the program finds it, told where the service is."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    poll = handlers.load("polls:poll", folder=EXAMPLES)
    monkeypatch.setattr("polls.SERVICE_URL", str(service.make_url("")).rstrip("/"))
    return poll
