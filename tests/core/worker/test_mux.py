"""Which handler gets a task, and what is around it: wire section 5.4."""

import pytest

from asynq_exporter.core import FixedClock, messages
from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.worker import Attempt, Handler, HandlerNotFoundError, Middleware, Mux, wrapped
from asynq_exporter.core.worker.attempt import ResultWriter, Run
from asynq_exporter.core.worker.broker import WorkerBroker
from asynq_exporter.core.worker.leases import Lease
from tests.core.queue_state import Q, T


class Notes(list[str]):
    """Handlers and middlewares that write down that they were called."""

    def handler(self, name: str) -> Handler:
        """A handler."""

        async def handle(_attempt: Attempt) -> None:
            self.append(name)

        return handle

    def middleware(self, name: str) -> Middleware:
        """A middleware."""

        def around(inner: Handler) -> Handler:
            async def handle(attempt: Attempt) -> None:
                self.append(f"<{name}")
                try:
                    await inner(attempt)
                finally:
                    self.append(f"{name}>")

            return handle

        return around


@pytest.fixture
def notes() -> Notes:
    """What was called."""
    return Notes()


async def handle(handler: Handler, task_type: str) -> None:
    """Has a task of a type handled."""
    message = messages.make_task(task_type, task_id="1", queue=Q)
    run = Run(message, lease=Lease(T), started_ns=0, deadline_ns=0)
    # No result is written here.
    results = ResultWriter(WorkerBroker.__new__(WorkerBroker), run)
    await handler(Attempt(message, deadline_ns=0, clock=FixedClock(), results=results))


@pytest.mark.parametrize(
    ("task_type", "expected"),
    [
        ("email", "email"),
        ("email:send", "email:send"),
        ("email:send:now", "email:send"),
        ("email:other", "email:"),
        ("emails", "email"),
        ("image:resize", "image:"),
    ],
)
async def test_exact_type_then_longest_prefix(notes: Notes, task_type: str, expected: str) -> None:
    """In whatever order the patterns were registered."""
    mux = Mux()
    for pattern in ("email", "image:", "email:send", "email:"):
        mux.add(pattern, notes.handler(pattern))
    await handle(mux, task_type)
    assert notes == [expected]


async def test_exact_type_goes_before_a_longer_prefix(notes: Notes) -> None:
    """A type is a prefix of itself only."""
    mux = Mux()
    mux.add("a", notes.handler("a"))
    mux.add("ab", notes.handler("ab"))
    await handle(mux, "a")
    assert notes == ["a"]


async def test_unknown_type_is_an_error(notes: Notes) -> None:
    """An ordinary one, with Go's words; middlewares see it too."""
    mux = Mux()
    mux.use(notes.middleware("m"))
    mux.add("email:", notes.handler("email:"))
    with pytest.raises(HandlerNotFoundError, match=r'^handler not found for task "emai"$'):
        await handle(mux, "emai")
    assert notes == ["<m", "m>"]


@pytest.mark.parametrize("pattern", ["", " \t", "taken"])
def test_pattern_that_cannot_be_is_refused(notes: Notes, pattern: str) -> None:
    """Blank, or registered before."""
    mux = Mux()
    mux.add("taken", notes.handler("taken"))
    with pytest.raises(InvalidArgumentError):
        mux.add(pattern, notes.handler("x"))


async def test_handlers_may_be_registered_by_decorator(notes: Notes) -> None:
    """The function stays what it was."""
    mux = Mux()

    @mux.on("mail:")
    async def send(attempt: Attempt) -> None:
        notes.append(attempt.type)

    await handle(mux, "mail:x")
    await handle(send, "direct")
    assert notes == ["mail:x", "direct"]


async def test_first_middleware_is_the_outermost(notes: Notes) -> None:
    """Around a mux and around a single handler alike."""
    mux = Mux()
    mux.add("t", notes.handler("t"))
    mux.use(notes.middleware("a"), notes.middleware("b"))
    mux.use(notes.middleware("c"))
    await handle(mux, "t")
    assert notes == ["<a", "<b", "<c", "t", "c>", "b>", "a>"]
    notes.clear()
    await handle(wrapped(notes.handler("t"), notes.middleware("a"), notes.middleware("b")), "t")
    assert notes == ["<a", "<b", "t", "b>", "a>"]
