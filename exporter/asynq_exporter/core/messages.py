"""Bytes in Redis <-> messages of asynq (wire section 2); pure.

The generated classes are used as they are, so fields that this version does not know survive a rewrite.
Nobody changes a message that was handed over: every edit returns a copy.
"""

import dataclasses
from collections.abc import Mapping
from typing import Self, TypeVar

from google.protobuf.message import DecodeError, EncodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from asynq_exporter.core.errors import CorruptMessageError, InvalidArgumentError
from asynq_exporter.core.proto.asynq_pb2 import (
    SchedulerEnqueueEvent,
    SchedulerEntry,
    ServerInfo,
    TaskMessage,
    WorkerInfo,
)
from asynq_exporter.core.states import TaskState

__all__ = [
    "SchedulerEnqueueEvent",
    "SchedulerEntry",
    "ServerInfo",
    "TaskInfo",
    "TaskMessage",
    "WorkerInfo",
    "clean_text",
    "completed",
    "decode_enqueue_event",
    "decode_scheduler_entry",
    "decode_server",
    "decode_task",
    "decode_worker",
    "encode",
    "failed",
    "make_task",
    "timestamp",
    "timestamp_seconds",
]

#: Go's zero time, 0001-01-01T00:00:00Z; asynq writes it for "never" (wire section 2.4).
NEVER_SECONDS = -62_135_596_800

NANOSECONDS = 1_000_000_000

M = TypeVar("M", bound=Message)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TaskInfo:
    """A task as people look at it; moments are Unix seconds, None where there is none."""

    id: str
    queue: str
    type: str
    payload: bytes
    state: TaskState
    max_retry: int
    retried: int
    last_error: str
    last_failed_at: int | None
    timeout_seconds: int
    deadline: int | None
    group: str
    retention_seconds: int
    completed_at: int | None
    next_process_at: float | None
    headers: Mapping[str, str]
    result: bytes = b""

    @classmethod
    def of(
        cls, message: TaskMessage, state: TaskState, *, next_process_at: float | None, result: bytes = b""
    ) -> Self:
        """The view of a message that is in a state."""
        return cls(
            id=message.id,
            queue=message.queue,
            type=message.type,
            payload=message.payload,
            state=state,
            max_retry=message.retry,
            retried=message.retried,
            last_error=message.error_msg,
            last_failed_at=message.last_failed_at or None,
            timeout_seconds=message.timeout,
            deadline=message.deadline or None,
            group=message.group_key,
            retention_seconds=message.retention,
            completed_at=message.completed_at or None,
            next_process_at=next_process_at,
            headers=dict(message.headers),
            result=result,
        )


def make_task(
    type_: str,
    *,
    task_id: str,
    queue: str,
    payload: bytes = b"",
    max_retry: int = 0,
    timeout_seconds: int = 0,
    deadline: int = 0,
    unique_key: str = "",
    retention_seconds: int = 0,
    group: str = "",
    headers: Mapping[str, str] | None = None,
) -> TaskMessage:
    """A new message; 0 and empty mean "none".

    Raises:
        InvalidArgumentError: a value does not fit its field, such as text with lone surrogates.
    """
    try:
        return TaskMessage(
            type=type_,
            payload=payload,
            id=task_id,
            queue=queue,
            retry=max_retry,
            timeout=timeout_seconds,
            deadline=deadline,
            unique_key=unique_key,
            retention=retention_seconds,
            group_key=group,
            headers=headers,
        )
    except (TypeError, ValueError) as exc:
        raise InvalidArgumentError(f"the task does not fit asynq's message: {exc}") from exc


def encode(message: Message) -> bytes:
    """The bytes as Go writes them; maps in key order, so that equal messages give equal bytes.

    Raises:
        InvalidArgumentError: the message cannot be written.
    """
    try:
        return message.SerializeToString(deterministic=True)
    except (EncodeError, ValueError) as exc:
        raise InvalidArgumentError(f"cannot encode {message.DESCRIPTOR.name}: {exc}") from exc


def decode_task(data: bytes) -> TaskMessage:
    """The value of the field `msg` of a task hash; raises CorruptMessageError."""
    return _decode(TaskMessage, data)


def decode_server(data: bytes) -> ServerInfo:
    """The value of a server record; raises CorruptMessageError."""
    return _decode(ServerInfo, data)


def decode_worker(data: bytes) -> WorkerInfo:
    """A value of a workers hash; raises CorruptMessageError."""
    return _decode(WorkerInfo, data)


def decode_scheduler_entry(data: bytes) -> SchedulerEntry:
    """An element of a list of scheduler entries; raises CorruptMessageError."""
    return _decode(SchedulerEntry, data)


def decode_enqueue_event(data: bytes) -> SchedulerEnqueueEvent:
    """A member of a scheduler history; raises CorruptMessageError."""
    return _decode(SchedulerEnqueueEvent, data)


def failed(message: TaskMessage, error: str, *, at_seconds: int, counted: bool) -> TaskMessage:
    """A copy after an attempt that ended in an error (wire sections 3.12 and 3.13).

    `counted` says whether the attempt uses up one of the retries; error and moment are noted either way.
    """
    copy = _copy(message)
    copy.error_msg = clean_text(error)
    copy.last_failed_at = at_seconds
    if counted:
        copy.retried += 1
    return copy


def completed(message: TaskMessage, *, at_seconds: int) -> TaskMessage:
    """A copy after a success that is kept (wire section 3.10)."""
    copy = _copy(message)
    copy.completed_at = at_seconds
    return copy


def clean_text(text: str | bytes) -> str:
    """Valid UTF-8 in place of anything; one bad character would hide the whole task from Go (trap 26)."""
    if isinstance(text, bytes):
        return text.decode("utf-8", errors="replace")
    # Through UTF-16, where a lone surrogate is one bad character; in UTF-8 it would be three.
    return text.encode("utf-16-le", errors="surrogatepass").decode("utf-16-le", errors="replace")


def timestamp(unix_ns: int | None) -> Timestamp:
    """Unix nanoseconds as a Timestamp; None is Go's zero time."""
    if unix_ns is None:
        return Timestamp(seconds=NEVER_SECONDS)
    whole, nanos = divmod(unix_ns, NANOSECONDS)
    return Timestamp(seconds=whole, nanos=nanos)


def timestamp_seconds(value: Timestamp) -> float | None:
    """A Timestamp as Unix seconds; None for Go's zero time.

    An absent field reads as the epoch: protobuf's Timestamp of all zeros.
    """
    if value.seconds == NEVER_SECONDS:
        return None
    return value.seconds + value.nanos / NANOSECONDS


def _decode(kind: type[M], data: bytes) -> M:
    message = kind()
    try:
        message.ParseFromString(data)
    except (DecodeError, ValueError, TypeError) as exc:
        # Before 0.18 asynq wrote JSON objects (wire section 8).
        hint = " (JSON of asynq before 0.18?)" if data[:1] == b"{" else ""
        raise CorruptMessageError(f"not a {kind.DESCRIPTOR.name} of asynq{hint}", data=data) from exc
    return message


def _copy(message: TaskMessage) -> TaskMessage:
    copy = TaskMessage()
    copy.CopyFrom(message)
    return copy
