"""Live servers and what they run (wire section 4.11)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from asynq_exporter.core import keys, messages
from asynq_exporter.core.broker.base import as_asynq_error, asynq_errors
from asynq_exporter.core.errors import CorruptMessageError
from asynq_exporter.core.inspector.base import TEXT_LIMIT_BYTES, Inspection, check_range
from asynq_exporter.core.scripts import Call

#: Servers that are shown at most, and tasks of each.
MAX_SERVERS = 1_000
MAX_WORKERS = 1_000

#: Bytes of a worker's payload that are shown unless the caller asks for another number, and at most.
WORKER_PAYLOAD_BYTES = 1024
MAX_WORKER_PAYLOAD_BYTES = 64 * 1024

#: Bytes of records that are looked into, for one server; beyond them a worker shows its task's ID alone.
RECORD_BYTES = 8 * 1024 * 1024

#: Servers whose workers are read in one round trip.
SERVERS_AT_ONCE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A task that a server runs; moments are Unix seconds."""

    task_id: str
    #: Empty where the record cannot be read.
    task_type: str
    queue: str
    #: Cut to the limit.
    payload: bytes
    payload_bytes: int
    started_at: float | None
    deadline: float | None
    #: False when the record is too long or corrupt: then the task's ID is all there is.
    readable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerView:
    """A live server; moments are Unix seconds."""

    server_id: str
    host: str
    pid: int
    concurrency: int
    queues: Mapping[str, int]
    strict_priority: bool
    status: str
    started_at: float | None
    #: In the order of their task IDs.
    workers: list[Worker]
    #: Tasks that it runs, shown or not.
    worker_count: int


class Servers(Inspection):
    """Reads servers."""

    async def servers(self, *, payload_limit_bytes: int = WORKER_PAYLOAD_BYTES) -> list[ServerView]:
        """The servers whose heartbeat has not expired, by ID; up to 1,000 with up to 1,000 tasks each.

        Unlike asynq's Inspector it deletes no expired members, so it works on a replica and changes nothing
        (wire trap 14).

        Raises:
            InvalidArgumentError: the limit is out of range.
        """
        check_range(payload_limit_bytes, what="payload limit", low=0, high=MAX_WORKER_PAYLOAD_BYTES)
        bounds = (self._now_seconds(), "+inf", "LIMIT", 0, MAX_SERVERS)
        [members] = await self._pipeline([("ZRANGEBYSCORE", keys.SERVERS, *bounds)])
        # A member that is no UTF-8 is none of asynq's.
        names = [name for name in map(messages.clean_text, members) if "\ufffd" not in name]
        found: list[ServerView] = []
        for start in range(0, len(names), SERVERS_AT_ONCE):
            found += await self._read_servers(names[start : start + SERVERS_AT_ONCE], payload_limit_bytes)
        return sorted(found, key=lambda server: server.server_id)

    async def _read_servers(self, names: Sequence[str], limit_bytes: int) -> list[ServerView]:
        records = await self._pipeline([("GET", name) for name in names])
        with asynq_errors():
            replies = await self._scripts.run_many([_read_workers(name, limit_bytes) for name in names])
        found = []
        for record, reply in zip(records, replies, strict=True):
            if isinstance(reply, RedisError):
                raise as_asynq_error(reply) from reply
            if server := _server(record, *reply, limit_bytes=limit_bytes):
                found.append(server)
        return found


def _read_workers(server_key: str, limit_bytes: int) -> Call:
    limits = (MAX_WORKERS, limit_bytes, TEXT_LIMIT_BYTES, RECORD_BYTES)
    return Call(script="read_workers", keys=(keys.workers_of(server_key),), args=limits)


def _server(
    record: bytes | None, count: int, rows: Sequence[Sequence[Any]], *, limit_bytes: int
) -> ServerView | None:
    """A server; None when its record has just expired or cannot be read, as in asynq."""
    if record is None:
        return None
    try:
        info = messages.decode_server(record)
    except CorruptMessageError:
        return None
    workers = [_worker(*row, limit_bytes=limit_bytes) for row in rows]
    return ServerView(
        server_id=info.server_id,
        host=info.host,
        pid=info.pid,
        concurrency=info.concurrency,
        queues=dict(info.queues),
        strict_priority=info.strict_priority,
        status=info.status,
        started_at=messages.timestamp_seconds(info.start_time),
        workers=sorted(workers, key=lambda worker: worker.task_id),
        worker_count=count,
    )


def _worker(
    task_id: bytes,
    _record_bytes: int,
    record: bytes | None,
    payload: bytes | None,
    payload_bytes: int | None,
    *,
    limit_bytes: int,
) -> Worker:
    id_ = messages.clean_text(task_id)
    try:
        info = None if record is None else messages.decode_worker(record)
    except CorruptMessageError:
        info = None
    if info is None:
        return Worker(
            task_id=id_,
            task_type="",
            queue="",
            payload=b"",
            payload_bytes=0,
            started_at=None,
            deadline=None,
            readable=False,
        )
    return Worker(
        task_id=id_,
        task_type=info.task_type,
        queue=info.queue,
        payload=info.task_payload[:limit_bytes] if payload is None else payload,
        payload_bytes=len(info.task_payload) if payload_bytes is None else payload_bytes,
        started_at=messages.timestamp_seconds(info.start_time),
        deadline=messages.timestamp_seconds(info.deadline),
    )
