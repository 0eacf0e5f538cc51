"""One Redis under watch: all that is kept for it, so that several do not get in each other's way."""

import asyncio
import logging

from asynq_exporter.core.catalog import Catalog
from asynq_exporter.scan.background.collectors import NAMES, BackgroundCollectors
from asynq_exporter.scan.pipe import UNREACHABLE
from asynq_exporter.scan.route import Source
from asynq_exporter.scan.scanner import Scanner
from asynq_exporter.scan.selection import QueueFilter
from asynq_exporter.scan.shared import Shared
from asynq_exporter.scan.snapshot import Snapshot
from asynq_exporter.scan.upstream import UpstreamSampler, UpstreamView
from asynq_exporter.settings import Settings
from asynq_exporter.web.reports import Reporter

logger = logging.getLogger(__name__)


class Watch:
    """Scanner, background collectors and shared passes of one Redis; connects when first asked."""

    def __init__(self, settings: Settings, catalog: Catalog, source: Source, *, target: str = "") -> None:
        self.settings = settings
        self._source = source
        names = tuple(name for name in NAMES if getattr(settings, f"collector_{name}"))
        self._background = BackgroundCollectors(
            source,
            names,
            interval_seconds=settings.collector_interval_seconds,
            commands_per_second=settings.collector_max_commands_per_second,
        )
        self._scanner = Scanner(
            source,
            catalog,
            queue_filter=QueueFilter(
                include=settings.queues_include, exclude=settings.queues_exclude, maximum=settings.queues_max
            ),
            samples=self._background.samples,
        )
        self._sampler = UpstreamSampler(source, with_memory=settings.collector_memory)
        self._reporter = Reporter(target=target)
        self._scanned = asyncio.Event()
        self._last: Snapshot | None = None
        self.scans = Shared(self._scan, self._late, max_age_seconds=settings.scan_cache_ttl_seconds)
        self.views = Shared(self._view, lambda _: UpstreamView())

    async def collect(self) -> None:
        """Runs the background collectors for ever, on scans of their own."""
        seconds = self.settings.scan_timeout_seconds
        await self._background.run(lambda: self.scans.get(timeout_seconds=seconds))

    async def collect_when_scanned(self) -> None:
        """Runs them on the scans that others ask for: a Redis that nobody asks about is left alone."""
        await self._background.run(self._next_scan)

    async def close(self) -> None:
        """Ends what is under way and drops all connections."""
        for part in (self.views, self.scans, self._scanner, self._background, self._sampler):
            await part.close()
        await self._source.aclose()

    async def _scan(self, timeout_seconds: float) -> Snapshot:
        snapshot = await self._scanner.scan(timeout_seconds=timeout_seconds)
        self._reporter.report(snapshot)
        self._last = snapshot
        self._scanned.set()
        return snapshot

    def _late(self, timeout_seconds: float) -> Snapshot:
        return self._scanner.unanswered(error=f"no answer within {timeout_seconds:g} s")

    async def _view(self, timeout_seconds: float) -> UpstreamView:
        end = asyncio.get_running_loop().time() + timeout_seconds
        snapshot = await self.scans.get(timeout_seconds=timeout_seconds)
        try:
            async with asyncio.timeout_at(end):
                return await self._sampler.view(snapshot)
        except UNREACHABLE as exc:
            logger.warning("Upstream page could not be sampled", extra={"error": str(exc)})
            await self._sampler.close()
            return UpstreamView()

    async def _next_scan(self) -> Snapshot:
        self._scanned.clear()
        await self._scanned.wait()
        assert self._last is not None  # noqa: S101 -- it came with the event
        return self._last
