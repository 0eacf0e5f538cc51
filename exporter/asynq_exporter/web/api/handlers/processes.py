"""Worker processes, schedulers, Redis."""

from asynq_exporter.core.inspector import SchedulerEntryView, ServerView, Worker
from asynq_exporter.core.inspector.servers import WORKER_PAYLOAD_BYTES
from asynq_exporter.web.api.context import Context
from asynq_exporter.web.api.errors import ApiError
from asynq_exporter.web.api.models import processes as m
from asynq_exporter.web.api.models.queues import Nothing
from asynq_exporter.web.api.models.shape import Answer
from asynq_exporter.web.api.tokens import Caller
from asynq_exporter.web.api.views import blob, moment


async def servers(context: Context, _asked: Nothing, caller: Caller) -> Answer[m.ServerList]:
    """The live worker processes and what they run."""
    show = context.shows_payloads(caller)
    limit = WORKER_PAYLOAD_BYTES if show else 0
    found = await context.inspector.servers(payload_limit_bytes=limit)
    return Answer(data=m.ServerList(worker_count=len(found), servers=[_server(one, show) for one in found]))


async def schedulers(context: Context, _asked: Nothing, caller: Caller) -> Answer[m.EntryList]:
    """The entries of the live schedulers."""
    show = context.shows_payloads(caller)
    found = await context.inspector.scheduler_entries()
    return Answer(data=m.EntryList(entries=[_entry(one, show) for one in found]))


async def events(context: Context, asked: m.ListEvents, _caller: Caller) -> Answer[m.EventList]:
    """What a scheduler entry enqueued."""
    found = await context.inspector.enqueue_events(asked.entry_id, page=asked.page, size=asked.size)
    told = [m.Event(task_id=one.task_id, enqueued_at=moment(one.enqueued_at)) for one in found]
    return Answer(data=m.EventList(entry_id=asked.entry_id, page=asked.page, size=asked.size, events=told))


async def redis_info(context: Context, _asked: Nothing, _caller: Caller) -> Answer[m.RedisView]:
    """What Redis says of itself."""
    snapshot = await context.snapshot()
    if snapshot.redis is None:
        raise ApiError(
            503, "redis_not_allowed", "Redis does not let this user ask INFO; see docs/redis-acl.md"
        )
    fields = {
        name: getattr(snapshot.redis, name) for name in m.RedisView.model_fields if name != "ping_seconds"
    }
    return Answer(data=m.RedisView(**fields, ping_seconds=snapshot.ping_seconds))


def _server(found: ServerView, show: bool) -> m.ServerInfo:  # noqa: FBT001
    return m.ServerInfo(
        id=found.server_id,
        host=found.host,
        pid=found.pid,
        status=found.status,
        concurrency=found.concurrency,
        active=found.worker_count,
        queues=dict(found.queues),
        strict_priority=found.strict_priority,
        started_at=moment(found.started_at),
        workers=[_running(one, show) for one in found.workers],
    )


def _running(found: Worker, show: bool) -> m.Running:  # noqa: FBT001
    readable = found.readable
    return m.Running(
        task_id=found.task_id,
        type=found.task_type if readable else None,
        queue=found.queue if readable else None,
        started_at=moment(found.started_at),
        deadline=moment(found.deadline),
        payload=blob(found.payload, true_bytes=found.payload_bytes) if show and readable else None,
        payload_bytes=found.payload_bytes if readable else None,
    )


def _entry(found: SchedulerEntryView, show: bool) -> m.Entry:  # noqa: FBT001
    return m.Entry(
        id=found.entry_id,
        scheduler_id=found.scheduler_id,
        spec=found.spec,
        type=found.task_type,
        options=found.options,
        next_enqueue_at=moment(found.next_enqueue_at),
        prev_enqueue_at=moment(found.prev_enqueue_at),
        payload=blob(found.payload, true_bytes=found.payload_bytes) if show else None,
        payload_bytes=found.payload_bytes,
    )
