"""The nodes of a cluster: a client of each, and which of them has which slot."""

import asyncio
from collections.abc import Callable, Iterable

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from asynq_exporter.core.cluster import slots
from asynq_exporter.core.cluster.slots import Address, SlotMap, written

#: Times between two looks at the map, so that many who fail at once do not ask as often.
LOOK_SECONDS = 0.2

#: An exchange that fails after this time, or is given up then, was with a node that hangs.
HUNG_SECONDS = 1.0

#: How long a node that hangs is left alone: who asks it is told at once.
PAUSE_SECONDS = 3.0


class Nodes:
    """The masters, found through any node that answers."""

    def __init__(self, seeds: Iterable[Address], client: Callable[[Address], Redis]) -> None:
        self._seeds = tuple(seeds)
        self._make = client
        self._clients: dict[Address, Redis] = {}
        self._map = SlotMap()
        #: The map may no longer be true.
        self._stale = True
        self._look_again_at = 0.0
        self._looking = asyncio.Lock()
        #: Nodes that failed since they last answered; they are asked for the map last.
        self._doubtful: set[Address] = set()
        self._hung_until: dict[Address, float] = {}
        #: What the nodes said that were asked for the map in vain.
        self._errors: list[str] = []

    def client(self, address: Address) -> Redis:
        """The client of a node."""
        if address not in self._clients:
            self._clients[address] = self._make(address)
        return self._clients[address]

    def of(self, key: bytes | None) -> Address | None:
        """The master of a key, or of what has no key; None when nobody serves its slot."""
        nodes = self._map.first() if key is None else self._map.nodes_of(key)
        return nodes[0] if nodes else None

    def masters(self) -> list[Address]:
        """All masters that serve slots."""
        return sorted(self._map.addresses())

    async def look(self) -> None:
        """Learns which node has which slot, if that may have changed.

        Raises:
            redis.exceptions.ConnectionError: no node says so, and none ever did.
        """
        loop = asyncio.get_running_loop()
        if not self._stale or (self._map.shards and loop.time() < self._look_again_at):
            return
        async with self._looking:
            if self._stale and loop.time() >= self._look_again_at:
                await self._ask_around()
                self._look_again_at = loop.time() + LOOK_SECONDS
        if not self._map.shards:
            raise RedisConnectionError(f"no node of the cluster answers: {'; '.join(self._errors)}")

    def doubt(self) -> None:
        """Tells that the map may no longer be true."""
        self._stale = True

    def lost(self, address: Address, *, after_seconds: float) -> None:
        """Tells that a node did not answer, and how long that took."""
        self._stale = True
        self._doubtful.add(address)
        if after_seconds >= HUNG_SECONDS:
            self._hung_until[address] = asyncio.get_running_loop().time() + PAUSE_SECONDS

    def answered(self, address: Address) -> None:
        """Tells that a node is there."""
        self._doubtful.discard(address)
        self._hung_until.pop(address, None)

    def is_hung(self, address: Address) -> bool:
        """Whether a node took too long a moment ago."""
        return asyncio.get_running_loop().time() < self._hung_until.get(address, 0.0)

    async def close(self) -> None:
        """Closes all connections; those of a node that hangs too."""
        for client in self._clients.values():
            await client.connection_pool.disconnect(inuse_connections=True)
        self._stale = True

    async def _ask_around(self) -> None:
        candidates = dict.fromkeys([*self._map.addresses(), *self._seeds])
        self._errors = []
        for address in sorted(candidates, key=lambda each: each in self._doubtful):
            try:
                self._map = await self._ask(address)
            except (RedisError, OSError, *slots.MALFORMED) as exc:
                self._doubtful.add(address)
                self._errors.append(f"node {written(address)}: {exc}")
            except BaseException:
                # Whoever asked has no more time, so the next one begins with another node.
                self._doubtful.add(address)
                raise
            else:
                self._doubtful.discard(address)
                self._stale = False
                return

    async def _ask(self, address: Address) -> SlotMap:
        pipe = self.client(address).pipeline(transaction=False)
        # As two words, or redis-py would make of the reply what its version thinks best.
        pipe.execute_command("CLUSTER", "SLOTS")
        [reply] = await pipe.execute()
        return SlotMap.read(reply, asked=address, from_replicas=False)
