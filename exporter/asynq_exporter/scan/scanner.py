"""One pass over Redis: what is asked in which order, within which time, and what a failure costs."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

import redis.exceptions

from asynq_exporter.core import keys
from asynq_exporter.core.catalog import Catalog
from asynq_exporter.core.clock import Clock, SystemClock, utc_day
from asynq_exporter.scan import breakers, queues, redis_info
from asynq_exporter.scan.commands import NOW, fill, pack
from asynq_exporter.scan.pipe import UNREACHABLE, Batch, Reply, ReplyError
from asynq_exporter.scan.queues import QueuePass, QueueRequests
from asynq_exporter.scan.route import Route, Source, make_route
from asynq_exporter.scan.schedulers import SchedulersPass
from asynq_exporter.scan.snapshot import (
    Breaker,
    Cost,
    Part,
    Queues,
    RedisInfo,
    Samples,
    Selection,
    Server,
    Snapshot,
)
from asynq_exporter.scan.workers import OldestActivePass, WorkersPass

#: Slices in flight on a near Redis, and at most; a far one is kept busy by more of them.
MIN_WINDOW = 2
MAX_WINDOW = 64

#: About how long Redis works on a slice.
SLICE_SECONDS = 0.0003

#: A name stands in about 40 samples, each time as a label; a longer one counts as cut by the ceiling.
MAX_NAME_CHARACTERS = 512

#: Members of the registry that are keys of asynq before 0.12, not names (wire section 8).
OLD_PREFIX = keys.QUEUES + ":"

DISCOVERY = (
    pack("PING")
    + pack("SMEMBERS", keys.QUEUES)
    + pack("ZRANGEBYSCORE", keys.SERVERS, NOW, "+inf")
    + pack("ZRANGEBYSCORE", keys.SCHEDULERS, NOW, "+inf")
    + redis_info.REQUEST
    + breakers.REQUEST
)
DISCOVERY_COMMANDS = 6

#: Parts of every scan, named as in the label `collector`.
PARTS = ("queues", "workers", "schedulers", "breakers", "redis")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilter:
    """Which queues are read."""

    include: tuple[re.Pattern[str], ...] = ()
    exclude: tuple[re.Pattern[str], ...] = ()
    #: Ceiling on the number of queues, against runaway names.
    maximum: int = 1000

    def select(self, names: set[str], *, first: Iterable[str]) -> tuple[tuple[str, ...], Selection]:
        """The names to read, in order; those of `first` survive the ceiling before the others."""
        short = {name for name in names if len(name) <= MAX_NAME_CHARACTERS}
        wanted = sorted(filter(self._wants, short))
        kept = wanted
        if len(wanted) > self.maximum:
            ahead = [name for name in first if name in names and self._wants(name)]
            kept = sorted(list(dict.fromkeys(ahead + wanted))[: self.maximum])
        counts = Selection(
            read=len(kept),
            excluded=len(short) - len(wanted),
            cut=len(wanted) - len(kept) + len(names) - len(short),
        )
        return tuple(kept), counts

    def _wants(self, name: str) -> bool:
        if self.include and not any(pattern.fullmatch(name) for pattern in self.include):
            return False
        return not any(pattern.fullmatch(name) for pattern in self.exclude)


def queue_names(members: Iterable[bytes]) -> set[str]:
    """The queues of the registry; bytes that are no UTF-8 travel as surrogates."""
    names = {member.decode("utf-8", "surrogateescape") for member in members}
    names = {name for name in names if not name.startswith(OLD_PREFIX)}
    if all(map(str.isascii, names)):
        return names
    # Two names must not look alike as labels: Prometheus would refuse the whole page.
    return set({queues.label(name): name for name in sorted(names, reverse=True)}.values())


Question = TypeVar("Question")
Answer = TypeVar("Answer")


class _Same(Generic[Question, Answer]):
    """Answers anew only when the question differs from the last one."""

    def __init__(self, work_out: Callable[[Question], Answer]) -> None:
        self._work_out = work_out
        self._last: tuple[Question, Answer] | None = None

    def __call__(self, question: Question) -> Answer:
        if self._last is None or self._last[0] != question:
            self._last = question, self._work_out(question)
        return self._last[1]


@dataclass(slots=True)
class _Kept:
    """What one pass leaves to the next, to save it work; nothing of it is ever shown as found."""

    selected: _Same[set[str], tuple[tuple[str, ...], Selection]]
    #: Record bytes -> server, decoded.
    servers: dict[bytes, Server] = field(default_factory=dict)
    #: Queues that live servers consumed last time: most likely they still do.
    consumed: frozenset[str] = frozenset()
    names: _Same[list[bytes], set[str]] = field(default_factory=lambda: _Same(queue_names))
    #: The registry of queues as it was last read.
    members: list[bytes] = field(default_factory=list)
    requests: QueueRequests = field(default_factory=lambda: QueueRequests((), ""))
    ping_seconds: float = 0.0
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


class Scanner:
    """Makes Snapshots of one Redis; keeps its connections, its prebuilt requests and its counts of errors."""

    def __init__(
        self,
        client: Source,
        catalog: Catalog,
        *,
        clock: Clock | None = None,
        queue_filter: QueueFilter | None = None,
        samples: Callable[[], Samples] = Samples,
    ) -> None:
        self._catalog = catalog
        self._clock = clock or SystemClock()
        self._filter = queue_filter or QueueFilter()
        self._samples = samples
        self._route = make_route(client)
        self._kept = _Kept(selected=_Same(partial(self._filter.select, first=catalog.queues)))
        self._error_counts: Counter[str] = Counter()
        self._last_success_at: float | None = None

    async def close(self) -> None:
        """Drops the connections."""
        await self._route.close()

    async def scan(self, *, timeout_seconds: float) -> Snapshot:
        """One pass within a time; never raises for what Redis does or fails to do."""
        started = time.perf_counter()
        self._route.begin(timeout_seconds=timeout_seconds)
        # That Redis closed a connection since the last scan shows only in use: then a fresh one is tried.
        attempts = 2 if self._route.is_open else 1
        run = self._new_pass()
        try:
            async with asyncio.timeout(timeout_seconds):
                while True:
                    attempts -= 1
                    try:
                        await run.go()
                        break
                    except UNREACHABLE:
                        if not attempts:
                            raise
                        run = self._new_pass()
        except TimeoutError:
            # What was read stands, the rest is named; with nothing read Redis counts as away.
            return self._finish(run, f"no answer within {timeout_seconds:g} s", started, up=run.any_read)
        except UNREACHABLE as exc:
            return self._finish(run, str(exc) or type(exc).__name__, started, up=False)
        return self._finish(run, "", started, up=True)

    def unanswered(self, *, error: str, cost: Cost | None = None) -> Snapshot:
        """The snapshot of a Redis that did not answer: no numbers, every part failed."""
        return Snapshot(
            at_seconds=self._clock.now_ns() / 1e9,
            catalog=self._catalog,
            up=False,
            error=error,
            cost=cost or Cost(),
            parts={name: Part(success=False, duration_seconds=0.0, error=error) for name in PARTS},
            queue_error_counts=dict(self._error_counts),
            last_success_at_seconds=self._last_success_at,
        )

    def _new_pass(self) -> "_Pass":
        return _Pass(self._route, self._kept, self._catalog, now_ns=self._clock.now_ns())

    def _finish(self, run: "_Pass", error: str, started: float, *, up: bool) -> Snapshot:
        cost = Cost(
            commands=self._route.commands,
            round_trips=self._route.round_trips,
            duration_seconds=time.perf_counter() - started,
        )
        if not up:
            return self.unanswered(error=error, cost=cost)
        samples = self._samples()
        queue_errors = run.queue_errors(error)
        self._error_counts.update(queue_errors.keys())
        if not error:
            self._last_success_at = run.now_seconds
        return Snapshot(
            at_seconds=run.now_seconds,
            catalog=self._catalog,
            up=True,
            error=error,
            queues=run.queues(samples.aggregating),
            servers=tuple(run.workers.servers.values()),
            schedulers=tuple(run.schedulers.schedulers),
            breakers=run.breakers,
            redis=run.redis,
            ping_seconds=run.ping_seconds,
            samples=samples,
            parts=run.parts(queue_errors, error) | dict(samples.parts),
            queue_errors=queue_errors,
            queue_error_counts=dict(self._error_counts),
            selection=run.selection,
            cost=cost,
            last_success_at_seconds=self._last_success_at,
        )


class _Pass:
    """The state of one pass: asks, and holds what was answered so far."""

    def __init__(self, route: Route, kept: _Kept, catalog: Catalog, *, now_ns: int) -> None:
        self._route = route
        self._kept = kept
        self._catalog = catalog
        self._now_ns = now_ns
        self.now_seconds = now_ns / 1e9
        self.selection = Selection()
        self._registered: set[str] = set()
        self.workers = WorkersPass(kept.servers)
        self.schedulers = SchedulersPass()
        self.breakers: tuple[Breaker, ...] = ()
        self.redis: RedisInfo | None = None
        self.ping_seconds: float | None = None
        self._reading = QueuePass(QueueRequests((), ""), now_ns=now_ns)
        self._oldest: OldestActivePass | None = None
        self._errors: dict[str, str] = {}
        self._durations: dict[str, float] = {}

    @property
    def any_read(self) -> bool:
        """Whether at least one queue was read."""
        return any(self._reading.read)

    async def go(self) -> None:
        """Asks everything.

        Raises:
            redis.exceptions.RedisError, OSError: Redis cannot be talked to.
        """
        await self._route.open()
        # Most likely the queues are those of the last time: what they hold is asked in the same breath.
        expected = self._kept.expected
        await self._read_queues(expected, ahead=[self._discovery()])
        self._kept.consumed = frozenset(self.workers.consumers())
        names, self.selection = self._select()
        if names != expected:
            await self._read_queues(names)
        self._kept.expect(names)
        await self._read_oldest_active()

    def _discovery(self) -> Batch:
        """Asks what there is, what Redis says of itself, and how long it takes to answer.

        The records of the servers and schedulers of the last time are asked along.
        """
        ahead = self._kept.records
        request = b"".join([fill(DISCOVERY, now=self._now_ns // 1_000_000_000), *ahead])
        take = partial(self._take_discovery, time.perf_counter(), ahead)
        return Batch(request, DISCOVERY_COMMANDS + len(ahead), take)

    def _take_discovery(self, started: float, ahead: list[bytes], replies: list[Reply]) -> list[Batch]:
        self.ping_seconds = self._kept.ping_seconds = time.perf_counter() - started
        pong, members, server_keys, scheduler_keys, info, breaker_page = replies[:DISCOVERY_COMMANDS]
        if type(pong) is ReplyError:
            # LOADING, NOAUTH, MASTERDOWN: Redis is there but serves nothing.
            raise redis.exceptions.ResponseError(pong.text)
        if type(members) is ReplyError:
            self._errors["queues"] = f"{keys.QUEUES}: {members.text}"
            # A queue is where it was, though nobody says so now.
            members = self._kept.members
        self._kept.members = members
        self._registered = self._kept.names(members)
        self._take_system(info, breaker_page)
        asked = [*self.workers.requests(server_keys), *self.schedulers.requests(scheduler_keys)]
        self._kept.records = asked
        known = dict(zip(ahead, replies[DISCOVERY_COMMANDS:], strict=True))
        missing = [request for request in asked if request not in known]
        take = partial(self._take_records, asked, known, missing)
        if missing:
            return [Batch(b"".join(missing), len(missing), take)]
        take([])
        return []

    def _take_records(
        self, asked: list[bytes], known: dict[bytes, Reply], missing: list[bytes], replies: list[Reply]
    ) -> None:
        known |= zip(missing, replies, strict=True)
        records = [known[request] for request in asked]
        count = self.workers.count
        self.workers.take(records[:count])
        self.schedulers.take(records[count:])

    def _select(self) -> tuple[tuple[str, ...], Selection]:
        return self._kept.selected(self._registered | self._kept.consumed | self._catalog.queues.keys())

    async def _read_queues(self, names: tuple[str, ...], *, ahead: Iterable[Batch] = ()) -> None:
        names, cuts = self._route.arrange(names)
        requests = self._kept.requests_for(names, utc_day(self._now_ns), cuts)
        self._reading = QueuePass(requests, now_ns=self._now_ns)
        await self._run("queues", [*ahead, *self._reading.batches()])

    async def _read_oldest_active(self) -> None:
        self._oldest = OldestActivePass(
            self._reading.names,
            self._reading.oldest_active,
            self.workers.servers,
            now_seconds=self.now_seconds,
        )
        await self._run("workers", self._oldest.first())
        await self._run("workers", self._oldest.second())

    async def _run(self, part: str, batches: list[Batch]) -> None:
        if not batches:
            return
        started = time.perf_counter()
        window = min(MIN_WINDOW + int(self._kept.ping_seconds / SLICE_SECONDS), MAX_WINDOW)
        await self._route.run(batches, window=window)
        self._durations[part] = self._durations.get(part, 0.0) + time.perf_counter() - started

    def _take_system(self, info: Reply, breaker_page: Reply) -> None:
        try:
            self.redis = redis_info.parse(info)
        except ValueError as exc:
            self._errors["redis"] = str(exc)
        try:
            self.breakers = breakers.read(breaker_page)
        except ValueError as exc:
            self._errors["breakers"] = str(exc)

    def queues(self, aggregating: Mapping[str, int]) -> Queues:
        """The columns of the queues that were read."""
        names, columns = self._reading.names, self._reading.columns
        oldest = self._oldest.column(columns["active"]) if self._oldest else (None,) * len(names)
        built = queues.build(
            names,
            columns,
            catalog=self._catalog,
            registered=self._registered,
            aggregating=aggregating,
            workers=self.workers.consumers(),
            oldest_active_seconds=oldest,
        )
        return built if all(self._reading.read) else built.only(self._reading.read)

    def queue_errors(self, error: str) -> dict[str, str]:
        """Queue -> what was wrong with it; a pass that was cut short by an error names the unread ones."""
        unread = {
            name: error
            for name, read in zip(self._reading.names, self._reading.read, strict=True)
            if error and not read
        }
        return self._reading.errors | unread

    def parts(self, queue_errors: Mapping[str, str], error: str) -> dict[str, Part]:
        """How each part went; the first thing that went wrong with it stands for all."""
        errors = {
            "queues": error or next(iter(queue_errors.values()), ""),
            "workers": self.workers.error,
            "schedulers": self.schedulers.error,
        } | self._errors
        return {
            name: Part(
                success=not errors.get(name),
                duration_seconds=self._durations.get(name, 0.0),
                error=errors.get(name, ""),
            )
            for name in PARTS
        }
