"""Adds what a server has counted to the sums of all workers."""

from dataclasses import dataclass

from asynq_exporter.core import timings
from asynq_exporter.core.shared_timings import SharedTimings
from asynq_exporter.core.worker.timings import ReadTimings

Row = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Addition:
    number: int
    #: What was counted when it was made, and what of that is new.
    counted: dict[str, Row]
    added: dict[str, Row]


class Sharing:
    """Knows what Redis has of one server's numbers."""

    def __init__(self, shared: SharedTimings, read: ReadTimings, *, server_id: str) -> None:
        self._shared = shared
        self._read = read
        self._server_id = server_id
        self._number = 0
        self._told: dict[str, Row] = {}
        #: Sent, and perhaps made: it goes out as it is until Redis has answered.
        self._open: _Addition | None = None

    async def share(self) -> None:
        """Adds what is new; raises UnavailableError, and then the next call begins with the same."""
        await self._send()
        counted = {name: timings.numbers(found) for name, found in self._read().items()}
        added = {
            name: tuple(
                now - told for now, told in zip(row, self._told.get(name, [0] * len(row)), strict=True)
            )
            for name, row in counted.items()
            if row != self._told.get(name)
        }
        if added:
            self._number += 1
            self._open = _Addition(number=self._number, counted=counted, added=added)
            await self._send()

    async def _send(self) -> None:
        if self._open is None:
            return
        await self._shared.add(self._server_id, self._open.number, self._open.added)
        self._told, self._open = self._open.counted, None
