"""Runs the background collectors, each in its own time, and keeps their latest samples."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.scan.background import groups, memory, task_timings, types
from asynq_exporter.scan.background.pause import Sleep, pause_seconds
from asynq_exporter.scan.background.reader import Ask, PacedReader
from asynq_exporter.scan.pipe import UNREACHABLE, ReplyError
from asynq_exporter.scan.route import Source
from asynq_exporter.scan.snapshot import Part, Queues, Samples, Snapshot

logger = logging.getLogger(__name__)

#: Samples one queue, of which the scan gave the numbers by name.
Collect = Callable[[Ask, str, Mapping[str, Any]], Awaitable[Any]]

#: Name, as in the label `collector` and the flag -> what it does with a queue.
COLLECTORS: Mapping[str, Collect] = {
    "groups": groups.collect,
    "memory": memory.collect,
    "types": types.collect,
}

#: Reads something that is of no queue: what was found, and the first error.
CollectWhole = Callable[[Ask], Awaitable[tuple[dict[str, Any], str]]]

#: Name -> what it does, once a round.
WHOLE: Mapping[str, CollectWhole] = {"task_timings": task_timings.collect}

NAMES = (*COLLECTORS, *WHOLE)

#: Collector -> its samples, as a change to `Samples`.
FIELDS: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "groups": lambda found: {"aggregating": found},
    "memory": lambda found: {"memory_bytes": found},
    "task_timings": lambda found: {"task_timings": found},
    "types": lambda found: {"types": tuple(count for counts in found.values() for count in counts)},
}


class BackgroundCollectors:
    """The background collectors that are switched on.

    Each round works on the queues of a fresh scan. What could not be sampled is left out, so that nothing old
    passes for new.
    """

    def __init__(
        self,
        client: Source,
        names: tuple[str, ...] = NAMES,
        *,
        interval_seconds: float = 60.0,
        commands_per_second: float = 500.0,
        clock: Clock | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._names = names
        self._interval_seconds = interval_seconds
        self._clock = clock or SystemClock()
        self._sleep = sleep
        # One connection for all: they take turns, and share the budget.
        self._reader = PacedReader(client, commands_per_second=commands_per_second)
        self._samples = Samples()

    def samples(self) -> Samples:
        """What was last seen."""
        return self._samples

    async def run(self, scan: Callable[[], Awaitable[Snapshot]]) -> None:
        """Collects for ever, a round each interval and sooner after a failure, until cancelled."""
        failures = 0
        while self._names:
            await self.collect(await scan())
            failures = 0 if all(part.success for part in self._samples.parts.values()) else failures + 1
            await self._sleep(pause_seconds(self._interval_seconds, failures))

    async def collect(self, snapshot: Snapshot) -> None:
        """One round of all collectors on the queues of a snapshot."""
        for name in self._names:
            started = time.perf_counter()
            found: dict[str, Any] = {}
            error = snapshot.error
            if snapshot.up:
                try:
                    found, error = await self._collect(name, snapshot.queues)
                except (*UNREACHABLE, MemoryError) as exc:
                    error = str(exc) or type(exc).__name__
                    await self._reader.close()
            self._keep(name, found, error, time.perf_counter() - started)

    async def close(self) -> None:
        """Drops the connection."""
        await self._reader.close()

    async def _collect(self, name: str, queues: Queues) -> tuple[dict[str, Any], str]:
        if name in COLLECTORS:
            return await self._sample(COLLECTORS[name], queues)
        try:
            return await WHOLE[name](self._reader.ask)
        except (ReplyError, ValueError, TypeError) as exc:
            return {}, str(exc)

    async def _sample(self, collect: Collect, queues: Queues) -> tuple[dict[str, Any], str]:
        """What was found of each queue, and the first error; a bad queue costs itself alone."""
        found: dict[str, Any] = {}
        error = ""
        for row, queue in enumerate(queues.names):
            try:
                found[queue] = await collect(self._reader.ask, queue, queues.row(row))
            except (ReplyError, ValueError, TypeError) as exc:
                error = error or f"queue {queue!r}: {exc}"
        return found, error

    def _keep(self, name: str, found: dict[str, Any], error: str, duration_seconds: float) -> None:
        before = self._samples.parts.get(name)
        if error and (before is None or before.error != error):
            logger.warning("Background collector failed", extra={"collector": name, "error": error})
        sampled_at = before.sampled_at_seconds if before else None
        part = Part(
            success=not error,
            duration_seconds=duration_seconds,
            error=error,
            sampled_at_seconds=self._clock.now_ns() / 1e9 if not error else sampled_at,
        )
        parts = {**self._samples.parts, name: part}
        self._samples = replace(self._samples, **FIELDS[name](found), parts=parts)
