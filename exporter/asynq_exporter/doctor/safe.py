"""Texts of others made fit to be shown: no secret, no control character, equal errors as one; pure."""

import re
from collections.abc import Iterable

from asynq_exporter.doctor.finding import ErrorGroup
from asynq_exporter.doctor.sample import SeenTask

#: Longer errors are cut.
MAX_CHARACTERS = 200

HIDDEN = "***"

_SECRETS = (
    # The user part of an address.
    (re.compile(r"(?P<before>[a-z][a-z0-9+.-]*://)[^\s\"'<>]*@", re.IGNORECASE), rf"\g<before>{HIDDEN}@"),
    (
        re.compile(
            r"(?P<before>(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|auth(?:orization)?)"
            r"[\"']?\s*[=:]\s*[\"']?(?:(?:bearer|basic)\s+)?)[^\s\"'&,;}]+",
            re.IGNORECASE,
        ),
        rf"\g<before>{HIDDEN}",
    ),
    (re.compile(r"(?P<before>\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\g<before>{HIDDEN}"),
)

#: What differs between two errors that are the same, the longer patterns first.
_VARIABLE = (
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<uuid>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "<ip>"),
    (re.compile(r"\bjob:[^\s\"',;)]+"), "<job>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<id>"),
    # A word of letters and digits that nobody would spell out: a hash, a token, an object's name.
    (re.compile(r"\b(?=\w*\d)(?=\w*[A-Za-z])\w{16,}\b"), "<id>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b", re.IGNORECASE), "<id>"),
    # Not the digits inside a word such as sha256 or http2, but those in task_42.
    (re.compile(r"(?<![A-Za-z\d])\d+(?:\.\d+)?"), "<n>"),
)


def shown(text: str) -> str:
    """A text without secrets and without control characters, on one line."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    text = " ".join(text.split())
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)


def signature(error: str) -> str:
    """What an error says, with numbers and identifiers left out, so that the same errors look the same."""
    # Secrets first: a number inside one would leave its rest readable.
    text = shown(error[: 10 * MAX_CHARACTERS])
    for pattern, replacement in _VARIABLE:
        text = pattern.sub(replacement, text)
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"


def grouped(tasks: Iterable[SeenTask], *, top: int = 5) -> tuple[ErrorGroup, ...]:
    """The errors of some tasks, the most frequent first; tasks without one do not count."""
    groups: dict[str, list[SeenTask]] = {}
    for task in tasks:
        if task.error:
            groups.setdefault(signature(task.error), []).append(task)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(_group(message, members) for message, members in ordered[:top])


def _group(message: str, members: list[SeenTask]) -> ErrorGroup:
    newest = max(members, key=lambda task: task.last_failed_at_seconds or 0)
    return ErrorGroup(
        message=message,
        count=len(members),
        task_id=newest.task_id,
        task_type=newest.task_type,
        last_failed_at_seconds=newest.last_failed_at_seconds,
    )
