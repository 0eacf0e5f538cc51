"""The numbers of the queues: thirteen plain commands for each, and a few more where something is there.

The requests of a set of queues are built once and reused until the set or the UTC day changes; only the
times in them are replaced. Cost does not grow with the number of tasks or of groups.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, NamedTuple

from asynq_exporter.core import catalog, keys
from asynq_exporter.core.catalog import BackpressureState, Catalog
from asynq_exporter.scan.commands import NOW, SINCE, fill, pack
from asynq_exporter.scan.pipe import Batch, Reply, ReplyError
from asynq_exporter.scan.snapshot import Column, Queues

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

#: Total -> its counter of today.
TOTALS = (("processed", "processed_today"), ("failed", "failed_today"))

#: The time since when a task waits: length of its key, the key in two parts.
HGET_SINCE = b"*3\r\n$4\r\nHGET\r\n$%d\r\n%b%b\r\n$13\r\npending_since\r\n"

#: Columns that a later round fills; they begin as what an empty queue has.
LATER = (
    "latency_seconds",
    "tail_latency_seconds",
    "forwarding_delay_seconds",
    "no_lease",
    "dead_last_hour",
    "oldest_dead_seconds",
)


class Ask(NamedTuple):
    """One command of a later round, the queue it is for and who takes the reply."""

    row: int
    request: bytes
    take: Callable[[int, Reply], "list[Ask] | None"]


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


class QueueRequests:
    """The prebuilt requests of a set of queues on one UTC day."""

    def __init__(self, names: tuple[str, ...], day: str) -> None:
        self.names = names
        self.day = day
        self.slices = [
            (start, b"".join(map(self._first_round, names[start : start + SLICE])))
            for start in range(0, len(names), SLICE)
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


class QueuePass:
    """Reads one set of queues once; `columns` fills up as replies come in."""

    def __init__(self, requests: QueueRequests, *, now_ns: int) -> None:
        self.names = requests.names
        self.now_ns = now_ns
        self.now_seconds = now_ns // 1_000_000_000
        self.columns: dict[str, list[Any]] = {
            name: [None] * len(self.names) for name in (*FIRST_ROUND, *COUNTERS, *LATER)
        }
        #: Queue -> what is wrong with it.
        self.errors: dict[str, str] = {}
        #: Queue -> IDs of its longest-running tasks, the oldest last.
        self.oldest_active: dict[int, list[bytes]] = {}
        #: Totals that MGET had nothing for.
        self.missing_totals: list[tuple[int, str]] = []
        #: Whether the first round of a queue has been answered.
        self.read = [False] * len(self.names)
        self._slices = requests.slices
        self._later = requests.later
        self._take_dead_since = partial(self._take_number, "dead_last_hour")
        self._take_oldest_dead = partial(self._take_age, "oldest_dead_seconds")
        self._take_first_due = partial(self._take_age, "forwarding_delay_seconds")

    def batches(self) -> list[Batch]:
        """The first round, a batch for each slice."""
        return [
            Batch(
                self._fill(request),
                min(SLICE, len(self.names) - start) * FIRST_ROUND_COMMANDS,
                partial(self._take_first_round, start),
            )
            for start, request in self._slices
        ]

    def _take_first_round(self, start: int, replies: list[Reply]) -> Batch | None:
        step, columns = FIRST_ROUND_COMMANDS, self.columns
        end = start + len(replies) // step
        for offset, name in enumerate(FIRST_ROUND):
            columns[name][start:end] = replies[offset::step]
        for index, values in zip(range(start, end), replies[step - 1 :: step], strict=True):
            self._take_counters(index, values)
        if any(type(reply) is ReplyError for reply in replies):
            self._remove_errors(start, end)
        self.read[start:end] = [True] * (end - start)
        asks = self._ask_missing_totals()
        for index in range(start, end):
            asks += self._second_round(index)
        return self._batch(asks)

    def _ask_missing_totals(self) -> list[Ask]:
        """MGET answers nil for a key of another type too; TYPE tells the two apart."""
        key_of = {"processed": keys.processed, "failed": keys.failed}
        asks = [
            Ask(index, pack("TYPE", key_of[total](self.names[index])), partial(self._take_type, total))
            for index, total in self.missing_totals
        ]
        self.missing_totals.clear()
        return asks

    def _take_type(self, total: str, index: int, kind: Reply) -> None:
        if kind not in (b"none", b"string"):  # a string was written this very moment
            self._fail(index, total, f"WRONGTYPE {kind!r} instead of a string")
            self.columns[total][index] = None

    def _take_counters(self, index: int, values: Reply) -> None:
        columns = self.columns
        if type(values) is ReplyError:
            self._fail(index, "counters", values.text)
            return
        try:
            for name, value in zip(COUNTERS, values, strict=True):
                if name == "paused":
                    columns[name][index] = int(value is not None)
                else:
                    columns[name][index] = None if value is None else int(value)
        except (ValueError, TypeError):
            self._fail(index, "counters", f"not a number: {values!r:.100}")
            return
        # A total that was never written is no zero where a daily counter exists: servers before 0.20
        # kept only those (wire section 8).
        for total, today in TOTALS:
            columns[today][index] = columns[today][index] or 0
            if columns[total][index] is None:
                self.missing_totals.append((index, total))
                columns[total][index] = columns[today][index]

    def _remove_errors(self, start: int, end: int) -> None:
        for name in FIRST_ROUND:
            column = self.columns[name]
            for index in range(start, end):
                if type(column[index]) is ReplyError:
                    self._fail(index, name, column[index].text)
                    column[index] = None

    def _second_round(self, index: int) -> list[Ask]:
        """What to ask further of a queue, given its sizes; empty parts get their plain answer at once."""
        columns, later = self.columns, self._later[index]
        asks: list[Ask] = []
        if tail := columns["tail"][index]:
            asks.append(self._ask_since(index, tail, self._take_tail))
        elif columns["pending"][index] == 0:
            columns["latency_seconds"][index] = columns["tail_latency_seconds"][index] = 0
        if columns["active"][index]:
            asks.append(Ask(index, later.oldest_active, self._take_oldest_active))
        elif columns["active"][index] == 0:
            columns["no_lease"][index] = 0
        elif columns["active"][index] is None:
            asks.append(Ask(index, later.other_active, self._take_other_active))
        if columns["archived"][index]:
            asks.append(Ask(index, later.dead_since, self._take_dead_since))
            asks.append(Ask(index, later.oldest_dead, self._take_oldest_dead))
        elif columns["archived"][index] == 0:
            columns["dead_last_hour"][index] = columns["oldest_dead_seconds"][index] = 0
        if columns["scheduled_overdue"][index] is not None and columns["retry_overdue"][index] is not None:
            columns["forwarding_delay_seconds"][index] = 0
        if columns["scheduled_overdue"][index]:
            asks.append(Ask(index, later.first_scheduled, self._take_first_due))
        if columns["retry_overdue"][index]:
            asks.append(Ask(index, later.first_retry, self._take_first_due))
        return asks

    def _batch(self, asks: list[Ask]) -> Batch | None:
        if not asks:
            return None
        request = self._fill(b"".join([ask.request for ask in asks]))
        return Batch(request, len(asks), partial(self._take_asks, asks))

    def _fill(self, template: bytes) -> bytes:
        return fill(template, now=self.now_seconds, since=self.now_seconds - GROWTH_WINDOW_SECONDS)

    def _take_asks(self, asks: list[Ask], replies: list[Reply]) -> Batch | None:
        more: list[Ask] = []
        for ask, reply in zip(asks, replies, strict=True):
            if type(reply) is ReplyError:
                self._fail(ask.row, "second look", reply.text)
                continue
            try:
                more += ask.take(ask.row, reply) or ()
            except (ValueError, TypeError, IndexError) as exc:
                self._fail(ask.row, "second look", f"unexpected reply {reply!r:.80} ({exc})")
        return self._batch(more)

    def _ask_since(self, index: int, task_id: bytes, take: Callable[[int, Reply], list[Ask] | None]) -> Ask:
        prefix = self._later[index].task_prefix
        return Ask(index, HGET_SINCE % (len(prefix) + len(task_id), prefix, task_id), take)

    def _take_tail(self, index: int, since: Reply) -> list[Ask] | None:
        if since is not None:
            self.columns["latency_seconds"][index] = self._age_of(since)
            # Upstream shows the difference of the clocks as it is, be it negative.
            self.columns["tail_latency_seconds"][index] = (self.now_ns - int(since)) / 1e9
            return None
        # The next task does not tell since when it waits: it was requeued or run by hand. Its neighbours may.
        return [Ask(index, self._later[index].oldest_pending, self._take_tail_window)]

    def _take_tail_window(self, index: int, task_ids: Reply) -> list[Ask]:
        # Newest first, so that the oldest one that tells is the last to be written.
        return [self._ask_since(index, task_id, self._take_neighbour) for task_id in task_ids]

    def _take_neighbour(self, index: int, since: Reply) -> None:
        if since is not None:
            self.columns["latency_seconds"][index] = self._age_of(since)

    def _age_of(self, since_ns: bytes) -> float:
        # Clocks of clients differ; a task from the future has waited for nothing yet.
        return max(self.now_ns - int(since_ns), 0) / 1e9

    def _take_oldest_active(self, index: int, task_ids: Reply) -> list[Ask] | None:
        self.oldest_active[index] = task_ids
        active, leases = self.columns["active"][index], self.columns["leases"][index]
        if leases is None:
            return None
        self.columns["no_lease"][index] = max(active - leases, 0)
        if active == leases and not self.columns["lease_expired"][index]:
            return None
        # A stale lease can hide a missing one from the difference, and a task may just be on its way out.
        # So ask for the leases of the oldest, and then which of them are still active.
        missing: list[bytes] = []
        return [
            Ask(
                index,
                pack("ZMSCORE", keys.lease(self.names[index]), *task_ids),
                partial(self._take_leases, task_ids, missing),
            ),
            Ask(
                index,
                self._later[index].oldest_active,
                partial(self._take_still_active, missing),
            ),
        ]

    @staticmethod
    def _take_leases(task_ids: list[bytes], missing: list[bytes], _index: int, scores: Reply) -> None:
        missing += [task_id for task_id, score in zip(task_ids, scores, strict=True) if score is None]

    def _take_still_active(self, missing: list[bytes], index: int, task_ids: Reply) -> None:
        column = self.columns["no_lease"]
        column[index] = max(column[index] or 0, len(set(missing).intersection(task_ids)))

    def _take_other_active(self, index: int, count: Reply) -> None:
        self.columns["active"][index] = int(count)

    def _take_number(self, name: str, index: int, count: Reply) -> None:
        self.columns[name][index] = int(count)

    def _take_age(self, name: str, index: int, first: Reply) -> None:
        """Age of the lowest score; of two sets that share a column the older one wins."""
        column = self.columns[name]
        age = max(self.now_ns / 1e9 - float(first[1]), 0.0) if first else 0.0
        column[index] = max(column[index] or 0, age)

    def _fail(self, index: int, what: str, text: str) -> None:
        queue = self.names[index]
        self.errors.setdefault(queue, f"{what} of queue {label(queue)!r}: {text}")


def label(queue: str) -> str:
    """The name of a queue as text: bytes that are no UTF-8 are shown escaped."""
    return queue.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def build(
    names: tuple[str, ...],
    columns: Mapping[str, list[Any]],
    *,
    catalog: Catalog,
    registered: AbstractSet[str],
    aggregating: Mapping[str, int],
    workers: Mapping[str, int],
    oldest_active_seconds: Column,
) -> Queues:
    """The frozen columns of a scan, with those that follow from others.

    Args:
        names: the queues, in the order of the columns.
        columns: what `QueuePass` read.
        catalog: weights and capacities.
        registered: names in `asynq:queues`.
        aggregating: queue -> tasks in groups, where they were counted.
        workers: queue -> live servers that consume it.
        oldest_active_seconds: from the worker records.
    """
    grouped: list[int | None] = [
        0 if groups == 0 else aggregating.get(name)
        for name, groups in zip(names, columns["groups"], strict=True)
    ]
    size = [
        None if None in parts else sum(parts) + (in_groups or 0)
        for *parts, in_groups in zip(
            *(columns[state] for state in ("pending", "active", "scheduled", "retry")), grouped, strict=True
        )
    ]
    profiles = [catalog.queues.get(name) for name in names]
    utilization = [
        None if total is None or profile is None else total / profile.capacity
        for total, profile in zip(size, profiles, strict=True)
    ]
    backpressure: list[BackpressureState | None] = [
        None if ratio is None else catalog.backpressure.state(ratio) for ratio in utilization
    ]
    plain = {name: tuple(column) for name, column in columns.items() if name not in {"tail", "leases"}}
    return Queues(
        names=names,
        registered=tuple(int(name in registered) for name in names),
        size=tuple(size),
        aggregating=tuple(grouped),
        workers=tuple(workers.get(name, 0) for name in names),
        weight=tuple(None if profile is None else profile.weight for profile in profiles),
        capacity=tuple(None if profile is None else profile.capacity for profile in profiles),
        utilization=tuple(utilization),
        backpressure=tuple(backpressure),
        oldest_active_seconds=tuple(oldest_active_seconds),
        **plain,
    )
