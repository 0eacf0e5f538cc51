"""Looks at a live Redis: two scans, and a bounded number of reads beside them; nothing is written.

Every read may fail alone: what could not be read is named, and the rest stands.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio
import redis.exceptions

from asynq_exporter.core import keys
from asynq_exporter.core.clock import Clock, SystemClock
from asynq_exporter.core.cluster import ClusterClient
from asynq_exporter.core.errors import AsynqError, NotFoundError
from asynq_exporter.core.inspector import InspectedTask, Inspector, SchedulerEntryView
from asynq_exporter.core.states import TaskState
from asynq_exporter.doctor import facts
from asynq_exporter.doctor.case import Case
from asynq_exporter.doctor.sample import Entry, Facts, Heartbeat, Running, Sample, SeenTask, WaitingGroup
from asynq_exporter.scan.queues import label
from asynq_exporter.scan.scanner import Scanner
from asynq_exporter.scan.snapshot import Snapshot

#: Tasks looked at in one queue and state, in pages of as many.
SAMPLE_TASKS = 200
ACTIVE_TASKS = 50

#: Queues looked into for each state, those with the most tasks first; and groups for each of them.
SAMPLED_QUEUES = 20
SAMPLED_GROUPS = 10

#: States that are sampled -> how many tasks.
SAMPLED = {
    TaskState.PENDING: SAMPLE_TASKS // 2,
    TaskState.ACTIVE: ACTIVE_TASKS,
    TaskState.RETRY: SAMPLE_TASKS,
    TaskState.ARCHIVED: SAMPLE_TASKS,
}

FAILURES = (redis.exceptions.RedisError, AsynqError, OSError, TimeoutError)

NO_SECOND_SCAN = "--seconds 0"


async def look(
    client: "redis.asyncio.Redis",
    scanner: Scanner,
    *,
    seconds: float,
    timeout_seconds: float,
    clock: Clock | None = None,
) -> Case:
    """What the checks need, read within about three times the timeout and the pause.

    Args:
        client: Redis; replies are bytes.
        scanner: of the same Redis.
        seconds: pause between the two scans; 0 for one scan.
        timeout_seconds: how long each scan, and all other reads together, may take.
        clock: for tests.
    """
    first, last = None, await scanner.scan(timeout_seconds=timeout_seconds)
    if last.up and seconds > 0:
        await asyncio.sleep(seconds)
        first, last = last, await scanner.scan(timeout_seconds=timeout_seconds)
    if not last.up:
        reason = last.error
        return Case(last=last, unread=dict.fromkeys(ALL_PARTS, reason))
    reading = _Reading(client, last, clock or SystemClock())
    await reading.go(timeout_seconds)
    unread = {**_unread_parts(last), **reading.unread}
    if first is None:
        unread["second scan"] = NO_SECOND_SCAN
    return Case(
        first=first,
        last=last,
        unread=unread,
        whole_cluster=isinstance(client, ClusterClient),
        **reading.found,
    )


#: Parts that a check may need.
SCANNED_PARTS = ("queues", "workers", "schedulers", "breakers", "redis")
READ_PARTS = ("facts", "clocks", "samples", "running", "entries", "groups", "old keys")
ALL_PARTS = (*SCANNED_PARTS, *READ_PARTS, "second scan")


def _unread_parts(snapshot: Snapshot) -> dict[str, str]:
    """The parts of a scan that tell nothing; a single bad queue or record does not spoil the others."""
    unread = {
        name: part.error
        for name in SCANNED_PARTS
        if (part := snapshot.parts.get(name)) is not None and not part.success
    }
    if set(snapshot.queue_errors) < set(snapshot.queues.names):
        registry = unread.get("queues", "")
        if not registry.startswith(keys.QUEUES):
            unread.pop("queues", None)
    if snapshot.servers:
        unread.pop("workers", None)
    if snapshot.schedulers:
        unread.pop("schedulers", None)
    return unread


@dataclass(slots=True)
class _Reading:
    """The reads beside the scan."""

    client: "redis.asyncio.Redis"
    snapshot: Snapshot
    clock: Clock
    found: dict[str, Any] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def _inspector(self) -> Inspector:
        return Inspector(self.client, self.clock)

    async def go(self, timeout_seconds: float) -> None:
        """Reads all; what does not fit into the time is unread."""
        reads: Mapping[str, tuple[str, Callable[[], Awaitable[Any]]]] = {
            "facts": ("facts", self._facts),
            "clocks": ("heartbeats", self._heartbeats),
            "samples": ("samples", self._samples),
            "running": ("running", self._running),
            "entries": ("entries", self._entries),
            "groups": ("groups", self._groups),
            "old keys": ("old_keys", self._old_keys),
            "schedulers": ("schedulers_known", self._schedulers_known),
        }
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_seconds
        for part, (name, read) in reads.items():
            try:
                async with asyncio.timeout_at(end):
                    self.found[name] = await read()
            except FAILURES as exc:
                self.unread[part] = str(exc) or f"no answer within {timeout_seconds:g} s"

    async def _facts(self) -> Facts:
        return await facts.read(self.client, self.clock)

    async def _heartbeats(self) -> tuple[Heartbeat, ...]:
        return await facts.heartbeats(self.client, self.clock)

    async def _schedulers_known(self) -> int:
        return int(await self.client.zcard(keys.SCHEDULERS))

    async def _samples(self) -> Mapping[tuple[str, str], Sample]:
        samples: dict[tuple[str, str], Sample] = {}
        for state, count in SAMPLED.items():
            for queue in self._fullest(str(state)):
                samples[label(queue), str(state)] = await self._sample(queue, state, count)
        return samples

    async def _sample(self, queue: str, state: TaskState, count: int) -> Sample:
        """Some tasks; of the archive the newest, for the others are history."""
        try:
            if state is TaskState.ARCHIVED:
                return await self._newest(queue, state, count)
            page = await self._inspector.list_tasks(queue, state, size=count, payload_limit_bytes=0)
        except (NotFoundError, ValueError):  # not registered, or a name that is no text
            return Sample(total=0, tasks=())
        return Sample(total=page.total, tasks=tuple(map(_seen, page.tasks)))

    async def _newest(self, queue: str, state: TaskState, count: int) -> Sample:
        half = count // 2
        total = int(self.snapshot.queues.of(queue)[str(state)])
        last = max((total + half - 1) // half, 1)
        found: list[InspectedTask] = []
        for page in range(max(last - 1, 1), last + 1):
            read = await self._inspector.list_tasks(queue, state, page=page, size=half, payload_limit_bytes=0)
            total = read.total
            found += read.tasks
        return Sample(total=total, tasks=tuple(map(_seen, reversed(found))))

    def _fullest(self, column: str) -> list[str]:
        queues = self.snapshot.queues
        counts = zip(getattr(queues, column), queues.names, strict=True)
        full = sorted(
            ((count, name) for count, name in counts if count), key=lambda item: (-item[0], item[1])
        )
        return [name for _, name in full[:SAMPLED_QUEUES]]

    async def _running(self) -> tuple[Running, ...]:
        if not any(server.busy for server in self.snapshot.servers):
            return ()
        return tuple(
            Running(
                task_id=task.task_id,
                task_type=task.task_type,
                queue=task.queue,
                worker=f"{server.host}:{server.pid}",
                started_at_seconds=task.started_at,
                deadline_seconds=task.deadline,
            )
            for server in await self._inspector.servers(payload_limit_bytes=0)
            for task in server.workers
            if task.readable
        )

    async def _entries(self) -> tuple[Entry, ...]:
        if not self.snapshot.schedulers:
            return ()
        return tuple(map(_entry, await self._inspector.scheduler_entries()))

    async def _groups(self) -> tuple[WaitingGroup, ...]:
        found: list[WaitingGroup] = []
        for queue in self._fullest("groups"):
            try:
                page = await self._inspector.groups(queue, count=SAMPLED_GROUPS)
                largest = sorted(page.groups, key=lambda group: -group.size)[:SAMPLED_GROUPS]
                read = [await self._group(queue, group.name) for group in largest if group.size]
            except (NotFoundError, ValueError):
                continue
            found += filter(None, read)
        return tuple(found)

    async def _group(self, queue: str, group: str) -> WaitingGroup | None:
        ages: list[float] = []
        size = 1
        for page in (1, None):
            read = await self._inspector.list_tasks(
                queue,
                TaskState.AGGREGATING,
                group=group,
                page=page or max(size, 1),
                size=1,
                payload_limit_bytes=0,
            )
            size = read.total
            ages += [self.clock.now_ns() / 1e9 - task.score for task in read.tasks if task.score is not None]
        if not ages:
            return None
        return WaitingGroup(
            queue=label(queue), group=group, size=size, oldest_seconds=max(ages), newest_seconds=min(ages)
        )

    async def _old_keys(self) -> Mapping[str, str]:
        wanted = keys.before_018(self.snapshot.queues.names)
        pipe = self.client.pipeline(transaction=False)
        for key in wanted:
            pipe.type(key.encode("utf-8", "surrogateescape"))
        kinds = await pipe.execute()
        return {
            label(key): meaning
            for (key, meaning), kind in zip(wanted.items(), kinds, strict=True)
            if kind not in {b"none", "none"}
        }


def _seen(task: InspectedTask) -> SeenTask:
    info = task.info
    if info is None:
        return SeenTask(
            task_id=task.id,
            problem=str(task.problem or "unknown"),
            lease_ends_at_seconds=task.lease_expires_at,
        )
    return SeenTask(
        task_id=task.id,
        task_type=info.type,
        error=info.last_error,
        retried=info.retried,
        max_retry=info.max_retry,
        last_failed_at_seconds=info.last_failed_at,
        timeout_seconds=info.timeout_seconds or None,
        lease_ends_at_seconds=task.lease_expires_at,
    )


def _entry(view: SchedulerEntryView) -> Entry:
    # Of a long payload the beginning and the length have to do.
    identity = hashlib.sha256(repr((view.payload, view.payload_bytes, sorted(view.options))).encode())
    return Entry(
        scheduler=view.scheduler_id,
        spec=view.spec,
        task_type=view.task_type,
        identity=identity.hexdigest(),
        unique=any(option.startswith(("Unique(", "TaskID(")) for option in view.options),
    )
