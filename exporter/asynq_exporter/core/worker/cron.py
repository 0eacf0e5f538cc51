"""When something that happens again and again happens next (wire section 5.11); pure.

A specification is that of Go's cron library: five fields, a descriptor such as `@hourly`, or `@every 1h30m`,
in front of it perhaps `TZ=Europe/Berlin`. The fields are read by cronsim, which is typed, kept, and made for
this: where a clock is set back or forward it does as Debian's cron, so a daily job runs once on such a day.
Go's library leaves out a job whose hour is missing.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.worker import durations

DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
EVERY = "@every "

_ZONE = re.compile(r"(?:CRON_)?TZ=(\S*)\s+")
_FIELDS = 5

#: The highest value of each field; `N/step` and `*/step` go up to it.
_MAXIMA = (59, 23, 31, 12, 6)
_MINIMA = (0, 0, 1, 1, 0)


class Schedule(Protocol):
    """Moments without end."""

    def next_after(self, moment: datetime) -> datetime | None:
        """The first moment after another; None if there is none within reach."""
        ...


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so many seconds, counted from the start or the last time."""

    seconds: int

    def next_after(self, moment: datetime) -> datetime:
        """The first moment after another, in whole seconds."""
        return moment.replace(microsecond=0) + timedelta(seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Cron:
    """Five fields in a time zone."""

    fields: str
    zone: tzinfo

    def next_after(self, moment: datetime) -> datetime | None:
        """The first moment after another; None if there is none in the next 50 years."""
        found = next(CronSim(self.fields, moment.astimezone(self.zone)), None)
        return None if found is None else found.astimezone(UTC)


def parse(spec: str, zone: tzinfo = UTC) -> Schedule:
    """The schedule of a specification; its own time zone goes before the one given.

    Raises:
        InvalidArgumentError: it is none.
    """
    if found := _ZONE.match(spec):
        zone = _zone(found[1])
    text = spec[found.end() :].strip() if found else spec.strip()
    if text.startswith(EVERY):
        # Go rounds up to a second and cuts the fraction off.
        return Interval(max(durations.parse_ns(text.removeprefix(EVERY)) // NANOSECONDS, 1))
    if text.startswith("@"):
        if text not in DESCRIPTORS:
            raise InvalidArgumentError(f"{text!r} is no descriptor; use {', '.join(DESCRIPTORS)} or @every")
        text = DESCRIPTORS[text]
    parts = text.split()
    if len(parts) != _FIELDS:
        raise InvalidArgumentError(f"a cron specification has five fields, not {len(parts)}: {spec!r}")
    fields = " ".join(_as_cronsim(part, position) for position, part in enumerate(parts))
    try:
        CronSim(fields, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as exc:
        raise InvalidArgumentError(f"{spec!r} is no cron specification: {exc}") from exc
    return Cron(fields, zone)


def _as_cronsim(field: str, position: int) -> str:
    """A field of Go's library as cronsim reads it the same.

    Go takes `?` for `*`, and a star with a step for no star when it decides whether day of month and day of
    week both have to fit.
    """
    items = [_item(item.replace("?", "*"), position) for item in field.split(",")]
    return "*" if "*" in items else ",".join(items)


def _item(item: str, position: int) -> str:
    begin, slash, step = item.partition("/")
    if not slash:
        return item
    if begin == "*":
        return "*" if step == "1" else f"{_MINIMA[position]}-{_MAXIMA[position]}/{step}"
    return item if "-" in begin else f"{begin}-{_MAXIMA[position]}/{step}"


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise InvalidArgumentError(f"{name!r} is no time zone") from exc
