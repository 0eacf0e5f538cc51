"""Groups and the sets that are being aggregated (wire sections 3.18 and 4.2)."""

import pytest
from redis import Redis

from asynq_exporter.core import Broker, FixedClock, keys
from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.inspector import AggregationSetInfo, Group, Inspector
from tests.core.queue_state import Q, T, a_task


async def test_groups_with_their_sizes(inspector: Inspector, broker: Broker) -> None:
    """4.2: any name; an unknown queue has none."""
    for number, group in enumerate(["a:b", "größe", "a"], start=1):
        for n in range(number):
            await broker.add_to_group(a_task(f"{group}{n}", group=group))
    page = await inspector.groups(Q)
    assert page.groups == [Group(name="a", size=3), Group(name="a:b", size=1), Group(name="größe", size=2)]
    assert page.cursor == 0
    assert (await inspector.groups("nowhere")).groups == []


async def test_many_groups_come_in_pieces(inspector: Inspector, redis_sync: Redis) -> None:
    """Following the cursor shows each of 5,000 groups, about as many a call as asked for."""
    names = {f"group-{n}" for n in range(5000)}
    redis_sync.sadd(keys.groups(Q), *names)
    seen: set[str] = set()
    cursor, calls = 0, 0
    while True:
        page = await inspector.groups(Q, cursor=cursor, count=500)
        seen |= {group.name for group in page.groups}
        cursor, calls = page.cursor, calls + 1
        if not cursor:
            break
    assert seen == names
    assert calls >= 5


async def test_sets_being_aggregated(
    inspector: Inspector, broker: Broker, clock: FixedClock, redis_sync: Redis
) -> None:
    """1.2: the set's ID is behind the last colon of its key."""
    for n in range(3):
        await broker.add_to_group(a_task(str(n), group="a:b"))
    clock.advance(60)
    set_id = await broker.aggregation_check(Q, "a:b")
    assert set_id is not None
    assert await inspector.aggregation_sets(Q) == [
        AggregationSetInfo(group="a:b", set_id=set_id, size=3, deadline=T + 180)
    ]
    assert (await inspector.groups(Q)).groups == []
    assert await inspector.aggregation_sets("nowhere") == []


async def test_what_is_refused(inspector: Inspector) -> None:
    """Blank names and numbers out of range."""
    for options in ({"cursor": -1}, {"cursor": 2**64}, {"count": 0}, {"count": 10_001}):
        with pytest.raises(InvalidArgumentError):
            await inspector.groups(Q, **options)
    with pytest.raises(InvalidArgumentError):
        await inspector.groups("")
    with pytest.raises(InvalidArgumentError):
        await inspector.aggregation_sets(" ")
