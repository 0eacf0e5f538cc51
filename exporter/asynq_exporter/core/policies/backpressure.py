"""How full a queue is, and what follows (guide section 4.2); pure.

A task is refused by the number alone: when its queue holds as many tasks as make CRITICAL, or more. The
state that is announced in the log leaves a level only when the queue is clearly below it; a queue that swings
around a threshold, as a full one does with every task it finishes, is one message and not thousands.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from asynq_exporter.core.catalog import Backpressure, BackpressureState

#: How far below a threshold, as a share of the capacity, a queue has left it.
MARGIN = 0.05

_ORDER = tuple(BackpressureState)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A queue as it is filled."""

    queue: str
    #: Tasks that are pending, active, scheduled, in retry or aggregating.
    size: int
    capacity: int

    @property
    def utilization(self) -> float:
        """Size as a share of the capacity."""
        return self.size / self.capacity


def refused_from(capacity: int, numbers: Backpressure) -> int:
    """The smallest size of a queue that is CRITICAL, and so takes no more tasks."""
    size = math.ceil(capacity * numbers.critical)
    # The product may round to another side of a whole number than the quotient, from which states are made.
    while numbers.state((size - 1) / capacity) is BackpressureState.CRITICAL:
        size -= 1
    while numbers.state(size / capacity) is not BackpressureState.CRITICAL:
        size += 1
    return size


def announced(before: BackpressureState, utilization: float, numbers: Backpressure) -> BackpressureState:
    """The state to announce after another: up at the thresholds, down a margin below them."""
    now = numbers.state(utilization)
    if _ORDER.index(now) >= _ORDER.index(before):
        return now
    held = numbers.state(utilization + MARGIN)
    return min(before, held, key=_ORDER.index)


def fullest(loads: Iterable[Load]) -> Load | None:
    """The queue that the system is as full as; None without queues."""
    return max(loads, key=lambda load: load.utilization, default=None)
