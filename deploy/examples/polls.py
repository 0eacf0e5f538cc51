"""What `asynq-exporter poll polls:poll` asks a service about its tasks, as an application might have it.

The program imports this module from the folder in which it is started.
"""

import os
from typing import Any
from urllib.parse import quote

import aiohttp

from asynq_exporter.core.records import TaskRecord

SERVICE_URL = os.environ.get("SERVICE_URL", "http://127.0.0.1:8080")

#: The service's words for a state, in those of the task records.
STATUS = {"queued": "QUEUED", "running": "IN_PROGRESS", "done": "SUCCESS", "failed": "FAILURE"}

TIMEOUT = aiohttp.ClientTimeout(total=10)


async def poll(record: TaskRecord) -> str:
    """How a task stands; an exception leaves it as it was, to be asked again."""
    url = f"{SERVICE_URL}/jobs/{quote(record.task_id, safe='')}"
    async with (
        aiohttp.ClientSession(timeout=TIMEOUT, raise_for_status=True) as session,
        session.get(url) as answer,
    ):
        job: dict[str, Any] = await answer.json()
    return STATUS.get(job["state"], "UNKNOWN")
