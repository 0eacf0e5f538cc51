"""Log lines on standard error: logfmt or JSON, one event a line, no secrets."""

import logging
import math
import re
import sys
from typing import Any, TextIO

import structlog

from asynq_exporter.settings.redis_url import mask

#: Flag value -> level.
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}

#: Libraries whose news are none to who runs the exporter.
TALKATIVE = ("alembic",)

#: What every LogRecord has; anything else came with `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

#: Characters of a value; whoever names a queue is not to write the log.
MAX_CHARACTERS = 8192

KEYS = ("ts", "level", "logger", "event")


def configure(*, level: str, form: str, stream: TextIO | None = None) -> None:
    """Sends all records of a level and above to a stream, standard error by default.

    Args:
        level: debug, info, warn or error.
        form: logfmt or json.
        stream: where to; for tests.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    if form == "logfmt":
        renderer = structlog.processors.LogfmtRenderer(key_order=KEYS, bool_as_flag=False)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_from_record, structlog.processors.format_exc_info],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _clean, renderer],
        )
    )
    logging.basicConfig(level=LEVELS[level], handlers=[handler], force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(LEVELS[level], logging.WARNING))


def clean(text: str) -> str:
    """A text that can be shown: secrets masked, control characters but line breaks spelled out."""
    masked = mask(text)
    if masked.isprintable():
        return masked
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in masked)


def _from_record(_logger: Any, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    record: logging.LogRecord = event["_record"]
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts")
    event["level"] = "warn" if record.levelno == logging.WARNING else record.levelname.lower()
    event["logger"] = record.name.removeprefix("asynq_exporter.")
    extra = {k: v for k, v in vars(record).items() if k not in _STANDARD and not k.startswith("_")}
    event.update({k: v for k, v in extra.items() if k not in event})  # nobody forges our own fields
    return stamp(_logger, _name, event)


def _clean(_logger: Any, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    ordered = {key: event.pop(key) for key in KEYS if key in event}
    return {_key(key): _value(value) for key, value in {**ordered, **event}.items()}


def _key(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", key)


def _value(value: Any) -> Any:
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value  # JSON has no word for infinity
    # The renderers escape line breaks, so a value cannot begin a line, nor move the cursor of who reads it.
    text = clean(str(value))
    cut = len(text) - MAX_CHARACTERS
    return text if cut <= 0 else f"{text[:MAX_CHARACTERS]}… ({cut} more characters)"
