"""The sums of the task timings that workers share, see `core.shared_timings`; one command for all types."""

from asynq_exporter.core import keys, timings
from asynq_exporter.core.timings import TaskTimings
from asynq_exporter.scan.background import groups
from asynq_exporter.scan.background.reader import Ask
from asynq_exporter.scan.commands import pack

#: More than all types; one page is read, never the whole of a hash that someone filled.
PAGE = 1000

REQUEST = pack("HSCAN", keys.TASK_TIMINGS, 0, "COUNT", PAGE)


async def collect(ask: Ask) -> tuple[dict[str, TaskTimings], str]:
    """The sums by type, and what was wrong with the first bad field; the others stand.

    Raises:
        ReplyError: the key is no hash.
    """
    _, flat = groups.checked(await ask([REQUEST]))[0]
    found: dict[str, TaskTimings] = {}
    error = ""
    for name, row in sorted(zip(flat[::2], flat[1::2], strict=True))[: timings.MAX_TYPES + 1]:
        task_type = name.decode("utf-8", "backslashreplace")
        try:
            found[task_type] = timings.decode(row)
        except ValueError as exc:
            error = error or f"{keys.TASK_TIMINGS}: field {task_type!r:.100}: {exc}"
    return found, error
