"""Entries of live schedulers, and what they enqueued (wire section 4.12)."""

from dataclasses import dataclass

from asynq_exporter.core import keys, messages
from asynq_exporter.core.errors import CorruptMessageError
from asynq_exporter.core.inspector.base import Inspection, check_range, check_text

MAX_SCHEDULERS = 100
MAX_ENTRIES = 1_000

EVENTS_PAGE_SIZE = 30
MAX_EVENTS_PAGE_SIZE = 1_000
MAX_EVENTS_PAGE = 10**6

#: Bytes of an entry's payload that are shown.
ENTRY_PAYLOAD_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerEntryView:
    """A task that a scheduler enqueues again and again; moments are Unix seconds."""

    entry_id: str
    scheduler_id: str
    spec: str
    task_type: str
    #: Its first 16 KiB.
    payload: bytes
    payload_bytes: int
    #: As Go prints them, such as `MaxRetry(3)`.
    options: list[str]
    next_enqueue_at: float | None
    #: None when it never was.
    prev_enqueue_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueueEvent:
    """That a scheduler entry enqueued a task, at a Unix second."""

    task_id: str
    enqueued_at: float | None


class Schedulers(Inspection):
    """Reads schedulers."""

    async def scheduler_entries(self) -> list[SchedulerEntryView]:
        """The entries of schedulers whose heartbeat has not expired, by ID; up to 1,000 of each of up to 100.

        Nothing is deleted meanwhile, unlike with asynq's Inspector (wire trap 14); what cannot be read is
        left out.
        """
        bounds = (self._now_seconds(), "+inf", "LIMIT", 0, MAX_SCHEDULERS)
        [members] = await self._pipeline([("ZRANGEBYSCORE", keys.SCHEDULERS, *bounds)])
        lists = await self._pipeline([("LRANGE", name, 0, MAX_ENTRIES - 1) for name in members])
        found = [
            entry
            for name, records in zip(members, lists, strict=True)
            for record in records
            if (entry := _entry(_scheduler_id(messages.clean_text(name)), record))
        ]
        return sorted(found, key=lambda entry: entry.entry_id)

    async def enqueue_events(
        self, entry_id: str, *, page: int = 1, size: int = EVENTS_PAGE_SIZE
    ) -> list[EnqueueEvent]:
        """A page of what an entry enqueued, the newest first; asynq keeps 1,000 events.

        An unknown entry has none.

        Raises:
            InvalidArgumentError: a blank ID, a number out of range.
        """
        check_text(entry_id, what="entry ID")
        check_range(page, what="page", low=1, high=MAX_EVENTS_PAGE)
        check_range(size, what="page size", low=1, high=MAX_EVENTS_PAGE_SIZE)
        first = size * (page - 1)
        [records] = await self._pipeline(
            [("ZREVRANGE", keys.scheduler_history(entry_id), first, first + size - 1)]
        )
        return [event for record in records if (event := _event(record))]


def _entry(scheduler_id: str, record: bytes) -> SchedulerEntryView | None:
    try:
        entry = messages.decode_scheduler_entry(record)
    except CorruptMessageError:
        return None
    return SchedulerEntryView(
        entry_id=entry.id,
        scheduler_id=scheduler_id,
        spec=entry.spec,
        task_type=entry.task_type,
        payload=entry.task_payload[:ENTRY_PAYLOAD_BYTES],
        payload_bytes=len(entry.task_payload),
        options=list(entry.enqueue_options),
        next_enqueue_at=messages.timestamp_seconds(entry.next_enqueue_time),
        prev_enqueue_at=messages.timestamp_seconds(entry.prev_enqueue_time),
    )


def _scheduler_id(key: str) -> str:
    before, after = keys.scheduler_entries("\n").split("\n")
    return key.removeprefix(before).removesuffix(after)


def _event(record: bytes) -> EnqueueEvent | None:
    try:
        event = messages.decode_enqueue_event(record)
    except CorruptMessageError:
        return None
    return EnqueueEvent(task_id=event.task_id, enqueued_at=messages.timestamp_seconds(event.enqueue_time))
