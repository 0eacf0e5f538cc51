"""Whatever Redis answers, the Inspector raises errors of ours."""

from collections.abc import Awaitable, Callable

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from asynq_exporter.core import TaskState, UnavailableError, keys
from asynq_exporter.core.errors import InternalError
from asynq_exporter.core.inspector import Inspector, TaskFilter
from asynq_exporter.core.states import Operation
from tests.conftest import free_port
from tests.core.inspector.placing import fill
from tests.core.queue_state import Q

CALLS: list[Callable[[Inspector], Awaitable[object]]] = [
    lambda i: i.queues(),
    lambda i: i.queue_info(Q),
    lambda i: i.history(Q, 1),
    lambda i: i.memory_usage_bytes(Q),
    lambda i: i.pause(Q),
    lambda i: i.unpause(Q),
    lambda i: i.delete_queue(Q),
    lambda i: i.list_tasks(Q, TaskState.RETRY),
    lambda i: i.get_task(Q, "1"),
    lambda i: i.find_task("1"),
    lambda i: i.search_tasks(Q, TaskState.RETRY, TaskFilter()),
    lambda i: i.run_task(Q, "1"),
    lambda i: i.archive_task(Q, "1"),
    lambda i: i.delete_task(Q, "1"),
    lambda i: i.update_payload(Q, "1", b""),
    lambda i: i.cancel("1"),
    lambda i: i.cancel_task(Q, "1"),
    lambda i: i.batch(Operation.RUN, Q, ["1"]),
    lambda i: i.run_all(Q, TaskState.RETRY),
    lambda i: i.archive_all(Q, TaskState.RETRY),
    lambda i: i.delete_all(Q, TaskState.RETRY),
    lambda i: i.groups(Q),
    lambda i: i.aggregation_sets(Q),
    lambda i: i.servers(),
    lambda i: i.scheduler_entries(),
    lambda i: i.enqueue_events("e"),
]


@pytest.mark.parametrize("call", CALLS)
async def test_no_server_is_unavailable(call: Callable[[Inspector], Awaitable[object]]) -> None:
    """No foreign error gets through, whatever the call."""
    async with AsyncRedis(port=free_port(), retry=Retry(NoBackoff(), 0)) as client:
        with pytest.raises(UnavailableError):
            await call(Inspector(client))


async def test_key_of_another_type_is_our_error(inspector: Inspector, redis_sync: Redis) -> None:
    """A collection that asynq never makes that way is an internal error; a batch tells it of each task."""
    fill(redis_sync, TaskState.RETRY, ["1"])
    redis_sync.set(keys.retry(Q), "not a set")
    for call in (
        inspector.list_tasks(Q, TaskState.RETRY),
        inspector.queue_info(Q),
        inspector.run_task(Q, "1"),
        inspector.run_all(Q, TaskState.RETRY),
        inspector.get_task(Q, "1"),
    ):
        with pytest.raises(InternalError):
            await call
    [outcome] = await inspector.batch(Operation.RUN, Q, ["1"])
    assert isinstance(outcome.error, InternalError)
