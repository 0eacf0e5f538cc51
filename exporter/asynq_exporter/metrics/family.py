"""What a metric is, and what one scan gives of it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple

Kind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A declared metric; `docs/metrics.md` and the exposition are made from it."""

    name: str
    kind: Kind
    #: One sentence for users.
    help: str
    #: Label names; `queue` first where it is one.
    labels: tuple[str, ...] = ()


class Block(NamedTuple):
    """Samples that share all labels but the queue: one for each queue, or a single one."""

    #: Numbers; None means unknown, and gives no sample.
    values: Sequence[int | float | None]
    #: Queue names parallel to `values`; None when the metric has no queue label.
    queues: tuple[str, ...] | None = None
    #: The other labels, as (name, value).
    labels: tuple[tuple[str, str], ...] = ()
    #: What the samples of a histogram have behind its name.
    suffix: str = ""


class Family(NamedTuple):
    """All samples of one metric."""

    metric: Metric
    blocks: tuple[Block, ...]


def gauge(name: str, help_: str, *labels: str) -> Metric:
    """A number that goes up and down."""
    return Metric(name, "gauge", help_, labels)


def counter(name: str, help_: str, *labels: str) -> Metric:
    """A number that only grows, until it starts again."""
    return Metric(name, "counter", help_, labels)


def histogram(name: str, help_: str, *labels: str) -> Metric:
    """Observations counted by size."""
    return Metric(name, "histogram", help_, labels)


def buckets(
    labels: tuple[tuple[str, str], ...], bounds: Sequence[float], counts: Sequence[int], total: float
) -> Iterator[Block]:
    """The samples of one histogram.

    Args:
        labels: of the whole.
        bounds: upper bounds of the buckets but the last, which has none.
        counts: observations in each bucket, not added up.
        total: the sum of all observations.
    """
    for bound, count in zip((*bounds, math.inf), accumulate(counts), strict=True):
        yield Block((count,), labels=(*labels, ("le", _bound(bound))), suffix="_bucket")
    yield Block((sum(counts),), labels=labels, suffix="_count")
    yield Block((total,), labels=labels, suffix="_sum")


def single(metric: Metric, value: float | None) -> Family:
    """The family of a metric without labels."""
    return Family(metric, (Block((value,)),))


def column(metric: Metric, queues: tuple[str, ...], values: Sequence[int | float | None]) -> Family:
    """The family of a metric with the queue as its only label."""
    return Family(metric, (Block(values, queues),))


def by_label(metric: Metric, values: Mapping[str, float | None]) -> Family:
    """The family of a metric with one label other than the queue."""
    (label,) = metric.labels
    return Family(metric, tuple(Block((value,), labels=((label, key),)) for key, value in values.items()))


def one_of(metric: Metric, states: Sequence[str], current: str) -> Family:
    """The family of a state: 1 for the current one, 0 for the others."""
    return by_label(metric, {state: int(state == current) for state in states})


def _bound(bound: float) -> str:
    return "+Inf" if bound == math.inf else str(float(bound))
