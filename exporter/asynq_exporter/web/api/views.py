"""Values of the core as they are shown: bytes as text, moments as RFC 3339, tasks with or without payload."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from asynq_exporter.core.inspector import InspectedTask
from asynq_exporter.core.messages import TaskInfo
from asynq_exporter.core.states import TaskState
from asynq_exporter.web.api.models.tasks import Blob, TaskView

#: The last second that a date has; what is beyond is none.
_LAST_SECOND = 253_402_300_799

#: What the message of a task tells, as it is and as moments.
_PLAIN = ("type", "retried", "max_retry", "last_error", "timeout_seconds", "retention_seconds")
_MOMENTS = ("next_process_at", "last_failed_at", "deadline", "completed_at")

_UNREADABLE: Mapping[str, Any] = dict.fromkeys((*_PLAIN, *_MOMENTS, "group"))
_HIDDEN: Mapping[str, Any] = dict.fromkeys(("payload", "result", "headers"))

#: A character of UTF-8 may be cut off so many bytes before its end.
_MAX_CUT = 3


def moment(seconds: float | None) -> str | None:
    """A Unix second in UTC, as `2026-01-22T10:30:00Z`; None for what is no date."""
    if seconds is None or not 0 <= seconds <= _LAST_SECOND:
        return None
    at = datetime.fromtimestamp(seconds, UTC)
    text = at.isoformat(timespec="milliseconds" if at.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def blob(data: bytes, *, true_bytes: int | None) -> Blob:
    """Bytes as text where they are some."""
    cut = true_bytes is not None and len(data) < true_bytes
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        if not (cut and exc.end == len(data) and len(data) - exc.start <= _MAX_CUT):
            return Blob(encoding="base64", data=base64.b64encode(data).decode(), cut=cut)
        text = data[: exc.start].decode()
    return Blob(encoding="utf-8", data=text, cut=cut)


def task(found: InspectedTask, *, show: bool) -> TaskView:
    """A task, its payload, result and headers only where they are to be shown."""
    state = found.state
    return TaskView(
        id=found.id,
        queue=found.queue,
        state=str(state or found.state_text),
        payload_bytes=found.payload_bytes,
        result_bytes=found.result_bytes,
        archived_at=moment(found.score) if state is TaskState.ARCHIVED else None,
        pending_since=moment(found.pending_since) if state is TaskState.PENDING else None,
        lease_expires_at=moment(found.lease_expires_at),
        orphaned=found.orphaned,
        problem=None if found.problem is None else str(found.problem),
        **(_UNREADABLE if found.info is None else _told(found.info)),
        **(_HIDDEN if found.info is None or not show else _shown(found, found.info)),
    )


def _told(info: TaskInfo) -> dict[str, Any]:
    return {
        **{name: getattr(info, name) for name in _PLAIN},
        **{name: moment(getattr(info, name)) for name in _MOMENTS},
        "group": info.group or None,
    }


def _shown(found: InspectedTask, info: TaskInfo) -> dict[str, Any]:
    return {
        "payload": blob(info.payload, true_bytes=found.payload_bytes),
        "result": blob(info.result, true_bytes=found.result_bytes) if found.result_bytes else None,
        "headers": dict(info.headers),
    }
