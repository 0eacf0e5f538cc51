"""What is said where memory is short."""

import asyncio
import logging

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from asynq_exporter.web import memory


async def test_page_that_does_not_fit_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """With what to do about it, for the visitor and in the log."""

    async def handler(_request: web.Request) -> web.StreamResponse:
        raise MemoryError

    answer = await memory.guard(make_mocked_request("GET", "/metrics"), handler)

    assert isinstance(answer, web.Response)
    assert 503 == answer.status
    assert "--queues.max" in (answer.text or "")
    assert ["Page cannot be made"] == caplog.messages


async def test_errors_of_the_loop_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Those of memory in a line, all others as ever."""
    caplog.set_level(logging.ERROR)
    loop = asyncio.get_running_loop()

    memory.tell(loop, {"message": "Fatal error", "exception": MemoryError()})
    memory.tell(loop, {"message": "Something else"})

    assert ["Connection dropped", "Something else"] == caplog.messages
