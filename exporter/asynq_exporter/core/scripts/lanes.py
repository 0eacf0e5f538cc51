"""Scripts of many callers in one round trip to each node of a cluster.

A node that hangs holds up what lies on it, and the rest goes on.
"""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from asynq_exporter.core.cluster import Address, ClusterClient
from asynq_exporter.core.scripts import Argument, Call
from asynq_exporter.core.scripts.gathering import GatheringRunner


class LanesRunner(GatheringRunner):
    """Gathers for each master apart."""

    def __init__(self, cluster: ClusterClient, *, timeout_seconds: float | None = None) -> None:
        super().__init__(cluster, timeout_seconds=timeout_seconds)
        self._cluster = cluster
        self._lanes: dict[Address | None, GatheringRunner] = {}

    async def gather(self, call: Call, before: Sequence[Sequence[Argument]]) -> Any:
        """The reply of a script, sent with what others ask of its node meanwhile."""
        # Where the key was known to lie when this was asked: if it has moved, the client follows it.
        address = self._cluster.node_of(call.keys[0])
        if address not in self._lanes:
            self._lanes[address] = GatheringRunner(
                self._cluster, timeout_seconds=self._timeout_seconds, registered=self._registered
            )
        return await self._lanes[address].gather(call, before)

    async def close(self) -> None:
        """Waits for the round trips under way."""
        for lane in self._lanes.values():
            await lane.close()


def gathering(redis: Redis, *, timeout_seconds: float | None = None) -> GatheringRunner:
    """The runner for many callers of a Redis of whatever kind."""
    if isinstance(redis, ClusterClient):
        return LanesRunner(redis, timeout_seconds=timeout_seconds)
    return GatheringRunner(redis, timeout_seconds=timeout_seconds)
