"""A question about some queues that a later round puts to Redis."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from asynq_exporter.scan.pipe import Reply


class Ask(NamedTuple):
    """The commands of a later round that are of one kind, and who takes their replies."""

    #: The queue of each command.
    rows: Sequence[int]
    requests: Sequence[bytes]
    #: Takes rows and replies; may ask further. Called anew for each row where some reply was not understood.
    take: Callable[[Sequence[int], Sequence[Reply]], "list[Ask]"]

    def only(self, wanted: Callable[[bytes], bool]) -> "Ask":
        """The part of it whose requests are wanted."""
        pairs = [pair for pair in zip(self.rows, self.requests, strict=True) if wanted(pair[1])]
        return Ask([row for row, _ in pairs], [request for _, request in pairs], self.take)
