"""What one pass leaves to the next."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from asynq_exporter.scan.queues import QueueRequests
from asynq_exporter.scan.selection import queue_names
from asynq_exporter.scan.snapshot import Selection, Server

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Same(Generic[Question, Answer]):
    """Answers anew only when the question differs from the last one."""

    def __init__(self, work_out: Callable[[Question], Answer]) -> None:
        self._work_out = work_out
        self._last: tuple[Question, Answer] | None = None

    def __call__(self, question: Question) -> Answer:
        """The answer, maybe that of the last time."""
        if self._last is None or self._last[0] != question:
            self._last = question, self._work_out(question)
        return self._last[1]


@dataclass(slots=True)
class Kept:
    """It saves work; nothing of it is ever shown as found."""

    selected: Same[set[str], tuple[tuple[str, ...], Selection]]
    #: Record bytes -> server, decoded.
    servers: dict[bytes, Server] = field(default_factory=dict)
    #: Queues that live servers consumed last time: most likely they still do.
    consumed: frozenset[str] = frozenset()
    names: Same[list[bytes], set[str]] = field(default_factory=lambda: Same(queue_names))
    #: The registry of queues as it was last read.
    members: list[bytes] = field(default_factory=list)
    requests: QueueRequests = field(default_factory=lambda: QueueRequests((), ""))
    #: Requests of the records of servers and schedulers, as the last pass sent them.
    records: list[bytes] = field(default_factory=list)
    #: Queues that the next pass asks for before it knows which ones there are.
    expected: tuple[str, ...] = ()
    found: tuple[str, ...] | None = None

    def expect(self, found: tuple[str, ...]) -> None:
        """Learns from the queues that were found; where they change all the time, it expects none."""
        self.expected = found if self.found in (None, found) else ()
        self.found = found

    def requests_for(self, names: tuple[str, ...], day: str, cuts: tuple[int, ...]) -> QueueRequests:
        """The prebuilt requests of a set of queues, built anew only when it or the day changed."""
        wanted = (names, day, cuts)
        if (self.requests.names, self.requests.day, self.requests.cuts) != wanted:
            self.requests = QueueRequests(names, day, cuts)
        return self.requests
