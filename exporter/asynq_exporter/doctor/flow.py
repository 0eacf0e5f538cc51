"""What moved in a queue between two scans; pure."""

from dataclasses import dataclass
from typing import Any

from asynq_exporter.scan.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Changes of a queue within some seconds."""

    seconds: float
    #: Attempts that ended, failures included.
    processed: int
    failed: int
    #: Tasks that left for good: succeeded, or archived.
    left: int
    #: Tasks that came, as far as the sizes tell.
    arrived: int
    #: How many more pending tasks there are.
    pending: int

    @property
    def in_per_second(self) -> float:
        """Tasks that came."""
        return self.arrived / self.seconds

    @property
    def out_per_second(self) -> float:
        """Tasks that left."""
        return self.left / self.seconds

    def empty_in_seconds(self, pending: int) -> float | None:
        """When nothing will be pending if it goes on like this; None when it does not shrink."""
        return pending * self.seconds / -self.pending if self.pending < 0 else None


def between(first: Snapshot | None, last: Snapshot, queue: str) -> Flow | None:
    """The changes of a queue; None when a scan did not see it whole, or its counters began anew."""
    if first is None or last.at_seconds <= first.at_seconds:
        return None
    try:
        before, after = first.queues.of(queue), last.queues.of(queue)
    except KeyError:
        return None
    changes = {name: _change(before[name], after[name]) for name in WATCHED}
    known = {name: change for name, change in changes.items() if change is not None}
    if len(known) < len(WATCHED) or known["processed"] < 0 or known["failed"] < 0:
        return None
    # What somebody deleted from the archive has not come back to work.
    left = max(known["processed"] - known["failed"], 0) + max(known["archived"], 0)
    return Flow(
        seconds=last.at_seconds - first.at_seconds,
        processed=known["processed"],
        failed=known["failed"],
        left=left,
        arrived=max(known["size"] + left, 0),
        pending=known["pending"],
    )


WATCHED = ("processed", "failed", "size", "pending", "archived")


def _change(before: Any, after: Any) -> int | None:
    return None if before is None or after is None else int(after - before)
