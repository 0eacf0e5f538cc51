"""The numbers of the queues: thirteen plain commands for each, and a few more where something is there."""

from asynq_exporter.scan.queues.columns import build, label
from asynq_exporter.scan.queues.reading import QueuePass
from asynq_exporter.scan.queues.requests import FIRST_ROUND_COMMANDS, TAIL, QueueRequests

__all__ = ["FIRST_ROUND_COMMANDS", "TAIL", "QueuePass", "QueueRequests", "build", "label"]
