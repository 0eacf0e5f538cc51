"""Snapshots of one Redis: within which time a pass ends, and what a failure costs."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from asynq_exporter.core.catalog import Catalog
from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.scan.kept import Kept, Same
from asynq_exporter.scan.pipe import UNREACHABLE
from asynq_exporter.scan.route import Source, make_route
from asynq_exporter.scan.selection import QueueFilter
from asynq_exporter.scan.snapshot import Cost, Part, Samples, Snapshot
from asynq_exporter.scan.whole_pass import PARTS, WholePass


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
        self._kept = Kept(selected=Same(partial(self._filter.select, first=catalog.queues)))
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

    def _new_pass(self) -> WholePass:
        return WholePass(self._route, self._kept, self._catalog, now_ns=self._clock.now_ns())

    def _finish(self, run: WholePass, error: str, started: float, *, up: bool) -> Snapshot:
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
