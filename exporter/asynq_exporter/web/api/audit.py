"""One line in the log for each write: who, what, which task, result; never a payload and never a token."""

import logging
from collections.abc import Mapping
from typing import Any

from asynq_exporter.metrics.api import result

logger = logging.getLogger(__name__)

#: What of a request is told, where it has it.
FIELDS = ("queue", "task_id", "task_ids", "state", "group", "type", "error", "limit", "dry_run", "reason")


def log(
    *,
    who: str,
    role: str,
    client: str,
    action: str,
    asked: Mapping[str, Any],
    status: int,
    body: Mapping[str, Any],
    replayed: bool = False,
) -> None:
    """Writes the line; `asked` are the values of the request, `body` is the answer."""
    fields: dict[str, Any] = {"who": who, "role": role, "client": client, "action": action}
    fields |= {name: _text(asked[name]) for name in FIELDS if asked.get(name) not in (None, "", [])}
    fields |= {"result": result(status), "status": status}
    if error := body.get("error"):
        fields["code"] = error["code"]
    data = body.get("data")
    if isinstance(data, Mapping):
        # How many of a batch.
        fields |= {name: data[name] for name in ("done", "refused") if name in data}
    if replayed:
        fields["replayed"] = True
    logger.info("API write", extra=fields)


def _text(value: Any) -> Any:
    return " ".join(value) if isinstance(value, list) else value
