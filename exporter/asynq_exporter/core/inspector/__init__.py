"""Reads and manages what lies in Redis: wire section 4, in pieces that neither block Redis nor fill memory.

    inspector = Inspector(redis)
    page = await inspector.list_tasks("default", TaskState.RETRY, page=3, size=20)
    await inspector.run_task("default", page.tasks[0].id)

What differs from asynq's Inspector on purpose stands at the methods: nothing is deleted while reading,
archive trimming leaves no hashes behind, tasks that cannot be read are shown as such, bulk operations go in
batches.
"""

from asynq_exporter.core.inspector.bulk import Bulk, BulkResult, Progress
from asynq_exporter.core.inspector.changes import MAX_BATCH_IDS, REFUSALS, Changes, Outcome
from asynq_exporter.core.inspector.groups import AggregationSetInfo, Group, GroupPage, Groups
from asynq_exporter.core.inspector.memory import Memory
from asynq_exporter.core.inspector.queues import Day, QueueInfo, Queues
from asynq_exporter.core.inspector.rows import InspectedTask, Problem
from asynq_exporter.core.inspector.schedulers import EnqueueEvent, SchedulerEntryView, Schedulers
from asynq_exporter.core.inspector.search import Search, SearchPage, TaskFilter
from asynq_exporter.core.inspector.servers import Servers, ServerView, Worker
from asynq_exporter.core.inspector.tasks import MAX_PAGE_SIZE, PAGE_SIZE, TaskPage, Tasks

__all__ = [
    "MAX_BATCH_IDS",
    "MAX_PAGE_SIZE",
    "PAGE_SIZE",
    "REFUSALS",
    "AggregationSetInfo",
    "BulkResult",
    "Day",
    "EnqueueEvent",
    "Group",
    "GroupPage",
    "InspectedTask",
    "Inspector",
    "Outcome",
    "Problem",
    "Progress",
    "QueueInfo",
    "SchedulerEntryView",
    "SearchPage",
    "ServerView",
    "TaskFilter",
    "TaskPage",
    "Worker",
]


class Inspector(Queues, Bulk, Memory, Tasks, Search, Changes, Groups, Servers, Schedulers):
    """The read and manage side of asynq; the nouns stand in their own modules.

    Takes a client with `decode_responses=False`, RESP2 or RESP3, and a clock. Everything raises AsynqError
    alone: UnavailableError when Redis does not answer, and what the methods name.
    """
