"""Operations on the records of live servers (wire sections 3.22 and 3.23)."""

from collections.abc import Iterable

from asynq_exporter.core import keys, messages
from asynq_exporter.core.broker.base import Operations, asynq_errors
from asynq_exporter.core.messages import ServerInfo, WorkerInfo
from asynq_exporter.core.scripts import Argument, Call

#: Two heartbeats of 5 s.
SERVER_TTL_SECONDS = 10


class Servers(Operations):
    """The heartbeat of a server and its end."""

    async def write_server_state(
        self, server: ServerInfo, workers: Iterable[WorkerInfo] = (), *, ttl_seconds: int = SERVER_TTL_SECONDS
    ) -> None:
        """Says that a server lives, and which tasks it runs."""
        record, hash_ = _keys(server)
        expires_at = self._now_seconds() + ttl_seconds
        fields: list[Argument] = []
        for worker in workers:
            fields += [worker.task_id, messages.encode(worker)]
        call = Call(
            script="write_server_state",
            keys=(record, hash_),
            args=(ttl_seconds, messages.encode(server), *fields),
        )
        registered = [("ZADD", keys.SERVERS, expires_at, record), ("ZADD", keys.WORKERS, expires_at, hash_)]
        await self._run_after(registered, call)

    async def clear_server_state(self, server: ServerInfo) -> None:
        """Says that a server has ended."""
        record, hash_ = _keys(server)
        with asynq_errors():
            await self._redis.zrem(keys.SERVERS, record)
            await self._redis.zrem(keys.WORKERS, hash_)
        await self._run("clear_server_state", (record, hash_))


def _keys(server: ServerInfo) -> tuple[str, str]:
    identity = (server.host, server.pid, server.server_id)
    return keys.server(*identity), keys.workers(*identity)
