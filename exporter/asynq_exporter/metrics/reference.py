"""The page `docs/metrics.md`, made from the declarations."""

from collections.abc import Iterable

from asynq_exporter import metrics
from asynq_exporter.metrics import api, exporter, queues, redis_info, schedulers, system, upstream, workers
from asynq_exporter.metrics.family import Metric

SECTIONS: tuple[tuple[str, tuple[Metric, ...]], ...] = (
    ("System", system.METRICS),
    ("Queues", queues.METRICS),
    ("Workers", workers.METRICS),
    ("Schedulers", schedulers.METRICS),
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
