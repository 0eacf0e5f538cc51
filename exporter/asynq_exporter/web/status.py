"""The status page: the queues with their levels, for a person, in English or Chinese."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2
from aiohttp import web

from asynq_exporter import __version__
from asynq_exporter.core.catalog import LEVELS
from asynq_exporter.scan.queues import label
from asynq_exporter.scan.snapshot import Snapshot
from asynq_exporter.web import appkeys, html, language

#: From the harmless to the worst; the last two are no levels of a ladder.
SEVERITY = ("ok", *LEVELS)

#: Rows of worker processes on the page.
MAX_SERVERS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A queue as it stands on the page."""

    name: str
    purpose: str
    numbers: Mapping[str, Any]
    #: State with a ladder -> level it has reached.
    levels: Mapping[str, str]
    #: The worst of them; `none` without a ladder, `unknown` when a number is.
    level: str
    #: State -> its ladder as text, from info to critical.
    ladders: Mapping[str, str]


async def page(request: web.Request) -> web.Response:
    """The page."""
    settings = request.app[appkeys.SETTINGS]
    snapshot = await request.app[appkeys.SCANS].get(timeout_seconds=settings.scan_timeout_seconds)
    chosen = language.choose(request)
    text = _template().render(
        language=chosen,
        other=language.other(chosen),
        t=html.texts(__package__)[chosen],
        s=snapshot,
        rows=rows(snapshot, chosen),
        problems=problems(snapshot),
        servers=sorted(snapshot.servers, key=lambda s: (s.host, s.pid, s.server_id))[:MAX_SERVERS],
        totals=totals(snapshot),
        where=request.app[appkeys.WHERE],
        telemetry_path=settings.web_telemetry_path,
        has_api=settings.api_token_file is not None,
        version=__version__,
    )
    return web.Response(text=text, content_type="text/html")


def rows(snapshot: Snapshot, chosen: str) -> list[Row]:
    """The queues: those of the catalogue in its order, then the others by name."""
    order = {name: position for position, name in enumerate(snapshot.catalog.queues)}
    queues = snapshot.queues
    numbered = sorted(enumerate(queues.names), key=lambda item: (order.get(item[1], len(order)), item[1]))
    return [_row(snapshot, index, name, chosen) for index, name in numbered]


def reached(value: float | None, ladder: Mapping[str, int]) -> str:
    """The highest level whose threshold a number exceeds; `ok` below all of them."""
    if value is None:
        return "unknown"
    level = "ok"
    for name in LEVELS:
        if name in ladder and value > ladder[name]:
            level = name
    return level


def problems(snapshot: Snapshot) -> list[str]:
    """What could not be read, in sentences."""
    named = list(snapshot.queue_errors.values())
    return named + [
        f"{name}: {part.error}"
        for name, part in snapshot.parts.items()
        if part.error and part.error not in named
    ]


def totals(snapshot: Snapshot) -> Mapping[str, Any]:
    """The numbers of the headline."""
    queues = snapshot.queues
    known_latencies = [seconds for seconds in queues.latency_seconds if seconds is not None]
    return {
        "waiting": sum(size or 0 for size in queues.size),
        "dead": sum(count or 0 for count in queues.archived),
        "oldest": max(known_latencies, default=None),
        "utilization": max((u for u in queues.utilization if u is not None), default=None),
        "workers": len(snapshot.servers),
        "busy": sum(server.busy for server in snapshot.servers),
        "slots": sum(server.concurrency for server in snapshot.servers),
    }


def duration(seconds: float | None) -> str:
    """Seconds for people: two units at most."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds else "0 s"
    units = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))
    whole = int(seconds)
    parts: list[str] = []
    for size, unit in units:
        count, whole = divmod(whole, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
    return " ".join(part for part in parts[:2] if part)


def size(count: float | None) -> str:
    """Bytes for people."""
    if count is None:
        return "–"
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError


def grouped(number: float | None) -> str:
    """A count with its thousands apart."""
    return "–" if number is None else f"{number:,.0f}"


def _row(snapshot: Snapshot, index: int, name: str, chosen: str) -> Row:
    numbers = snapshot.queues.row(index)
    profile = snapshot.catalog.queues.get(name)
    ladders = profile.thresholds if profile else {}
    levels = {state: reached(numbers[state], ladder) for state, ladder in ladders.items()}
    return Row(
        name=label(name),
        purpose=(profile.purpose.get(chosen) or profile.purpose.get("en", "")) if profile else "",
        numbers=numbers,
        levels=levels,
        level=_worst(levels.values()) if levels else "none",
        ladders={
            state: "> " + " / ".join(grouped(value) for value in ladder.values())
            for state, ladder in ladders.items()
        },
    )


def _worst(levels: Iterable[str]) -> str:
    rank = {level: position for position, level in enumerate(SEVERITY)}
    return max(levels, key=lambda level: rank.get(level, len(rank)))


@cache
def _template() -> jinja2.Template:
    environment = html.environment()
    environment.filters |= {"duration": duration, "bytes": size, "grouped": grouped}
    return environment.get_template("status.html")
