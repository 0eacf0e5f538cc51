"""The Inspector in a cluster: everything it reads and changes, on queues of all nodes."""

import pytest

from asynq_exporter.core import Broker, Client, ClusterClient, FixedClock, Task, TaskState, keys
from asynq_exporter.core.inspector import Inspector, TaskFilter
from tests.cluster.conftest import QUEUES
from tests.core.inspector.placing import GROUP, GROUP_OF, place
from tests.core.queue_state import T

#: Enough to lie on all nodes.
SOME = QUEUES[:6]


@pytest.fixture
def clock() -> FixedClock:
    """The first second of 2100, until a test moves it."""
    return FixedClock(seconds=T)


@pytest.fixture
def broker(redis: ClusterClient, clock: FixedClock) -> Broker:
    """A broker on the empty cluster."""
    return Broker(redis, clock)


@pytest.fixture
def inspector(redis: ClusterClient, clock: FixedClock) -> Inspector:
    """An Inspector on the same."""
    return Inspector(redis, clock)


async def fill(broker: Broker) -> None:
    """Two tasks in every state of every queue."""
    for queue in SOME:
        # Those that wait come last: nothing else may be pending while the others are placed.
        for state in sorted(TaskState, key=lambda state: state is TaskState.PENDING):
            for number in range(2):
                await place(broker, state, f"{state}-{number}", queue=queue)


async def test_reads(broker: Broker, inspector: Inspector) -> None:
    """Numbers, pages, one task, an ID in all queues, searches, groups, memory, history."""
    await fill(broker)
    assert sorted(SOME) == await inspector.queues()
    for queue in SOME:
        info = await inspector.queue_info(queue)
        assert dict.fromkeys(TaskState, 2) == dict(info.tasks)
        assert 1 == info.groups
        for state in TaskState:
            page = await inspector.list_tasks(queue, state, group=GROUP_OF[state])
            assert {f"{state}-0", f"{state}-1"} == {task.id for task in page.tasks}
            found = await inspector.search_tasks(queue, state, TaskFilter(), group=GROUP_OF[state])
            assert 2 == len(found.tasks)
        assert TaskState.RETRY == (await inspector.get_task(queue, "retry-0")).state
        assert [GROUP] == [group.name for group in (await inspector.groups(queue)).groups]
        assert await inspector.memory_usage_bytes(queue)
        [today] = await inspector.history(queue, 1)
        assert (6, 4) == (today.processed, today.failed)
    assert len(SOME) == len(await inspector.find_task("retry-0"))


async def test_changes_of_one_task(broker: Broker, inspector: Inspector, redis: ClusterClient) -> None:
    """Run, archive, delete, in every queue."""
    await fill(broker)
    for queue in SOME:
        await inspector.run_task(queue, "retry-0")
        await inspector.archive_task(queue, "scheduled-0")
        await inspector.delete_task(queue, "archived-0")
        assert TaskState.PENDING == (await inspector.get_task(queue, "retry-0")).state
        assert TaskState.ARCHIVED == (await inspector.get_task(queue, "scheduled-0")).state
        assert not await redis.exists(keys.task(queue, "archived-0"))


async def test_changes_of_many(broker: Broker, inspector: Inspector) -> None:
    """All tasks of a state run, archived, deleted; paused queues; a queue deleted."""
    await fill(broker)
    for queue in SOME:
        assert 2 == (await inspector.run_all(queue, TaskState.AGGREGATING, group=GROUP)).done
        assert 2 == (await inspector.archive_all(queue, TaskState.SCHEDULED)).done
        assert 4 == (await inspector.delete_all(queue, TaskState.ARCHIVED)).done
        await inspector.pause(queue)
        assert (await inspector.queue_info(queue)).paused_since
        assert await broker.dequeue([queue]) is None
        await inspector.unpause(queue)
        assert await broker.dequeue([queue]) is not None
    await Client(inspector._redis).enqueue(Task("t"), queue="doomed")
    assert 1 == await inspector.delete_queue("doomed", force=True)
    assert sorted(SOME) == await inspector.queues()
