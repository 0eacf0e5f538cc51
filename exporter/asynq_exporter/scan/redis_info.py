"""What Redis says of itself: the answer of INFO, parsed."""

import re
from typing import Any

from asynq_exporter.scan.commands import pack
from asynq_exporter.scan.pipe import Reply, ReplyError
from asynq_exporter.scan.snapshot import RedisInfo

# Several sections in one INFO exist from Redis 7 on; the default answer holds all that is needed everywhere.
REQUEST = pack("INFO")

#: Field of RedisInfo -> the names INFO may give it, the first found wins.
TEXTS = {
    "version": ("valkey_version", "redis_version"),
    "mode": ("server_mode", "redis_mode"),
    "role": ("role",),
    "maxmemory_policy": ("maxmemory_policy",),
}
NUMBERS = {
    "memory_used_bytes": ("used_memory",),
    "memory_max_bytes": ("maxmemory",),
    "connected_clients": ("connected_clients",),
    "blocked_clients": ("blocked_clients",),
    "evicted_keys": ("evicted_keys",),
    "rejected_connections": ("rejected_connections",),
}

#: The lines that matter, of about two hundred.
_LINE = re.compile(
    rb"^(%b):([^\r\n]*)" % "|".join(name for names in (TEXTS | NUMBERS).values() for name in names).encode(),
    re.MULTILINE,
)


def parse(reply: Reply) -> RedisInfo:
    """The fields we tell of; what INFO leaves out stays unknown.

    The answers of several nodes may stand one after the other: then numbers are sums.

    Raises:
        ValueError: Redis refused, or the answer is no INFO.
    """
    if type(reply) is ReplyError:
        raise ValueError(f"INFO: {reply.text}")
    lines: dict[str, list[str]] = {}
    for name, text in _LINE.findall(reply):
        lines.setdefault(name.decode(), []).append(text.decode("utf-8", "replace"))
    fields: dict[str, Any] = {field: (_first(lines, names) or [""])[0] for field, names in TEXTS.items()}
    fields |= {field: _sum(_first(lines, names)) for field, names in NUMBERS.items()}
    return RedisInfo(**fields)


def _first(lines: dict[str, list[str]], names: tuple[str, ...]) -> list[str]:
    return next((lines[name] for name in names if name in lines), [])


def _sum(texts: list[str]) -> int | None:
    return sum(map(int, texts)) if texts and all(map(str.isdecimal, texts)) else None
