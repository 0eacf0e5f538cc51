"""Durations in Go's notation, such as `1h30m0s`; pure."""

import re

from asynq_exporter.core.errors import InvalidArgumentError

_UNIT_NS = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ns": 1,
}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(h|ms|m|s|us|µs|μs|ns)")

#: Go keeps a duration in 64 bits.
_MAX_NS = 2**63 - 1


def parse_ns(text: str) -> int:
    """The nanoseconds of a text as Go's ParseDuration takes it.

    Raises:
        InvalidArgumentError: it is none, or too long for Go.
    """
    negative = text.startswith("-")
    body = text[1:] if text[:1] in ("-", "+") else text
    parts = _PART.findall(body)
    if body != "0" and (not parts or "".join(number + unit for number, unit in parts) != body):
        raise InvalidArgumentError(f"{text!r} is no duration; write it like 1h30m or 15s")
    total = sum(_part_ns(number, _UNIT_NS[unit]) for number, unit in parts)
    if total > _MAX_NS:
        raise InvalidArgumentError(f"{text!r} is longer than a duration can be")
    return -total if negative else total


def text_of(nanoseconds: int) -> str:
    """A duration as Go prints it."""
    if nanoseconds == 0:
        return "0s"
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest < _UNIT_NS["s"]:
        unit = "ms" if rest >= _UNIT_NS["ms"] else "µs" if rest >= _UNIT_NS["us"] else "ns"
        return f"{sign}{_decimal(rest, _UNIT_NS[unit])}{unit}"
    minutes, rest = divmod(rest, _UNIT_NS["m"])
    text = f"{_decimal(rest, _UNIT_NS['s'])}s"
    if minutes:
        hours, minutes = divmod(minutes, 60)
        text = f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}"
    return sign + text


def _part_ns(number: str, unit_ns: int) -> int:
    # Exact, where a float would lose nanoseconds of long times.
    whole, _, fraction = number.partition(".")
    return int(whole or 0) * unit_ns + int(fraction or 0) * unit_ns // int(10 ** len(fraction))


def _decimal(nanoseconds: int, unit_ns: int) -> str:
    whole, rest = divmod(nanoseconds, unit_ns)
    if not rest:
        return str(whole)
    digits = len(str(unit_ns)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0")
