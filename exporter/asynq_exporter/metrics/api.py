"""Metrics of the management API; counted by the web server, which alone sees its requests."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from asynq_exporter.metrics.family import Block, Family, counter

REQUESTS = counter(
    "asynq_api_requests_total",
    "Requests to the management API; `unknown` is a path that does not exist.",
    "endpoint",
    "method",
    "code",
)
WRITES = counter(
    "asynq_api_writes_total",
    "Writes of the management API: done, refused (4xx) or failed (5xx); dry runs are not counted.",
    "action",
    "result",
)

METRICS = (REQUESTS, WRITES)

RESULTS = ("done", "refused", "failed")


@dataclass(slots=True)
class Counts:
    """What was counted since the start."""

    #: (endpoint, method, status) -> requests.
    requests: dict[tuple[str, str, str], int] = field(default_factory=dict)
    #: (action, result) -> writes.
    writes: dict[tuple[str, str], int] = field(default_factory=dict)

    def count_request(self, endpoint: str, method: str, status: int) -> None:
        """Counts an answered request."""
        key = (endpoint, method, str(status))
        self.requests[key] = self.requests.get(key, 0) + 1

    def count_write(self, action: str, status: int) -> None:
        """Counts a write by the status of its answer."""
        key = (action, result(status))
        self.writes[key] = self.writes.get(key, 0) + 1


def result(status: int) -> str:
    """What a status says of a write."""
    if status < 400:
        return "done"
    return "refused" if status < 500 else "failed"


def collect(counts: Counts) -> Iterable[Family]:
    """The families of the API."""
    yield Family(REQUESTS, tuple(_blocks(("endpoint", "method", "code"), counts.requests)))
    yield Family(WRITES, tuple(_blocks(("action", "result"), counts.writes)))


def _blocks(labels: tuple[str, ...], numbers: Mapping[Any, int]) -> Iterable[Block]:
    for values, number in sorted(numbers.items()):
        yield Block((number,), labels=tuple(zip(labels, values, strict=True)))
