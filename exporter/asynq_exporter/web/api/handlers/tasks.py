"""Tasks: lists, one task, searches."""

from asynq_exporter.core.inspector import TaskFilter
from asynq_exporter.web.api.context import Context
from asynq_exporter.web.api.models import tasks as m
from asynq_exporter.web.api.models.shape import Answer
from asynq_exporter.web.api.tokens import Caller
from asynq_exporter.web.api.views import task


async def list_tasks(context: Context, asked: m.ListTasks, caller: Caller) -> Answer[m.TaskList]:
    """A page of the tasks in a state."""
    show = context.shows_payloads(caller)
    read = context.inspector.list_tasks(
        asked.queue,
        asked.state,
        group=asked.group,
        page=asked.page,
        size=asked.size,
        payload_limit_bytes=asked.payload_limit if show else 0,
    )
    page = await context.read_unless_unused(asked.queue, read)
    return Answer(
        data=m.TaskList(
            tasks=[task(one, show=show) for one in page.tasks] if page else [],
            queue=asked.queue,
            state=asked.state,
            page=asked.page,
            size=asked.size,
            total=page.total if page else 0,
        )
    )


async def get_task(context: Context, asked: m.GetTask, caller: Caller) -> Answer[m.TaskView]:
    """One task, whatever its state."""
    show = context.shows_payloads(caller)
    limit = asked.payload_limit if show else 0
    found = await context.inspector.get_task(asked.queue, asked.task_id, payload_limit_bytes=limit)
    return Answer(data=task(found, show=show))


async def find_task(context: Context, asked: m.FindTask, caller: Caller) -> Answer[m.TaskFound]:
    """The tasks of an ID in all queues."""
    show = context.shows_payloads(caller)
    limit = asked.payload_limit if show else 0
    found = await context.inspector.find_task(asked.task_id, payload_limit_bytes=limit)
    return Answer(data=m.TaskFound(tasks=[task(one, show=show) for one in found]))


async def search_tasks(context: Context, asked: m.SearchTasks, caller: Caller) -> Answer[m.TaskSearch]:
    """Tasks by type and error, a bounded stretch at a time."""
    show = context.shows_payloads(caller)
    read = context.inspector.search_tasks(
        asked.queue,
        asked.state,
        TaskFilter(type=asked.type, error=asked.error),
        group=asked.group,
        size=asked.size,
        budget=asked.budget,
        cursor=asked.cursor,
        payload_limit_bytes=asked.payload_limit if show else 0,
    )
    page = await context.read_unless_unused(asked.queue, read)
    return Answer(
        data=m.TaskSearch(
            tasks=[task(one, show=show) for one in page.tasks] if page else [],
            queue=asked.queue,
            state=asked.state,
            cursor=page.cursor if page else None,
            scanned=page.scanned if page else 0,
            total=page.total if page else 0,
        )
    )
