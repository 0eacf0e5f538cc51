"""When a failed task is tried again, and when no more (guide sections 1.4 and 6.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from random import Random
from types import MappingProxyType
from typing import Protocol

from asynq_exporter.core import catalog

#: The class of a task whose platform is not known.
DEFAULT = "default"

#: The jitter of asynq is a whole number below this (wire section 5.6).
ASYNQ_JITTER = 30


class DelayPolicy(Protocol):
    """Says how long a failed task waits."""

    def delay_seconds(self, retried: int) -> float:
        """The wait before the next attempt of a task that was retried so often before this failure."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff between two bounds, for a number of retries."""

    initial_seconds: float
    max_seconds: float
    max_retries: int

    def delay_seconds(self, retried: int) -> float:
        """The wait before the next attempt of a task that was retried so often before this failure."""
        # Bounded first: two to the power of a large number is not worth computing.
        doublings = min(max(retried, 0), 64)
        return min(self.initial_seconds * 2.0**doublings, self.max_seconds)

    def is_exhausted(self, retried: int) -> bool:
        """Whether a task that was retried so often belongs into the archive."""
        return retried >= self.max_retries


@dataclass(frozen=True, slots=True, kw_only=True)
class AsynqDelayPolicy:
    """The wait that asynq itself uses: the fourth power of the retries, and chance (wire section 5.6)."""

    random: Random

    def delay_seconds(self, retried: int) -> float:
        """The wait before the next attempt of a task that was retried so often before this failure."""
        return asynq_delay_seconds(max(retried, 0), jitter=self.random.randrange(ASYNQ_JITTER))


@cache
def documented() -> Mapping[str, RetryPolicy]:
    """The policies of the guide by class of platform: long, medium, short and default."""
    rows = catalog.document()["retry"]
    return MappingProxyType({name: RetryPolicy(**row) for name, row in rows.items()})


def for_class(platform_class: str) -> RetryPolicy:
    """The policy of a class of platform; the default one where it is not documented."""
    policies = documented()
    return policies.get(platform_class, policies[DEFAULT])


def asynq_delay_seconds(retried: int, *, jitter: int) -> int:
    """The delay that asynq itself uses, with a jitter of 0 to 29 drawn by the caller (wire section 5.6)."""
    return retried**4 + 15 + jitter * (retried + 1)
