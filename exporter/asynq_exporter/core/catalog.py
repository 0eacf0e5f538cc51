"""The documented queues and every number that dashboards, alerts and backpressure share (guide chapter 1).

The numbers live in `catalog.json`, which the monitoring mixin imports too. A ladder has up to three
levels: info is the end of the normal range (guide 2.3), and of the two alert thresholds of the guide
(1.1 and 3.4) the lower is warning and the higher critical.
"""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from asynq_exporter.core.errors import CatalogError

LEVELS = ("info", "warning", "critical")

#: States whose size may have a ladder of thresholds.
THRESHOLD_STATES = ("pending", "archived")

#: Capacity is this many times the highest documented threshold, so that normal < alert < backpressure.
CAPACITY_FACTOR = 10


class BackpressureState(StrEnum):
    """How full a queue is, in the words of guide section 4.2."""

    NORMAL = "NORMAL"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backpressure:
    """The utilisation, 0 to 1, at which a queue leaves NORMAL and WARNING."""

    warning: float
    critical: float

    def state(self, utilization: float) -> BackpressureState:
        """The state of a queue that is filled to a ratio of its capacity."""
        if utilization >= self.critical:
            return BackpressureState.CRITICAL
        return BackpressureState.WARNING if utilization >= self.warning else BackpressureState.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueProfile:
    """What is known of a queue beforehand."""

    #: Share of the workers' attention, 1 or more.
    weight: int
    #: Tasks that the queue is meant to hold at most.
    capacity: int
    #: state -> level -> number of tasks above which that level is reached.
    thresholds: Mapping[str, Mapping[str, int]]
    #: Language -> sentence.
    purpose: Mapping[str, str]
    #: Language -> expected response time.
    response: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The queues to expect, in order of importance, and the numbers they share."""

    queues: Mapping[str, QueueProfile]
    backpressure: Backpressure

    def with_queues(self, queues: Mapping[str, QueueProfile]) -> "Catalog":
        """The same numbers with other queues."""
        return Catalog(queues=MappingProxyType(dict(queues)), backpressure=self.backpressure)


def make_profile(
    *,
    weight: int = 1,
    capacity: int | None = None,
    thresholds: Mapping[str, Mapping[str, int]] | None = None,
    purpose: Mapping[str, str] | None = None,
    response: Mapping[str, str] | None = None,
) -> QueueProfile:
    """A queue profile; without a capacity it is ten times the highest threshold.

    Raises:
        CatalogError: a number is out of range, a ladder does not climb, or no capacity can be derived.
    """
    ladders = {state: dict(ladder) for state, ladder in (thresholds or {}).items()}
    for state, ladder in ladders.items():
        _check_ladder(state, ladder)
    if weight < 1:
        raise CatalogError(f"weight must be 1 or more, not {weight}")
    if capacity is None:
        highest = max((value for ladder in ladders.values() for value in ladder.values()), default=0)
        capacity = highest * CAPACITY_FACTOR
        if capacity == 0:
            raise CatalogError("give a capacity, or a threshold above 0 to derive it from")
    if capacity < 1:
        raise CatalogError(f"capacity must be 1 or more, not {capacity}")
    return QueueProfile(
        weight=weight,
        capacity=capacity,
        thresholds=MappingProxyType({s: MappingProxyType(ladder) for s, ladder in ladders.items()}),
        purpose=MappingProxyType(dict(purpose or {})),
        response=MappingProxyType(dict(response or {})),
    )


@cache
def document() -> Mapping[str, Any]:
    """The whole of `catalog.json`."""
    text = files(__package__).joinpath("catalog.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return MappingProxyType(loaded)


@cache
def documented() -> Catalog:
    """The catalogue of the operations guide: its six queues."""
    raw = document()
    queues = {name: make_profile(**profile) for name, profile in raw["queues"].items()}
    return Catalog(queues=MappingProxyType(queues), backpressure=Backpressure(**raw["backpressure"]))


def _check_ladder(state: str, ladder: Mapping[str, int]) -> None:
    if state not in THRESHOLD_STATES:
        raise CatalogError(f"thresholds exist for {' and '.join(THRESHOLD_STATES)}, not for {state!r}")
    if unknown := set(ladder) - set(LEVELS):
        raise CatalogError(f"unknown level {sorted(unknown)[0]!r} of {state}; use {', '.join(LEVELS)}")
    values = [ladder[level] for level in LEVELS if level in ladder]
    if any(value < 0 for value in values):
        raise CatalogError(f"thresholds of {state} must be 0 or more")
    if any(low >= high for low, high in itertools.pairwise(values)):
        raise CatalogError(f"thresholds of {state} must climb from info to critical")
