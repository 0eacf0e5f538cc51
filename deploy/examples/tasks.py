"""Handlers for `asynq-exporter worker tasks:mux`, as an application might have them.

An upload is scaled down by a service that sometimes is down; then its owner is told by mail, once. The
program imports this module from the folder in which it is started.
"""

import asyncio
import json
import os

import redis.asyncio

from asynq_exporter.core import Client, DuplicateTaskError, Task
from asynq_exporter.core.admission import Admission
from asynq_exporter.core.breakers import Breakers
from asynq_exporter.core.worker import Attempt, Mux, SkipRetryError

redis_client = redis.asyncio.from_url(os.environ.get("APP_REDIS_URL", "redis://127.0.0.1:6379/0"))
client = Client(redis_client, admission=Admission(redis_client))
breakers = Breakers(redis_client)

mux = Mux()


@mux.on("image:resize")
async def resize(attempt: Attempt) -> None:
    """Scales an image; what the service cannot do now is retried, what nobody can do is archived at once."""
    try:
        order = json.loads(attempt.payload)
        image, user_id = order["image"], order["user_id"]
    except (ValueError, KeyError, TypeError) as exc:
        raise SkipRetryError("the order cannot be read") from exc
    async with breakers.service("scaler"):
        await scale(image)
    mail = Task("email:resized", json.dumps({"user_id": user_id}).encode())
    try:
        await client.enqueue(mail, queue="low", max_retry=120, unique_seconds=3600)
    except DuplicateTaskError:
        return  # the owner hears of it anyway


@mux.on("email:")
async def send(attempt: Attempt) -> None:
    """Sends a mail of any kind, and notes where it went."""
    order = json.loads(attempt.payload)
    await attempt.write_result(b'{"sent_to": %d}' % order["user_id"])


async def scale(image: str) -> None:
    """Stands for the request to the service; the time limit belongs inside of the breaker's block."""
    async with asyncio.timeout(10):
        await asyncio.sleep(0.01)
    if image.endswith(".broken"):
        raise ConnectionError("the scaler answered 503")
