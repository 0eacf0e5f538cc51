"""Reads the numbers of a set of queues; replies are taken by the column, not one by one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from asynq_exporter.core import keys
from asynq_exporter.scan.commands import pack
from asynq_exporter.scan.pipe import Batch, Reply, ReplyError
from asynq_exporter.scan.queues.ask import Ask
from asynq_exporter.scan.queues.columns import label
from asynq_exporter.scan.queues.orphans import Orphans
from asynq_exporter.scan.queues.requests import (
    COUNTERS,
    FIRST_ROUND,
    FIRST_ROUND_COMMANDS,
    QueueRequests,
    Slice,
    filled,
)

#: Total -> its counter of today, and where it lies.
TOTALS: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "processed": ("processed_today", keys.processed),
    "failed": ("failed_today", keys.failed),
}

#: A column that a later round fills -> the count that, being 0, says that it is 0.
EMPTY = {
    "latency_seconds": "pending",
    "tail_latency_seconds": "pending",
    "no_lease": "active",
    "dead_last_hour": "archived",
    "oldest_dead_seconds": "archived",
}

#: The columns that a later round fills.
LATER = (*EMPTY, "forwarding_delay_seconds")


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
        self.orphans = Orphans(self.names, self.columns, requests.later)
        #: Whether the first round of a queue has been answered.
        self.read = [False] * len(self.names)
        self._slices = requests.slices
        self._later = requests.later

    def batches(self) -> list[Batch]:
        """The first round, a batch for each slice, and what can be foreseen of the second."""
        return [
            Batch(
                filled(piece.request, self.now_seconds),
                len(piece.rows) * FIRST_ROUND_COMMANDS + len(piece.foreseen),
                partial(self._take_slice, piece),
                self._key(piece.rows.start),
            )
            for piece in self._slices
        ]

    def _take_slice(self, piece: Slice, replies: list[Reply]) -> list[Batch]:
        count = len(piece.rows) * FIRST_ROUND_COMMANDS
        asks = self._take_first_round(piece.rows, replies[:count])
        asked = [request for ask in asks for request in ask.requests]
        if asked == piece.foreseen:
            left = self._take_asks(asks, replies[count:])
        else:
            left = self._take_foreseen(asks, dict(zip(piece.foreseen, replies[count:], strict=True)))
        piece.learn(asked)
        return self._batches(left)

    def _take_foreseen(self, asks: list[Ask], known: Mapping[bytes, Reply]) -> list[Ask]:
        """Takes the replies that came before the question; what is left to ask."""
        left: list[Ask] = []
        for ask in asks:
            early = ask.only(lambda request: request in known)
            left += self._take_ask(early, [known[request] for request in early.requests])
            left.append(ask.only(lambda request: request not in known))
        return [ask for ask in left if ask.rows]

    def _take_first_round(self, rows: range, replies: list[Reply]) -> list[Ask]:
        step, columns, start, end = FIRST_ROUND_COMMANDS, self.columns, rows.start, rows.stop
        for offset, name in enumerate(FIRST_ROUND):
            columns[name][start:end] = replies[offset::step]
        if ReplyError in set(map(type, replies)):
            self._remove_errors(start, end)
        self.read[start:end] = [True] * (end - start)
        return [*self._take_all_counters(rows, replies[step - 1 :: step]), *self._second_round(rows)]

    def _remove_errors(self, start: int, end: int) -> None:
        for name in FIRST_ROUND:
            column = self.columns[name]
            for row in range(start, end):
                if type(column[row]) is ReplyError:
                    self._fail(row, name, column[row].text)
                    column[row] = None

    def _take_all_counters(self, rows: range, replies: list[Reply]) -> list[Ask]:
        try:
            return self._take_counters(rows, replies)
        except (ValueError, TypeError):
            asks: list[Ask] = []
            for row, reply in zip(rows, replies, strict=True):
                try:
                    asks += self._take_counters(range(row, row + 1), [reply])
                except (ValueError, TypeError):
                    text = reply.text if type(reply) is ReplyError else f"not a number: {reply!r:.100}"
                    self._fail(row, "counters", text)
            return asks

    def _take_counters(self, rows: range, replies: list[Reply]) -> list[Ask]:
        part = slice(rows.start, rows.stop)
        found = dict(zip(COUNTERS, zip(*replies, strict=True), strict=True))
        paused = [int(value is not None) for value in found.pop("paused")]
        numbers = {
            name: [None if value is None else int(value) for value in values]
            for name, values in found.items()
        }
        asks = []
        for total, (today, key) in TOTALS.items():
            # A total that was never written is no zero where a daily counter exists: servers before 0.20
            # kept only those (wire section 8).
            numbers[today] = [value or 0 for value in numbers[today]]
            if None in numbers[total]:
                asks.append(self._ask_type(total, key, rows, numbers))
        for name, values in numbers.items():
            self.columns[name][part] = values
        self.columns["paused"][part] = paused
        return asks

    def _ask_type(
        self, total: str, key: Callable[[str], str], rows: range, numbers: Mapping[str, list[int | None]]
    ) -> Ask:
        """Puts the counter of today in the place of totals that are missing, and asks why they are.

        MGET answers nil for a key of another type too; TYPE tells the two apart.
        """
        missing = [index for index, value in enumerate(numbers[total]) if value is None]
        for index in missing:
            numbers[total][index] = numbers[TOTALS[total][0]][index]
        missing_rows = [rows[index] for index in missing]
        requests = [pack("TYPE", key(self.names[row])) for row in missing_rows]
        return Ask(missing_rows, requests, partial(self._take_types, total))

    def _take_types(self, total: str, rows: Sequence[int], kinds: Sequence[Reply]) -> list[Ask]:
        for row, kind in zip(rows, kinds, strict=True):
            if kind not in (b"none", b"string"):  # a string was written this very moment
                self._fail(row, total, f"WRONGTYPE {kind!r} instead of a string")
                self.columns[total][row] = None
        return []

    def _second_round(self, rows: range) -> Iterable[Ask]:
        """What to ask further of queues, given their sizes; empty parts get their plain answer at once."""
        columns, later = self.columns, self._later
        part = slice(rows.start, rows.stop)
        for name, count in EMPTY.items():
            columns[name][part] = [0 if number == 0 else None for number in columns[count][part]]
        overdue = zip(columns["scheduled_overdue"][part], columns["retry_overdue"][part], strict=True)
        columns["forwarding_delay_seconds"][part] = [None if None in both else 0 for both in overdue]

        def where(name: str) -> list[int]:
            column = columns[name]
            return [row for row in rows if column[row]]

        tails = where("tail")
        if tails:
            requests = [later[row].pending_since(columns["tail"][row]) for row in tails]
            yield Ask(tails, requests, self._take_tails)
        if active := where("active"):
            yield self.orphans.ask(active)
        if archived := where("archived"):
            yield Ask(archived, [later[row].dead_since for row in archived], self._take_dead_since)
            yield Ask(archived, [later[row].oldest_dead for row in archived], self._take_oldest_dead)
        if due := where("scheduled_overdue"):
            yield Ask(due, [later[row].first_scheduled for row in due], self._take_first_due)
        if due := where("retry_overdue"):
            yield Ask(due, [later[row].first_retry for row in due], self._take_first_due)
        if None in columns["active"][part]:
            other = [row for row in rows if columns["active"][row] is None]
            yield Ask(other, [later[row].other_active for row in other], self._take_other_active)

    def _batches(self, asks: list[Ask]) -> list[Batch]:
        if not asks:
            return []
        request = filled(b"".join([request for ask in asks for request in ask.requests]), self.now_seconds)
        replies = sum([len(ask.rows) for ask in asks])
        return [Batch(request, replies, partial(self._take_batch, asks), self._key(asks[0].rows[0]))]

    def _key(self, row: int) -> bytes:
        """The beginning of the keys of a queue, which has what places them all."""
        return self._later[row].task_prefix

    def _take_batch(self, asks: list[Ask], replies: list[Reply]) -> list[Batch]:
        return self._batches(self._take_asks(asks, replies))

    def _take_asks(self, asks: list[Ask], replies: list[Reply]) -> list[Ask]:
        more: list[Ask] = []
        start = 0
        for ask in asks:
            end = start + len(ask.rows)
            more += self._take_ask(ask, replies[start:end])
            start = end
        return more

    def _take_ask(self, ask: Ask, replies: list[Reply]) -> list[Ask]:
        if ReplyError not in set(map(type, replies)):
            try:
                return ask.take(ask.rows, replies)
            except (ValueError, TypeError, IndexError):
                pass  # one of them is odd: the others are not to suffer for it
        more: list[Ask] = []
        for row, reply in zip(ask.rows, replies, strict=True):
            if type(reply) is ReplyError:
                self._fail(row, "second look", reply.text)
                continue
            try:
                more += ask.take((row,), (reply,))
            except (ValueError, TypeError, IndexError) as exc:
                self._fail(row, "second look", f"unexpected reply {reply!r:.80} ({exc})")
        return more

    def _take_tails(self, rows: Sequence[int], times: Sequence[Reply]) -> list[Ask]:
        now_ns, latency, tail_latency = (
            self.now_ns,
            self.columns["latency_seconds"],
            self.columns["tail_latency_seconds"],
        )
        silent = []
        for row, since in zip(rows, times, strict=True):
            if since is None:
                silent.append(row)
                continue
            # Upstream shows the difference of the clocks as it is, be it negative. But a task from the future
            # has waited for nothing yet.
            tail_latency[row] = age = (now_ns - int(since)) / 1e9
            latency[row] = max(age, 0.0)
        if not silent:
            return []
        # A next task does not tell since when it waits: it was requeued or run by hand. Its neighbours may.
        return [Ask(silent, [self._later[row].oldest_pending for row in silent], self._take_tail_windows)]

    def _take_tail_windows(self, rows: Sequence[int], windows: Sequence[Reply]) -> list[Ask]:
        # Newest first, so that the oldest one that tells is the last to be written.
        found = [(row, task_id) for row, window in zip(rows, windows, strict=True) for task_id in window]
        requests = [self._later[row].pending_since(task_id) for row, task_id in found]
        return [Ask([row for row, _ in found], requests, self._take_neighbours)] if found else []

    def _take_neighbours(self, rows: Sequence[int], times: Sequence[Reply]) -> list[Ask]:
        for row, since in zip(rows, times, strict=True):
            if since is not None:
                self.columns["latency_seconds"][row] = max(self.now_ns - int(since), 0) / 1e9
        return []

    def _take_other_active(self, rows: Sequence[int], counts: Sequence[Reply]) -> list[Ask]:
        return self._take_numbers("active", rows, counts)

    def _take_dead_since(self, rows: Sequence[int], counts: Sequence[Reply]) -> list[Ask]:
        return self._take_numbers("dead_last_hour", rows, counts)

    def _take_oldest_dead(self, rows: Sequence[int], firsts: Sequence[Reply]) -> list[Ask]:
        return self._take_ages("oldest_dead_seconds", rows, firsts)

    def _take_first_due(self, rows: Sequence[int], firsts: Sequence[Reply]) -> list[Ask]:
        return self._take_ages("forwarding_delay_seconds", rows, firsts)

    def _take_numbers(self, name: str, rows: Sequence[int], counts: Sequence[Reply]) -> list[Ask]:
        column = self.columns[name]
        for row, count in zip(rows, counts, strict=True):
            column[row] = int(count)
        return []

    def _take_ages(self, name: str, rows: Sequence[int], firsts: Sequence[Reply]) -> list[Ask]:
        """Ages of the lowest scores; of two sets that share a column the older one wins."""
        column, now = self.columns[name], self.now_ns / 1e9
        for row, first in zip(rows, firsts, strict=True):
            age = max(now - float(first[1]), 0.0) if first else 0.0
            column[row] = max(column[row] or 0, age)
        return []

    def _fail(self, row: int, what: str, text: str) -> None:
        queue = self.names[row]
        self.errors.setdefault(queue, f"{what} of queue {label(queue)!r}: {text}")
