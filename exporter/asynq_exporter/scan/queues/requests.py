"""What is asked of Redis about a set of queues, as bytes.

The requests are built once and reused until the set or the UTC day changes; only the times in them are
replaced. Cost does not grow with the number of tasks or of groups.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from asynq_exporter.core import catalog, keys
from asynq_exporter.scan.commands import NOW, SINCE, fill, pack

#: Queues a slice: Redis reads one in a single gulp and is free for others after it.
SLICE = 16

#: How far into the old end of a list to look where its last entry tells nothing.
TAIL = 8

GROWTH_WINDOW_SECONDS: int = catalog.document()["archive"]["growth_window_seconds"]

#: A column of the first round, and how to ask for it.
FIRST_ROUND: Mapping[str, Callable[[str], bytes]] = {
    "pending": lambda q: pack("LLEN", keys.pending(q)),
    # These two stay side by side: tasks of one and leases of the other change together.
    "active": lambda q: pack("LLEN", keys.active(q)),
    "leases": lambda q: pack("ZCARD", keys.lease(q)),
    "scheduled": lambda q: pack("ZCARD", keys.scheduled(q)),
    "retry": lambda q: pack("ZCARD", keys.retry(q)),
    "archived": lambda q: pack("ZCARD", keys.archived(q)),
    "completed": lambda q: pack("ZCARD", keys.completed(q)),
    "groups": lambda q: pack("SCARD", keys.groups(q)),
    "scheduled_overdue": lambda q: pack("ZCOUNT", keys.scheduled(q), "-inf", NOW),
    "retry_overdue": lambda q: pack("ZCOUNT", keys.retry(q), "-inf", NOW),
    "lease_expired": lambda q: pack("ZCOUNT", keys.lease(q), "-inf", NOW),
    "tail": lambda q: pack("LINDEX", keys.pending(q), -1),
}

#: Commands a queue in the first round: those above, and one for its counters.
FIRST_ROUND_COMMANDS = len(FIRST_ROUND) + 1

#: The strings of a queue, read by one MGET.
COUNTERS = ("processed", "failed", "processed_today", "failed_today", "paused")

#: The time since when a task waits: length of its key, the key in two parts.
HGET_SINCE = b"*3\r\n$4\r\nHGET\r\n$%d\r\n%b%b\r\n$13\r\npending_since\r\n"


class Later(NamedTuple):
    """The prebuilt commands of the later rounds for one queue; each is sent only where it is needed."""

    oldest_active: bytes
    other_active: bytes
    dead_since: bytes
    oldest_dead: bytes
    first_scheduled: bytes
    first_retry: bytes
    oldest_pending: bytes
    #: Beginning of the key of each of its tasks.
    task_prefix: bytes

    def pending_since(self, task_id: bytes) -> bytes:
        """Asks since when a task of the queue waits."""
        return HGET_SINCE % (len(self.task_prefix) + len(task_id), self.task_prefix, task_id)


@dataclass(slots=True)
class Slice:
    """The queues that are asked about in one batch."""

    rows: range
    #: The first round of their commands, and what is sent along with it.
    request: bytes
    #: Commands of the second round that are sent along.
    foreseen: list[bytes] = field(default_factory=list)
    #: The second round of the last scan.
    asked: list[bytes] = field(default_factory=list)

    def learn(self, asked: list[bytes]) -> None:
        """Foresees what was asked in two scans in a row: a busy queue asks of another task each time."""
        foreseen = asked
        if asked != self.asked:
            before = set(self.asked)
            foreseen = [request for request in asked if request in before]
        self.asked = asked
        if foreseen != self.foreseen:
            first = self.request[: -sum(map(len, self.foreseen)) or None]
            self.foreseen, self.request = foreseen, b"".join([first, *foreseen])


class QueueRequests:
    """The prebuilt requests of a set of queues on one UTC day."""

    def __init__(self, names: tuple[str, ...], day: str, cuts: tuple[int, ...] = ()) -> None:
        """`cuts` are positions that no slice spans, such as where the queues of a cluster's node begin."""
        self.names = names
        self.day = day
        self.cuts = cuts
        self.slices = [
            Slice(rows, b"".join(map(self._first_round, names[rows.start : rows.stop])))
            for rows in _slices(len(names), cuts)
        ]
        self.later = [_later(queue) for queue in names]

    def _first_round(self, queue: str) -> bytes:
        counters = pack(
            "MGET",
            keys.processed(queue),
            keys.failed(queue),
            keys.processed_on(queue, self.day),
            keys.failed_on(queue, self.day),
            keys.paused(queue),
        )
        return b"".join(ask(queue) for ask in FIRST_ROUND.values()) + counters


def filled(template: bytes, now_seconds: int) -> bytes:
    """A prebuilt request with the times of a scan put in."""
    return fill(template, now=now_seconds, since=now_seconds - GROWTH_WINDOW_SECONDS)


def _slices(count: int, cuts: tuple[int, ...]) -> list[range]:
    edges = sorted({0, *cuts, count})
    return [
        range(start, min(start + SLICE, end))
        for begin, end in pairwise(edges)
        for start in range(begin, end, SLICE)
    ]


def _later(queue: str) -> Later:
    return Later(
        oldest_active=pack("LRANGE", keys.active(queue), -TAIL, -1),
        # The guide calls `active` a sorted set, and some old tool may have made one: count it, at least.
        other_active=pack("ZCARD", keys.active(queue)),
        dead_since=pack("ZCOUNT", keys.archived(queue), b"(" + SINCE, "+inf"),
        oldest_dead=pack("ZRANGE", keys.archived(queue), 0, 0, "WITHSCORES"),
        first_scheduled=pack("ZRANGE", keys.scheduled(queue), 0, 0, "WITHSCORES"),
        first_retry=pack("ZRANGE", keys.retry(queue), 0, 0, "WITHSCORES"),
        oldest_pending=pack("LRANGE", keys.pending(queue), -TAIL, -1),
        task_prefix=keys.task_prefix(queue).encode("utf-8", "surrogateescape"),
    )
