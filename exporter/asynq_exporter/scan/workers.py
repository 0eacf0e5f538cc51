"""Live worker processes and their longest-running tasks, read without pruning (wire traps 14 and 29)."""

from collections.abc import Mapping, Sequence
from functools import partial

from asynq_exporter.core import keys, messages
from asynq_exporter.core.errors import CorruptMessageError
from asynq_exporter.scan.commands import pack
from asynq_exporter.scan.pipe import Batch, Reply, ReplyError
from asynq_exporter.scan.snapshot import Column, Server


class WorkersPass:
    """Reads the records of the live servers once."""

    def __init__(self, cache: dict[bytes, Server]) -> None:
        #: Record bytes -> server, kept over scans: most records do not change between two.
        self._cache = cache
        self._keys: list[bytes] = []
        self.servers: dict[bytes, Server] = {}
        self.error = ""

    @property
    def count(self) -> int:
        """How many records there are to read."""
        return len(self._keys)

    def requests(self, server_keys: Reply) -> list[bytes]:
        """Asks for the records that the registry names, with a command for each."""
        if type(server_keys) is ReplyError:
            self.error = f"{keys.SERVERS}: {server_keys.text}"
        else:
            self._keys = server_keys
        return [pack("GET", key) for key in self._keys]

    def take(self, records: list[Reply]) -> None:
        """Takes the records in the order of the requests."""
        seen: dict[bytes, Server] = {}
        for key, record in zip(self._keys, records, strict=True):
            if record is None:  # expired between the two commands
                continue
            try:
                server = self._cache.get(record) or _decode(record)
            except (CorruptMessageError, TypeError) as exc:
                text = record.text if type(record) is ReplyError else str(exc)
                self.error = f"{key!r}: {text}"
                continue
            self.servers[key] = server
            seen[record] = server
        self._cache.clear()
        self._cache.update(seen)

    def consumers(self) -> dict[str, int]:
        """Queue -> live servers that consume it."""
        count: dict[str, int] = {}
        for server in self.servers.values():
            for queue in server.queues:
                count[queue] = count.get(queue, 0) + 1
        return count


class OldestActivePass:
    """Finds since when the longest-running task of each queue runs.

    The workers hash of a server holds full payloads, so it is asked for the very oldest task of each queue
    that the server consumes, and for a few more only where that one is in no record.
    """

    def __init__(
        self,
        names: Sequence[str],
        oldest: Mapping[int, list[bytes]],
        servers: Mapping[bytes, Server],
        *,
        now_seconds: float,
    ) -> None:
        self._names = names
        self._oldest = oldest
        self._servers = servers
        self._now_seconds = now_seconds
        self._ages: dict[int, float] = {}

    def first(self) -> list[Batch]:
        """Asks for the oldest task of each queue."""
        return self._batches({index: ids[-1:] for index, ids in self._oldest.items()})

    def second(self) -> list[Batch]:
        """Asks for the next oldest of the queues that the first look left open."""
        return self._batches({i: ids[:-1] for i, ids in self._oldest.items() if i not in self._ages})

    def column(self, active: Column) -> Column:
        """Age in seconds by queue: 0 when nothing is active, None when no record tells."""
        return tuple(0 if count == 0 else self._ages.get(index) for index, count in enumerate(active))

    def _batches(self, wanted: Mapping[int, list[bytes]]) -> list[Batch]:
        batches: list[Batch] = []
        for key, server in self._servers.items():
            if not server.busy:
                continue
            theirs = ((i, ids) for i, ids in wanted.items() if self._names[i] in server.queues)
            asked = [(i, task_id) for i, ids in theirs for task_id in ids]
            if asked:
                workers_key = keys.workers_of(key.decode("utf-8", "surrogateescape"))
                request = pack("HMGET", workers_key, *(task for _, task in asked))
                batches.append(Batch(request, 1, partial(self._take, asked)))
        return batches

    def _take(self, asked: list[tuple[int, bytes]], replies: list[Reply]) -> None:
        if type(replies[0]) is ReplyError:
            return  # a workers hash of another type tells nothing; the ages stay unknown
        for (index, _), record in zip(asked, replies[0], strict=True):
            if record is not None:
                self._take_record(index, record)

    def _take_record(self, index: int, record: bytes) -> None:
        try:
            worker = messages.decode_worker(record)
        except CorruptMessageError:
            return
        started = messages.timestamp_seconds(worker.start_time)
        # IDs are unique per queue only: the record may be of a namesake in another queue (trap 24).
        if worker.queue == self._names[index] and started is not None:
            age = max(self._now_seconds - started, 0.0)
            self._ages[index] = max(self._ages.get(index, 0.0), age)


def _decode(record: bytes) -> Server:
    info = messages.decode_server(record)
    return Server(
        host=info.host,
        pid=info.pid,
        server_id=info.server_id,
        concurrency=info.concurrency,
        queues=dict(info.queues),
        strict_priority=info.strict_priority,
        status=info.status,
        started_at_seconds=messages.timestamp_seconds(info.start_time),
        busy=info.active_worker_count,
    )
