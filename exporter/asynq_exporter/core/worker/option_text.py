"""The options of a scheduler entry as Go prints them (wire section 4.12); pure."""

import json
from datetime import UTC, datetime

from asynq_exporter.core.client import Options
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.worker import durations


def texts_of(options: Options) -> list[str]:
    """One text for each option, in the order in which they were given."""
    return [text for name, value in options.items() for text in _TEXTS[name](value)]


def quoted(text: str) -> str:
    """A text as Go's `%q` prints it."""
    # JSON's escapes are Go's for what can stand in a name; \\u with four digits means the same in both.
    plain = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() or c in '"\\' else _escaped(c) for c in plain)


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _duration(seconds: float) -> str:
    return durations.text_of(round(seconds * NANOSECONDS))


def _date(unix_seconds: float) -> str:
    # Go's time.UnixDate.
    moment = datetime.fromtimestamp(unix_seconds, tz=UTC)
    return f"{moment:%a %b} {moment.day:2d} {moment:%H:%M:%S UTC %Y}"


def _headers(headers: dict[str, str]) -> list[str]:
    return [f"Header([{quoted(name)},{quoted(value)}])" for name, value in headers.items()]


_TEXTS = {
    "queue": lambda value: [f"Queue({quoted(value)})"],
    "max_retry": lambda value: [f"MaxRetry({max(value, 0)})"],
    "task_id": lambda value: [f"TaskID({quoted(value)})"],
    "timeout_seconds": lambda value: [f"Timeout({_duration(value)})"],
    "deadline": lambda value: [f"Deadline({_date(value)})"],
    "unique_seconds": lambda value: [f"Unique({_duration(value)})"],
    "process_at": lambda value: [f"ProcessAt({_date(value)})"],
    "process_in_seconds": lambda value: [f"ProcessIn({_duration(value)})"],
    "retention_seconds": lambda value: [f"Retention({_duration(value)})"],
    "group": lambda value: [f"Group({quoted(value)})"],
    "headers": _headers,
}
