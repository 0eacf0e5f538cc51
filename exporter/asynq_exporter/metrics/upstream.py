"""The seven families of the exporter that comes with asynq: its names, its labels, its meaning.

For replacing it by changing one scrape path. Two of its gauges wrongly end in `_total`, its size counts
archived and completed tasks too, and its latency is that of the very next task, or 0 where that is unknown.
"""

from collections.abc import Iterable, Mapping

from asynq_exporter.metrics.family import Block, Family, column, counter, gauge
from asynq_exporter.scan.snapshot import Queues

#: In upstream's order.
STATES = ("active", "pending", "scheduled", "retry", "archived", "completed")

ENQUEUED = gauge(
    "asynq_tasks_enqueued_total",
    "Number of tasks enqueued; broken down by queue and state.",
    "queue",
    "state",
)
SIZE = gauge("asynq_queue_size", "Number of tasks in a queue.", "queue")
LATENCY = gauge("asynq_queue_latency_seconds", "Number of seconds the oldest pending task waits.", "queue")
MEMORY = gauge(
    "asynq_queue_memory_usage_approx_bytes", "Number of memory used by a given queue (approximated).", "queue"
)
PROCESSED = counter(
    "asynq_tasks_processed_total",
    "Number of tasks processed (both succeeded and failed); broken down by queue.",
    "queue",
)
FAILED = counter("asynq_tasks_failed_total", "Number of tasks failed; broken down by queue.", "queue")
PAUSED = gauge("asynq_queue_paused_total", "Whether a queue is paused.", "queue")

METRICS = (ENQUEUED, SIZE, LATENCY, MEMORY, PROCESSED, FAILED, PAUSED)


def collect(
    queues: Queues, *, aggregating: Mapping[str, int], memory_bytes: Mapping[str, int]
) -> Iterable[Family]:
    """The families; `queues` holds only those of `asynq:queues`."""
    names = queues.names
    yield Family(
        ENQUEUED, tuple(Block(getattr(queues, state), names, (("state", state),)) for state in STATES)
    )
    columns = zip(*(getattr(queues, state) for state in STATES), strict=True)
    sizes = [
        None if None in numbers else sum(numbers) + aggregating.get(name, 0)
        for name, numbers in zip(names, columns, strict=True)
    ]
    yield column(SIZE, names, sizes)
    yield column(LATENCY, names, [seconds or 0 for seconds in queues.tail_latency_seconds])
    yield column(MEMORY, names, [memory_bytes.get(name) for name in names])
    yield column(PROCESSED, names, queues.processed)
    yield column(FAILED, names, queues.failed)
    yield column(PAUSED, names, queues.paused)
