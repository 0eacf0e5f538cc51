"""Writes asynq's data: every operation of wire section 3, on one Redis client and one clock."""

from asynq_exporter.core.broker.attempts import Attempts, Delivery
from asynq_exporter.core.broker.groups import AggregationSet, Groups
from asynq_exporter.core.broker.queues import Queues
from asynq_exporter.core.broker.schedulers import Schedulers
from asynq_exporter.core.broker.servers import Servers
from asynq_exporter.core.broker.tasks import NewTask, Tasks

__all__ = ["AggregationSet", "Broker", "Delivery", "NewTask"]


class Broker(Tasks, Attempts, Groups, Queues, Servers, Schedulers):
    """The write side of asynq, one method for each operation; the nouns stand in their own modules.

    Takes a client with `decode_responses=False`, RESP2 or RESP3. Everything raises AsynqError alone:
    UnavailableError when Redis does not answer, and what the methods name.
    """
