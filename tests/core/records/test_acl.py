"""The documented Redis user of who polls, migrates and cancels."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from asynq_exporter.core import FixedClock
from asynq_exporter.core.records import (
    Cancellations,
    Chain,
    Handler,
    Jobs,
    LiveQueue,
    Migration,
    Poller,
    SqlRecords,
)
from tests.conftest import RedisServer
from tests.core.records.making import make, read
from tests.core.records.service import Service
from tests.project.acl import POLLING_RULES


@pytest.fixture
async def limited(own_redis: RedisServer) -> AsyncIterator[Redis]:
    """A client of that user."""
    async with own_redis.async_client() as admin:
        rules = ["ACL", "SETUSER", "polling", "on", ">secret", *POLLING_RULES.split()]
        await admin.execute_command(*rules)  # type: ignore[no-untyped-call]
        async with Redis(port=own_redis.port, username="polling", password="secret") as client:
            yield client
        assert [] == await admin.acl_log()


async def test_documented_rights_are_enough(
    store: SqlRecords, limited: Redis, service: Service, clock: FixedClock
) -> None:
    """Everything that the task records ask Redis for."""
    for task_id in ("a", "b"):
        await make(store, task_id)
    assert await Migration(store, limited, clock).run()
    assert not await LiveQueue(limited, clock)()
    cancellations, chain = Cancellations(store, Jobs(limited, clock), clock), Chain(limited, store, clock)
    clock.advance(3)
    await Handler(store, Poller(store, cancellations, service, clock), chain, clock).handle("job:a:0")
    assert await chain.retry_dead_letter(await read(store, "b"))
    assert not await chain.is_broken(await read(store, "a"))
    await asyncio.gather(*(cancellations.cancel(task_id) for task_id in ("a", "b")))
