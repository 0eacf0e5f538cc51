"""Live schedulers and their entries, read without pruning (wire trap 14)."""

from asynq_exporter.core import keys, messages
from asynq_exporter.core.errors import CorruptMessageError
from asynq_exporter.scan.commands import pack
from asynq_exporter.scan.pipe import Reply, ReplyError
from asynq_exporter.scan.snapshot import SchedulerEntry

#: Entries read of one scheduler; each carries its payload.
MAX_ENTRIES = 1000


class SchedulersPass:
    """Reads the entries of the live schedulers once."""

    def __init__(self) -> None:
        self._keys: list[bytes] = []
        self.schedulers: list[tuple[SchedulerEntry, ...]] = []
        self.error = ""

    def requests(self, scheduler_keys: Reply) -> list[bytes]:
        """Asks for the lists that the registry names, with a command for each."""
        if type(scheduler_keys) is ReplyError:
            self.error = f"{keys.SCHEDULERS}: {scheduler_keys.text}"
        else:
            self._keys = scheduler_keys
        return [pack("LRANGE", key, 0, MAX_ENTRIES - 1) for key in self._keys]

    def take(self, lists: list[Reply]) -> None:
        """Takes the lists in the order of the requests."""
        for key, elements in zip(self._keys, lists, strict=True):
            if type(elements) is ReplyError:
                self.error = f"{key!r}: {elements.text}"
                continue
            # A scheduler without entries has no list, but it lives.
            entries = []
            for element in elements:
                try:
                    entries.append(_decode(element))
                except CorruptMessageError as exc:
                    self.error = f"{key!r}: {exc}"
            self.schedulers.append(tuple(entries))


def _decode(element: bytes) -> SchedulerEntry:
    entry = messages.decode_scheduler_entry(element)
    return SchedulerEntry(
        entry_id=entry.id,
        spec=entry.spec,
        task_type=entry.task_type,
        next_at_seconds=messages.timestamp_seconds(entry.next_enqueue_time),
        previous_at_seconds=messages.timestamp_seconds(entry.prev_enqueue_time),
    )
