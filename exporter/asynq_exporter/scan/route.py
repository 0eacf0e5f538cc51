"""The way from a scan to Redis: one connection, or one to each node of a cluster.

Who scans knows neither Sentinel nor Cluster: it hands batches to a route.
"""

from collections.abc import Iterable
from typing import Protocol

import redis.asyncio

from asynq_exporter.core.cluster import ClusterClient
from asynq_exporter.scan.cluster import Cluster, ClusterRoute
from asynq_exporter.scan.pipe import Batch, Pipe
from asynq_exporter.scan.sentinel import SentinelPipe, SentinelPool

#: What can be scanned.
Source = redis.asyncio.Redis | Cluster


class Route(Protocol):
    """What a scan needs of its way to Redis."""

    @property
    def commands(self) -> int:
        """Commands sent since `begin`."""
        ...

    @property
    def round_trips(self) -> int:
        """Replies waited for in sequence since `begin`."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether a connection stands, as far as this side knows."""
        ...

    def begin(self, *, timeout_seconds: float) -> None:
        """Starts counting anew, for a pass that may take some time."""
        ...

    def arrange(self, names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """The queues in an order in which those of one node are neighbours, and where a node's begin."""
        ...

    async def open(self) -> None:
        """Connects, unless that is done."""
        ...

    async def run(self, batches: Iterable[Batch], *, window: int = 2) -> None:
        """Sends batches and hands each its replies."""
        ...

    async def close(self) -> None:
        """Drops the connections; the next `open` makes new ones."""
        ...


def make_route(source: Source) -> Route:
    """The way to what is behind a client, with connections of its own."""
    if isinstance(source, ClusterClient):
        source = Cluster(source.seeds, source.make)
    if isinstance(source, Cluster):
        return ClusterRoute(source)
    if isinstance(source.connection_pool, SentinelPool):
        return SentinelPipe(source)
    return Pipe(source)
