"""The page `docs/metrics.md`, made from the declarations."""

from collections.abc import Iterable

from asynq_exporter import metrics
from asynq_exporter.metrics import (
    api,
    exporter,
    queues,
    records,
    redis_info,
    schedulers,
    system,
    task_timings,
    upstream,
    worker_process,
    workers,
)
from asynq_exporter.metrics.family import Metric

SECTIONS: tuple[tuple[str, tuple[Metric, ...]], ...] = (
    ("System", system.METRICS),
    ("Queues", queues.METRICS),
    ("Workers", workers.METRICS),
    ("Tasks", task_timings.METRICS),
    ("Schedulers", schedulers.METRICS),
    ("Task records, where a database is configured", records.METRICS),
    ("Redis", redis_info.METRICS),
    ("The exporter itself", exporter.METRICS),
    ("The management API, where it is on", api.METRICS),
)

INTRODUCTION = """\
# Metrics

Made from the declarations in `asynq_exporter.metrics` by `make docs`; a test compares.

A number that is not known has no sample; it is never shown as 0. While Redis does not answer, `asynq_up` and
`asynq_system_health` are 0 and no queue has samples. The process' own `process_*` and `python_*` families
come with every page. Select families with `?name[]=NAME`, once for each.
"""

TASKS = """\
These families are on the own page of each `asynq-exporter worker`, of Go's workers with
[the middleware](go-workers.md), and, for workers that share their numbers through Redis, on the exporter's
page with `--collector.task-timings`. Scrape them at the workers or at the exporter, not at both.
"""

WORKER = """\
## /metrics of a worker

The own page of an [`asynq-exporter worker`](worker.md), by default on port 9877: the families of "Tasks", and
"""

UPSTREAM = """\
## /metrics/upstream

The seven families of the exporter that comes with asynq, with its labels and its meaning, for the queues in
`asynq:queues`. Memory and groups are sampled at each scrape of this page, as upstream does it, so prefer
`/metrics`. Of a queue with more than 1,000 groups the sizes of 1,000 are counted and the rest extrapolated,
where upstream stops Redis to count them all.
"""


def page() -> str:
    """The page as Markdown."""
    parts = [INTRODUCTION]
    for title, declared in SECTIONS:
        parts += [f"## {title}\n", *_table(declared)]
        if declared is task_timings.METRICS:
            parts.append(TASKS)
    parts += [WORKER, *_table(worker_process.METRICS)]
    parts += [UPSTREAM, *_table(upstream.METRICS)]
    missing = set(metrics.METRICS) - {metric for _, declared in SECTIONS for metric in declared}
    assert not missing, missing  # noqa: S101 -- a new noun needs a section
    return "\n".join(parts)


def _table(declared: Iterable[Metric]) -> Iterable[str]:
    yield "| metric | type | labels | meaning |\n|---|---|---|---|"
    for metric in declared:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |"
    yield ""
