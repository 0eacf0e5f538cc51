"""Queues: numbers, health, history, groups, pausing."""

from typing import Any

from asynq_exporter.core.inspector import Inspector
from asynq_exporter.scan.queues import label
from asynq_exporter.scan.snapshot import Snapshot
from asynq_exporter.web.api.context import Context
from asynq_exporter.web.api.errors import ApiError
from asynq_exporter.web.api.models import queues as m
from asynq_exporter.web.api.models.shape import Answer, Done
from asynq_exporter.web.api.tokens import Caller
from asynq_exporter.web.api.views import moment

_STATS = ("size", "pending", "active", "scheduled", "retry", "archived")
_MORE = ("completed", "aggregating", "groups", "processed_today", "failed_today", "latency_seconds")


async def stats(context: Context, _asked: m.Nothing, _caller: Caller) -> Answer[m.Stats]:
    """The numbers of every queue."""
    queues = (await context.snapshot()).queues
    numbers = {
        label(name): m.QueueStats(queue=label(name), **_numbers(queues.row(index), _STATS))
        for index, name in enumerate(queues.names)
    }
    return Answer(data=m.Stats(numbers))


async def health(context: Context, _asked: m.Nothing, _caller: Caller) -> Answer[m.Health]:
    """The health; an answer also while Redis is away."""
    return Answer(data=_health(await context.scan()))


async def overview(context: Context, _asked: m.Nothing, _caller: Caller) -> Answer[m.Overview]:
    """Everything at a glance."""
    snapshot = await context.snapshot()
    queues = [_overview(label(name), snapshot.queues.row(i)) for i, name in enumerate(snapshot.queues.names)]
    totals = m.Totals(
        queues=len(queues),
        **{
            name: sum(getattr(queue, name) or 0 for queue in queues)
            for name in ("size", "archived", "processed_today", "failed_today")
        },
        workers=len(snapshot.servers),
        schedulers=len(snapshot.schedulers),
    )
    at = moment(snapshot.at_seconds) or ""
    return Answer(data=m.Overview(at=at, health=_health(snapshot), totals=totals, queues=queues))


async def history(context: Context, asked: m.GetHistory, _caller: Caller) -> Answer[m.History]:
    """The attempts of the last days."""
    read = context.inspector.history(asked.queue, asked.days)
    days = await context.read_unless_unused(asked.queue, read) or []
    return Answer(data=m.History(queue=asked.queue, days=[m.Day.model_validate(day) for day in days]))


async def groups(context: Context, asked: m.ListGroups, _caller: Caller) -> Answer[m.GroupList]:
    """The groups of a queue."""
    page = await context.inspector.groups(asked.queue, cursor=int(asked.cursor), count=asked.size)
    return Answer(
        data=m.GroupList(
            queue=asked.queue,
            groups=[m.Group.model_validate(group) for group in page.groups],
            cursor=str(page.cursor) if page.cursor else None,
        )
    )


async def pause(context: Context, asked: m.ChangeQueue, _caller: Caller) -> Done[m.QueueChange]:
    """Stops a queue from handing out tasks."""
    await _require_known(context, asked.queue)
    await context.inspector.pause(asked.queue)
    return Done(message="队列已暂停", data=m.QueueChange(queue=asked.queue, paused=True))


async def unpause(context: Context, asked: m.ChangeQueue, _caller: Caller) -> Done[m.QueueChange]:
    """Lets a queue hand out tasks again."""
    await _require_known(context, asked.queue)
    await context.inspector.unpause(asked.queue)
    return Done(message="队列已恢复", data=m.QueueChange(queue=asked.queue, paused=False))


async def _require_known(context: Context, queue: str) -> None:
    """A queue that nobody ever used may be paused when it is a documented one; a misspelt name not."""
    inspector: Inspector = context.inspector
    if queue not in context.catalog.queues and queue not in await inspector.queues():
        raise ApiError(404, "queue_not_found", f"queue {queue!r} not found")


def _numbers(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: row[name] for name in names}


def _health(snapshot: Snapshot) -> m.Health:
    if not snapshot.up:
        return m.Health(
            healthy=False,
            redis_connected=False,
            queue_utilization=None,
            worker_active_count=None,
            processor_count=None,
            backpressure_state=None,
        )
    known = [value for value in snapshot.queues.utilization if value is not None]
    return m.Health(
        healthy=snapshot.healthy,
        redis_connected=True,
        queue_utilization=max(known, default=0.0),
        worker_active_count=sum(server.busy for server in snapshot.servers),
        processor_count=sum(server.concurrency for server in snapshot.servers),
        backpressure_state=snapshot.backpressure,
    )


def _overview(name: str, row: Any) -> m.QueueOverview:
    orphaned = [row["lease_expired"], row["no_lease"]]
    return m.QueueOverview(
        queue=name,
        **_numbers(row, (*_STATS, *_MORE, "workers", "capacity", "utilization")),
        processed_total=row["processed"],
        failed_total=row["failed"],
        paused=None if row["paused"] is None else bool(row["paused"]),
        orphaned=None if None in orphaned else sum(orphaned),
        backpressure_state=row["backpressure"],
    )
