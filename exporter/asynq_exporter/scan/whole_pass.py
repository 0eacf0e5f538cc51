"""One pass over Redis: what is asked in which order, and what was answered so far."""

import time
from collections.abc import Iterable, Mapping
from functools import partial

import redis.exceptions

from asynq_exporter.core import keys
from asynq_exporter.core.catalog import Catalog
from asynq_exporter.core.clock import utc_day
from asynq_exporter.scan import breakers, queues, redis_info
from asynq_exporter.scan.commands import NOW, fill, pack
from asynq_exporter.scan.kept import Kept
from asynq_exporter.scan.pipe import Batch, Reply, ReplyError
from asynq_exporter.scan.queues import QueuePass, QueueRequests
from asynq_exporter.scan.route import Route
from asynq_exporter.scan.schedulers import SchedulersPass
from asynq_exporter.scan.snapshot import Breaker, Part, Queues, RedisInfo, Selection
from asynq_exporter.scan.workers import OldestActivePass, WorkersPass

#: Slices in flight on a near Redis, and at most; a far one is kept busy by more of them.
MIN_WINDOW = 2
MAX_WINDOW = 64

#: About how long Redis works on a slice.
SLICE_SECONDS = 0.0003

PING = pack("PING")
DISCOVERY = (
    pack("SMEMBERS", keys.QUEUES)
    + pack("ZRANGEBYSCORE", keys.SERVERS, NOW, "+inf")
    + pack("ZRANGEBYSCORE", keys.SCHEDULERS, NOW, "+inf")
    + redis_info.REQUEST
    + breakers.REQUEST
)
DISCOVERY_COMMANDS = 5

#: Parts of every scan, named as in the label `collector`.
PARTS = ("queues", "workers", "schedulers", "breakers", "redis")


class WholePass:
    """Asks, and holds what was answered so far."""

    def __init__(self, route: Route, kept: Kept, catalog: Catalog, *, now_ns: int) -> None:
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
        # By itself: how many slices may be in flight depends on it, and what it takes is shown.
        await self._run("redis", [Batch(PING, 1, partial(self._take_pong, time.perf_counter()))])
        # Most likely the queues are those of the last time: what they hold is asked in the same breath.
        expected = self._kept.expected
        await self._read_queues(expected, ahead=[self._discovery()])
        self._kept.consumed = frozenset(self.workers.consumers())
        names, self.selection = self._select()
        if names != expected:
            await self._read_queues(names)
        self._kept.expect(names)
        await self._read_oldest_active()

    def _take_pong(self, sent_at: float, replies: list[Reply]) -> None:
        self.ping_seconds = time.perf_counter() - sent_at
        if type(replies[0]) is ReplyError:
            # LOADING, NOAUTH, MASTERDOWN: Redis is there but serves nothing.
            raise redis.exceptions.ResponseError(replies[0].text)

    def _discovery(self) -> Batch:
        """Asks what there is, and what Redis says of itself.

        The records of the servers and schedulers of the last time are asked along.
        """
        ahead = self._kept.records
        request = b"".join([fill(DISCOVERY, now=self._now_ns // 1_000_000_000), *ahead])
        return Batch(request, DISCOVERY_COMMANDS + len(ahead), partial(self._take_discovery, ahead))

    def _take_discovery(self, ahead: list[bytes], replies: list[Reply]) -> list[Batch]:
        members, server_keys, scheduler_keys, info, breaker_page = replies[:DISCOVERY_COMMANDS]
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
            self._reading.orphans.oldest_active,
            self.workers.servers,
            now_seconds=self.now_seconds,
        )
        await self._run("workers", self._oldest.first())
        await self._run("workers", self._oldest.second())

    async def _run(self, part: str, batches: list[Batch]) -> None:
        if not batches:
            return
        started = time.perf_counter()
        window = min(MIN_WINDOW + int((self.ping_seconds or 0) / SLICE_SECONDS), MAX_WINDOW)
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
