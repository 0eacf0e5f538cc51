"""The nodes of a cluster: a connection to each, and those that are lost for the moment."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import redis.asyncio

from asynq_exporter.core.cluster.slots import Address, written
from asynq_exporter.scan.pipe import UNREACHABLE, Pipe, ReplyError

#: How long a lost node is left alone; scrapes are further apart.
PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a cluster is, and how to talk to one of its nodes."""

    #: The nodes to ask first.
    seeds: tuple[Address, ...]
    #: A client of the node at an address; only its connections are used.
    client: "Callable[[Address], redis.asyncio.Redis]"
    #: Reads from replicas, and from a master that has none.
    from_replicas: bool = False

    async def aclose(self) -> None:
        """Does nothing: connections belong to those who opened them."""


class Nodes:
    """A pipe to each node that was ever asked, and what is wrong with the lost ones."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._pipes: dict[Address, Pipe] = {}
        #: Lost node -> when it is tried again, by the loop's clock, and what happened.
        self._lost: dict[Address, tuple[float, ReplyError]] = {}

    def pipe(self, address: Address) -> Pipe:
        """The pipe to a node; open or not."""
        if address not in self._pipes:
            self._pipes[address] = Pipe(self._cluster.client(address))
        return self._pipes[address]

    def is_open(self, address: Address) -> bool:
        """Whether a connection to a node stands, as far as this side knows."""
        return address in self._pipes and self._pipes[address].is_open

    def opened(self) -> list[Address]:
        """The nodes with a connection."""
        return [address for address in self._pipes if self.is_open(address)]

    def error(self, address: Address) -> ReplyError | None:
        """Why a node is lost; None when it is not."""
        lost = self._lost.get(address)
        return lost[1] if lost else None

    def errors(self) -> str:
        """What is wrong with all lost ones."""
        return "; ".join(str(error) for _, error in self._lost.values())

    def forgive(self, addresses: Iterable[Address]) -> None:
        """Lets lost nodes be tried again: those whose time has come, and all when no other is left."""
        now = asyncio.get_running_loop().time()
        self._lost = {address: lost for address, lost in self._lost.items() if lost[0] > now}
        if not set(addresses) - self._lost.keys():
            self._lost.clear()

    async def attempt(
        self, address: Address, action: Callable[[], Awaitable[None]], *, until: float, last: bool = True
    ) -> bool:
        """Whether an exchange with a node went well.

        Args:
            address: the node.
            action: the exchange.
            until: when it must be over, by the loop's clock.
            last: a failure means that the node is lost; a node that takes too long is lost in any case.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(until):
                await action()
        except UNREACHABLE as exc:
            await self.pipe(address).close()
            late = loop.time() >= until
            if last or late:
                what = "no answer in time" if late else str(exc) or type(exc).__name__
                error = ReplyError(f"node {written(address)}: {what}")
                self._lost[address] = (loop.time() + PAUSE_SECONDS, error)
            return False
        return True

    async def keep(self, addresses: set[Address]) -> None:
        """Closes the connections to all other nodes."""
        for address in self._pipes.keys() - addresses:
            await self._pipes.pop(address).close()
        self._lost = {address: lost for address, lost in self._lost.items() if address in addresses}
