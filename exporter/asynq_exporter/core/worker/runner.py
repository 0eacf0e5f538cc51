"""The life of one task in a worker (wire section 5.4)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from asynq_exporter.core.clock import Clock
from asynq_exporter.core.errors import AsynqError
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.core.worker import ending
from asynq_exporter.core.worker.attempt import Attempt, Handler, ResultWriter, Run
from asynq_exporter.core.worker.broker import WorkerBroker
from asynq_exporter.core.worker.config import ServerConfig
from asynq_exporter.core.worker.ending import Ending
from asynq_exporter.core.worker.errors import (
    CanceledError,
    DeadlineExceededError,
    as_error,
    is_panic,
    panic_of,
    text_of,
)
from asynq_exporter.core.worker.failures import Failures
from asynq_exporter.core.worker.syncer import Syncer, Write
from asynq_exporter.core.worker.timings import Timings

logger = logging.getLogger(__name__)

#: What handlers whose attempts are over have to clean up when their server ends.
LEFTOVER_SECONDS = 1.0


class Runner:
    """Has tasks handled, and writes what became of them."""

    def __init__(
        self, handler: Handler, broker: WorkerBroker, config: ServerConfig, *, clock: Clock, syncer: Syncer
    ) -> None:
        self.timings = Timings()
        self._handler = handler
        self._broker = broker
        self._failures = Failures(config, clock)
        self._error_handler = config.error_handler
        self._clock = clock
        self._syncer = syncer
        self._leftovers: set[asyncio.Task[None]] = set()

    async def run(self, run: Run) -> None:
        """Makes an attempt, to its end in Redis."""
        results = ResultWriter(self._broker, run)
        attempt = Attempt(run.message, deadline_ns=run.deadline_ns, clock=self._clock, results=results)
        try:
            await self._attempt(run, attempt)
            if run.over.cancelled():
                await self._requeue(run)
            else:
                await self._finish(run, attempt, run.over.result())
        except Exception:
            # The recoverer will see to the task; its slot is needed for others.
            logger.exception("[Asynq] A task could not be ended", extra=_fields(run))

    async def close(self) -> None:
        """Gives handlers whose attempts are over a moment to end."""
        if self._leftovers:
            await asyncio.wait(self._leftovers, timeout=LEFTOVER_SECONDS)

    async def _attempt(self, run: Run, attempt: Attempt) -> None:
        """Waits until the attempt is over, in whatever way."""
        loop = asyncio.get_running_loop()
        started, left_seconds = loop.time(), attempt.remaining_seconds()
        if left_seconds <= 0:
            run.end(DeadlineExceededError())
            return
        timer = loop.call_later(left_seconds, run.end, DeadlineExceededError())
        handling = asyncio.create_task(self._handle(run, attempt))
        await asyncio.wait({run.over})
        timer.cancel()
        if not handling.done():
            # It is told to stop, and nobody waits for it: what it does from now on is ignored.
            handling.cancel()
            self._leftovers.add(handling)
            handling.add_done_callback(self._leftovers.discard)
        if not run.over.cancelled():
            self.timings.ran(attempt.type, loop.time() - started, failed=run.over.result() is not None)

    async def _handle(self, run: Run, attempt: Attempt) -> None:
        try:
            await self._handler(attempt)
        except Exception as exc:  # noqa: BLE001 - whatever a handler raises is the outcome of its attempt
            run.end(as_error(exc))
        except asyncio.CancelledError:
            # We canceled it, and its end is known; or something inside of it gave up by itself.
            run.end(CanceledError())
        except KeyboardInterrupt:
            raise
        except BaseException as exc:  # noqa: BLE001 - a handler does not end the process
            run.end(panic_of(exc))
        else:
            run.end(None)

    async def _finish(self, run: Run, attempt: Attempt, error: Exception | None) -> None:
        what = ending.of(run.message, error)
        seconds = round(self._failures.now() - run.started_ns / NANOSECONDS, 3)
        fields: dict[str, object] = {**_fields(run), "seconds": seconds}
        if error is None:
            make = self._broker.done if what is Ending.DONE else self._broker.mark_complete
            if await self._syncer.write(_write(run, what, lambda: make(run.message))):
                logger.info("[Asynq] Task completed", extra=fields)
            return
        await self._tell(attempt, error)
        await self._syncer.write(self._failure(run, what, error))
        fields |= {"ending": what.value, "retried": run.message.retried, "error": text_of(error)}
        logger.warning("[Asynq] Task failed", extra=fields, exc_info=error if is_panic(error) else None)

    async def _tell(self, attempt: Attempt, error: Exception) -> None:
        if self._error_handler is None:
            return
        try:
            await self._error_handler(attempt, error)
        except Exception:
            # The task must be ended even so.
            logger.exception("[Asynq] The error handler failed", extra={"task_id": attempt.id})

    def _failure(self, run: Run, what: Ending, error: Exception) -> Write:
        message, text = run.message, text_of(error)
        if what is Ending.DONE:
            return _write(run, what, lambda: self._broker.done(message))
        if what is Ending.ARCHIVE:
            return _write(run, what, lambda: self._broker.archive(message, error=text))
        # Decided once: all tries of this write are to say the same.
        retry_at = self._failures.retry_at(message, error)
        is_failure = self._failures.is_failure(error)
        return _write(
            run,
            what,
            lambda: self._broker.retry(message, retry_at=retry_at, error=text, is_failure=is_failure),
        )

    async def _requeue(self, run: Run) -> None:
        """Puts a task back that had no time; once only, for the server is about to end."""
        now_seconds = self._failures.now()
        if not run.lease.is_valid(now_seconds):
            return
        try:
            await self._broker.requeue(run.message)
        except AsynqError as exc:
            logger.warning("[Asynq] Could not put a task back", extra={**_fields(run), "error": str(exc)})
        else:
            logger.info("[Asynq] Task put back into its queue", extra=_fields(run))


def _write(run: Run, what: Ending, make: Callable[[], Awaitable[None]]) -> Write:
    queue, task_id = run.key
    return Write(ending=what.value, queue=queue, task_id=task_id, lease=run.lease, make=make)


def _fields(run: Run) -> dict[str, str]:
    return {"queue": run.message.queue, "task_id": run.message.id, "type": run.message.type}
