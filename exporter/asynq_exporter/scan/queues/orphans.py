"""Which active tasks no worker holds any more, and which run longest."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from asynq_exporter.core import keys
from asynq_exporter.scan.commands import pack
from asynq_exporter.scan.pipe import Reply
from asynq_exporter.scan.queues.ask import Ask
from asynq_exporter.scan.queues.requests import Later


class Orphans:
    """Looks at the old end of the active lists, and closer where something is odd."""

    def __init__(
        self, names: Sequence[str], columns: Mapping[str, list[Any]], later: Sequence[Later]
    ) -> None:
        self._names = names
        self._columns = columns
        self._later = later
        #: Queue -> IDs of its longest-running tasks, the oldest last.
        self.oldest_active: dict[int, list[bytes]] = {}

    def ask(self, rows: Sequence[int]) -> Ask:
        """Asks queues for their longest-running tasks."""
        return Ask(rows, [self._later[row].oldest_active for row in rows], self._take)

    def _take(self, rows: Sequence[int], windows: Sequence[Reply]) -> list[Ask]:
        columns, doubtful = self._columns, {}
        for row, task_ids in zip(rows, windows, strict=True):
            self.oldest_active[row] = task_ids
            leases = columns["leases"][row]
            if leases is None:
                continue
            without = columns["active"][row] - leases
            columns["no_lease"][row] = max(without, 0)
            if without or columns["lease_expired"][row]:
                doubtful[row] = task_ids
        if not doubtful:
            return []
        # A stale lease can hide a missing one from the difference, and a task may just be on its way out.
        # So ask for the leases of the oldest, and then which of them are still active.
        missing: dict[int, list[bytes]] = {}
        leases_of = [pack("ZMSCORE", keys.lease(self._names[row]), *ids) for row, ids in doubtful.items()]
        still_active = [self._later[row].oldest_active for row in doubtful]
        return [
            Ask(tuple(doubtful), leases_of, partial(self._take_leases, doubtful, missing)),
            Ask(tuple(doubtful), still_active, partial(self._take_still_active, missing)),
        ]

    @staticmethod
    def _take_leases(
        asked: Mapping[int, list[bytes]],
        missing: dict[int, list[bytes]],
        rows: Sequence[int],
        scores: Sequence[Reply],
    ) -> list[Ask]:
        for row, found in zip(rows, scores, strict=True):
            pairs = zip(asked[row], found, strict=True)
            missing[row] = [task_id for task_id, score in pairs if score is None]
        return []

    def _take_still_active(
        self, missing: Mapping[int, list[bytes]], rows: Sequence[int], windows: Sequence[Reply]
    ) -> list[Ask]:
        column = self._columns["no_lease"]
        for row, task_ids in zip(rows, windows, strict=True):
            column[row] = max(column[row] or 0, len(set(missing.get(row, ())).intersection(task_ids)))
        return []
