"""Which queues are read: those that are known, wanted, and not too many."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from asynq_exporter.core import keys
from asynq_exporter.scan import queues
from asynq_exporter.scan.snapshot import Selection

#: A name stands in about 40 samples, each time as a label; a longer one counts as cut by the ceiling.
MAX_NAME_CHARACTERS = 512

#: Members of the registry that are keys of asynq before 0.12, not names (wire section 8).
OLD_PREFIX = keys.QUEUES + ":"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilter:
    """Which queues are read."""

    include: tuple[re.Pattern[str], ...] = ()
    exclude: tuple[re.Pattern[str], ...] = ()
    #: Ceiling on the number of queues, against runaway names.
    maximum: int = 1000

    def select(self, names: set[str], *, first: Iterable[str]) -> tuple[tuple[str, ...], Selection]:
        """The names to read, in order; those of `first` survive the ceiling before the others."""
        short = {name for name in names if len(name) <= MAX_NAME_CHARACTERS}
        wanted = sorted(filter(self._wants, short))
        kept = wanted
        if len(wanted) > self.maximum:
            ahead = [name for name in first if name in names and self._wants(name)]
            kept = sorted(list(dict.fromkeys(ahead + wanted))[: self.maximum])
        counts = Selection(
            read=len(kept),
            excluded=len(short) - len(wanted),
            cut=len(wanted) - len(kept) + len(names) - len(short),
        )
        return tuple(kept), counts

    def _wants(self, name: str) -> bool:
        if self.include and not any(pattern.fullmatch(name) for pattern in self.include):
            return False
        return not any(pattern.fullmatch(name) for pattern in self.exclude)


def queue_names(members: Iterable[bytes]) -> set[str]:
    """The queues of the registry; bytes that are no UTF-8 travel as surrogates."""
    names = {member.decode("utf-8", "surrogateescape") for member in members}
    names = {name for name in names if not name.startswith(OLD_PREFIX)}
    if all(map(str.isascii, names)):
        return names
    # Two names must not look alike as labels: Prometheus would refuse the whole page.
    return set({queues.label(name): name for name in sorted(names, reverse=True)}.values())
