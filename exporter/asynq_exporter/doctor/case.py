"""All that the checks look at; frozen, so a check is a pure function."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from asynq_exporter.core.catalog import document
from asynq_exporter.doctor.finding import SEVERITIES, Severity
from asynq_exporter.doctor.flow import Flow, between
from asynq_exporter.doctor.sample import Entry, Facts, Heartbeat, Running, Sample, WaitingGroup
from asynq_exporter.scan.queues import label
from asynq_exporter.scan.snapshot import Snapshot


class Row(NamedTuple):
    """A queue: its name for people, its numbers, and what moved between the scans."""

    queue: str
    numbers: Mapping[str, Any]
    flow: Flow | None


@dataclass(frozen=True, kw_only=True)
class Case:
    """One look at a live system."""

    #: The newest scan.
    last: Snapshot
    #: The one before; None when there was one scan only.
    first: Snapshot | None = None
    facts: Facts = field(default_factory=Facts)
    #: Queue and state -> some of the tasks.
    samples: Mapping[tuple[str, str], Sample] = field(default_factory=dict)
    running: tuple[Running, ...] = ()
    heartbeats: tuple[Heartbeat, ...] = ()
    entries: tuple[Entry, ...] = ()
    groups: tuple[WaitingGroup, ...] = ()
    #: Members of the registry of schedulers, dead ones included.
    schedulers_known: int = 0
    #: Key of an asynq that is no more -> what it was.
    old_keys: Mapping[str, str] = field(default_factory=dict)
    #: Whether the scan goes to all nodes of a cluster.
    whole_cluster: bool = False
    #: Part -> why it could not be read.
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def now(self) -> float:
        """Unix time of the newest scan."""
        return self.last.at_seconds

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The queues, those of the catalogue in its order, then the others by name."""
        queues = self.last.queues
        order = {name: position for position, name in enumerate(self.last.catalog.queues)}
        ranked = sorted(
            range(len(queues.names)), key=lambda i: (order.get(queues.names[i], len(order)), queues.names[i])
        )
        return tuple(
            Row(label(name), queues.row(index), between(self.first, self.last, name))
            for index in ranked
            for name in (queues.names[index],)
        )

    def sample(self, queue: str, state: str) -> Sample:
        """The tasks that were looked at; none when nobody looked."""
        return self.samples.get((queue, state), Sample(total=0, tasks=()))


def alert(name: str) -> Mapping[str, Any]:
    """The numbers of an alert, from the catalogue."""
    numbers: Mapping[str, Any] = document()["alerts"][name]
    return numbers


def doctor(name: str) -> Any:
    """A number of the doctor's own, from the catalogue."""
    return document()["doctor"][name]


def reached(value: float | None, ladder: Mapping[str, float]) -> Severity | None:
    """The worst level whose number is exceeded."""
    if value is None:
        return None
    return next((level for level in SEVERITIES if level in ladder and value > ladder[level]), None)
