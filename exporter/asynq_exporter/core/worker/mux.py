"""Finds the handler for a type of task: the exact one, else that of the longest prefix (wire section 5.4)."""

from collections.abc import Callable

from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.worker.attempt import Attempt, Handler
from asynq_exporter.core.worker.errors import HandlerNotFoundError
from asynq_exporter.core.worker.middleware import Middleware, wrapped


class Mux:
    """A handler that hands each task to one of others.

    mux = Mux()
    mux.use(with_breaker)

    @mux.on("email:")
    async def send(attempt: Attempt) -> None: ...

    await server.run(mux)
    """

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        #: The longest first.
        self._patterns: list[str] = []
        self._middlewares: list[Middleware] = []

    async def __call__(self, attempt: Attempt) -> None:
        """Handles a task.

        Raises:
            HandlerNotFoundError: no pattern fits; an error as any other, so the task is retried.
        """
        await wrapped(self.handler(attempt.type), *self._middlewares)(attempt)

    def add(self, pattern: str, handler: Handler) -> None:
        """Registers the handler of a type, and of all types that begin with it.

        Raises:
            InvalidArgumentError: the pattern is blank, or taken.
        """
        if not pattern.strip():
            raise InvalidArgumentError("a pattern is not blank")
        if pattern in self._handlers:
            raise InvalidArgumentError(f"pattern {pattern!r} has a handler already")
        self._handlers[pattern] = handler
        self._patterns = sorted(self._handlers, key=len, reverse=True)

    def on(self, pattern: str) -> Callable[[Handler], Handler]:
        """`add` as a decorator."""

        def register(handler: Handler) -> Handler:
            self.add(pattern, handler)
            return handler

        return register

    def use(self, *middlewares: Middleware) -> None:
        """Adds middlewares around every handler, also where none is found; the first is the outermost."""
        self._middlewares += middlewares

    def handler(self, task_type: str) -> Handler:
        """The handler for a type, without middlewares; one that raises where there is none."""
        if task_type in self._handlers:
            return self._handlers[task_type]
        for pattern in self._patterns:
            if task_type.startswith(pattern):
                return self._handlers[pattern]
        return _not_found


async def _not_found(attempt: Attempt) -> None:
    raise HandlerNotFoundError(attempt.type)
