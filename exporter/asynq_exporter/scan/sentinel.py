"""Redis behind Sentinel: each pass asks who the master is, so the scan after a failover is right."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import redis.asyncio
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool
from redis.utils import str_if_bytes

from asynq_exporter.scan.pipe import UNREACHABLE, Pipe

Address = tuple[str, int]

T = TypeVar("T")


class Sentinels(Sentinel):
    """Asks one Sentinel after the other, the one that knew first; errors say what each of them said."""

    def __init__(self, clients: "list[redis.asyncio.Redis]") -> None:
        super().__init__([], sentinel_kwargs={})  # type: ignore[no-untyped-call]
        self.sentinels = clients

    async def discover_master(self, service_name: str) -> Address:
        """Where the master is.

        Raises:
            MasterNotFoundError: no Sentinel answers, or none watches a master of that name.
        """

        async def ask(client: Any) -> Address:
            # During a failover this names the promoted replica sooner than SENTINEL MASTERS does.
            found = await client.sentinel_get_master_addr_by_name(service_name)
            if found is None:
                raise MasterNotFoundError(f"watches no master {service_name!r}")
            host, port = found
            return str_if_bytes(host), int(port)

        return await self._first(ask)

    async def discover_slaves(self, service_name: str) -> list[Address]:
        """Where the healthy replicas are; none when no Sentinel answers."""

        async def ask(client: Any) -> list[Address]:
            replicas = await client.sentinel_slaves(service_name)
            return [(str(host), int(port)) for host, port in self.filter_slaves(replicas)]

        try:
            return await self._first(ask)
        except MasterNotFoundError:
            return []

    async def _first(self, ask: Callable[[Any], Awaitable[T]]) -> T:
        problems = []
        for client in list(self.sentinels):
            try:
                answer = await ask(client)
            except UNREACHABLE as exc:
                place = "{host}:{port}".format_map(client.connection_pool.connection_kwargs)
                problems.append(f"{place}: {str(exc) or type(exc).__name__}")
                continue
            self.sentinels.remove(client)
            self.sentinels.insert(0, client)
            return answer
        raise MasterNotFoundError(f"no Sentinel helps: {'; '.join(problems)}")


class SentinelPool(SentinelConnectionPool):
    """Connections to the present master, or to healthy replicas; closes those to the Sentinels too."""

    async def aclose(self) -> None:
        """Closes all."""
        await super().aclose()
        await self.sentinel_manager.aclose()


class SentinelPipe(Pipe):
    """A connection to the present master, or to a healthy replica."""

    _pool: SentinelPool

    async def open(self) -> None:
        """Connects, anew when the node it is connected to has another part by now.

        An old master that lost touch with the others would answer for ever, with numbers of yesterday.
        """
        if self.is_open and not await self._is_right():
            await self.close()
        await super().open()

    async def _is_right(self) -> bool:
        address = (self._connection.host, self._connection.port)
        try:
            right = [await self._pool.get_master_address()]  # type: ignore[no-untyped-call]
        except MasterNotFoundError:
            return True  # who the Sentinels are does not matter as long as Redis answers
        if not self._pool.is_master:
            # Without a replica the master serves.
            manager, name = self._pool.sentinel_manager, self._pool.service_name
            right = await manager.discover_slaves(name) or right
        return address in right
