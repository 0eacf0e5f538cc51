"""A pass over the queues of a server in which one that fails costs itself alone."""

from collections.abc import Awaitable, Callable, Iterable

from asynq_exporter.core.errors import AsynqError


async def each(queues: Iterable[str], action: Callable[[str], Awaitable[object]]) -> None:
    """Acts on every queue, and raises the last error only then."""
    error: AsynqError | None = None
    for queue in queues:
        try:
            await action(queue)
        except AsynqError as exc:
            error = exc
    if error is not None:
        raise error
