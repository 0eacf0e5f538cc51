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

    Raises:
        ValueError: Redis refused, or the answer is no INFO.
    """
    if type(reply) is ReplyError:
        raise ValueError(f"INFO: {reply.text}")
    lines = {name.decode(): text.decode("utf-8", "replace") for name, text in _LINE.findall(reply)}
    fields: dict[str, Any] = {field: _first(lines, names) or "" for field, names in TEXTS.items()}
    fields |= {field: _number(_first(lines, names)) for field, names in NUMBERS.items()}
    return RedisInfo(**fields)


def _first(lines: dict[str, str], names: tuple[str, ...]) -> str | None:
    return next((lines[name] for name in names if name in lines), None)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
