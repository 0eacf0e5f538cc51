"""Functions around handlers: what holds for every task stands in one place."""

from collections.abc import Callable

from asynq_exporter.core.worker.attempt import Handler

#: Takes a handler and returns one that does something before or after it.
Middleware = Callable[[Handler], Handler]


def wrapped(handler: Handler, *middlewares: Middleware) -> Handler:
    """A handler inside of its middlewares; the first is the outermost."""
    for middleware in reversed(middlewares):
        handler = middleware(handler)
    return handler
