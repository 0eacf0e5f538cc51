"""Metrics of the queues."""

from collections.abc import Iterable, Sequence

from asynq_exporter.core.catalog import LEVELS, THRESHOLD_STATES, BackpressureState
from asynq_exporter.metrics.family import Block, Family, Metric, column, counter, gauge
from asynq_exporter.scan.snapshot import Queues, Snapshot

#: Metric of one column -> the column of `Queues`.
COLUMNS: dict[Metric, str] = {
    gauge(
        "asynq_queue_size",
        "Tasks still to be done: pending, active, scheduled, retry and aggregating.",
        "queue",
    ): "size",
    gauge("asynq_pending_tasks", "Tasks ready to be processed.", "queue"): "pending",
    gauge("asynq_active_tasks", "Tasks being processed.", "queue"): "active",
    gauge("asynq_scheduled_tasks", "Tasks whose first run lies in the future.", "queue"): "scheduled",
    gauge("asynq_retry_tasks", "Failed tasks that wait for another attempt.", "queue"): "retry",
    gauge(
        "asynq_dead_tasks", "Archived tasks; asynq keeps at most 9,999 and drops the oldest.", "queue"
    ): "archived",
    gauge("asynq_completed_tasks", "Succeeded tasks kept for their retention.", "queue"): "completed",
    gauge(
        "asynq_aggregating_tasks",
        "Tasks waiting in groups, counted in the background; beyond 1,000 groups extrapolated.",
        "queue",
    ): "aggregating",
    gauge("asynq_queue_groups", "Aggregation groups with waiting tasks.", "queue"): "groups",
    counter(
        "asynq_processed_total", "Attempts finished, failures included; kept in Redis.", "queue"
    ): "processed",
    counter("asynq_failed_total", "Attempts failed; kept in Redis.", "queue"): "failed",
    gauge(
        "asynq_queue_latency_seconds",
        "Age of the oldest pending task; 0 when nothing is pending, absent when unknown.",
        "queue",
    ): "latency_seconds",
    gauge("asynq_queue_paused", "Whether the queue is paused.", "queue"): "paused",
    gauge(
        "asynq_scheduled_overdue_tasks", "Scheduled tasks that are due and that nobody moved.", "queue"
    ): "scheduled_overdue",
    gauge(
        "asynq_retry_overdue_tasks", "Tasks whose retry is due and that nobody moved.", "queue"
    ): "retry_overdue",
    gauge(
        "asynq_forwarding_delay_seconds",
        "For how long the most overdue scheduled or retry task has been due; 0 when none is.",
        "queue",
    ): "forwarding_delay_seconds",
    gauge(
        "asynq_oldest_active_task_seconds",
        "For how long the longest-running task has run, from the worker records.",
        "queue",
    ): "oldest_active_seconds",
    gauge(
        "asynq_dead_tasks_last_hour",
        "Tasks archived within the last hour; neither the cap nor a clean-up hides their arrival.",
        "queue",
    ): "dead_last_hour",
    gauge(
        "asynq_oldest_dead_task_seconds", "Age of the oldest archived task; 0 when there is none.", "queue"
    ): "oldest_dead_seconds",
    gauge("asynq_queue_workers", "Live worker processes that consume the queue.", "queue"): "workers",
    gauge("asynq_queue_weight", "Configured share of the workers' attention.", "queue"): "weight",
    gauge("asynq_queue_capacity", "Tasks the queue is meant to hold at most.", "queue"): "capacity",
    gauge("asynq_queue_utilization_ratio", "Queue size divided by its capacity.", "queue"): "utilization",
}

ORPHANED = gauge(
    "asynq_orphaned_tasks",
    "Active tasks that no worker holds any more: the lease expired, or there is none.",
    "queue",
    "reason",
)
THRESHOLD = gauge(
    "asynq_queue_threshold",
    "Number of tasks above which a level of concern is reached.",
    "queue",
    "state",
    "level",
)
BACKPRESSURE = gauge(
    "asynq_queue_backpressure_state", "1 for the current backpressure state of the queue.", "queue", "state"
)
MEMORY = gauge("asynq_queue_memory_bytes", "Memory of the queue in Redis, estimated from a sample.", "queue")
SAMPLED = gauge(
    "asynq_sampled_tasks",
    "Tasks of a type among those sampled in a state; at most 20 in each state, 10 types and `other`.",
    "queue",
    "state",
    "type",
)

METRICS = (*COLUMNS, ORPHANED, THRESHOLD, BACKPRESSURE, MEMORY, SAMPLED)


def collect(snapshot: Snapshot) -> Iterable[Family]:
    """The families of the queues that were read."""
    queues = snapshot.queues
    names = queues.names
    if not names:
        return
    for metric, field in COLUMNS.items():
        yield column(metric, names, getattr(queues, field))
    yield Family(
        ORPHANED,
        (
            Block(queues.lease_expired, names, (("reason", "lease_expired"),)),
            Block(queues.no_lease, names, (("reason", "no_lease"),)),
        ),
    )
    yield Family(THRESHOLD, tuple(_thresholds(snapshot)))
    yield Family(BACKPRESSURE, tuple(_backpressure(queues)))
    yield column(MEMORY, names, [snapshot.samples.memory_bytes.get(name) for name in names])
    yield Family(SAMPLED, tuple(_sampled(snapshot)))


def _thresholds(snapshot: Snapshot) -> Iterable[Block]:
    profiles = snapshot.catalog.queues
    known = tuple(name for name in snapshot.queues.names if name in profiles)
    for state in THRESHOLD_STATES:
        for level in LEVELS:
            values = [profiles[name].thresholds.get(state, {}).get(level) for name in known]
            if any(value is not None for value in values):
                yield Block(values, known, (("state", state), ("level", level)))


def _sampled(snapshot: Snapshot) -> Iterable[Block]:
    names = set(snapshot.queues.names)
    for count in snapshot.samples.types:
        if count.queue in names:
            yield Block((count.count,), (count.queue,), (("state", count.state), ("type", count.task_type)))


def _backpressure(queues: Queues) -> Iterable[Block]:
    for state in BackpressureState:
        values: Sequence[int | None] = [
            None if current is None else int(current is state) for current in queues.backpressure
        ]
        yield Block(values, queues.names, (("state", state),))
