"""What the workers do with each kind of task: nothing, but as long and as well as the conditions say."""

import asyncio
from random import Random

from asynq_exporter.core.breakers import Breakers
from asynq_exporter.core.client import Client, Task
from asynq_exporter.core.errors import CircuitOpenError, TaskIdConflictError
from asynq_exporter.core.worker import Attempt, Handler, Mux
from asynq_exporter.demo import jobs, services
from asynq_exporter.demo.jobs import Kind
from asynq_exporter.demo.scenarios import Stage
from asynq_exporter.demo.services import ServiceDownError

#: Longer tasks would make an incident outlast its end by too much.
MAX_SECONDS = 40.0


class JobFailedError(Exception):
    """An attempt failed."""


class PutOffError(Exception):
    """The other side has no time for the task yet."""


def is_failure(error: Exception) -> bool:
    """Whether an error uses up a retry: not where the task itself is in order."""
    return not isinstance(error, PutOffError | ServiceDownError | CircuitOpenError)


def make_mux(client: Client, breakers: Breakers, stage: Stage, rng: Random) -> Mux:
    """The handlers of all kinds, behind the breakers of what they call."""
    mux = Mux()
    mux.use(services.called_first(breakers, stage))
    for kind in jobs.KINDS.values():
        mux.add(kind.type, _handler(kind, client, stage, rng))
    return mux


def _handler(kind: Kind, client: Client, stage: Stage, rng: Random) -> Handler:
    async def handle(attempt: Attempt) -> None:
        await asyncio.sleep(min(rng.uniform(*kind.seconds) * stage.now.durations, MAX_SECONDS))
        if jobs.DOOMED in attempt.headers or (kind.fails and rng.random() < stage.now.failures):
            raise JobFailedError(rng.choice(kind.errors))
        if rng.random() < kind.put_off:
            raise PutOffError("rate limit reached")
        if kind.retention_seconds:
            await attempt.write_result(b'{"ok":true}')
        await _poll_again(attempt.task, attempt.id, client, rng)

    return handle


async def _poll_again(task: Task, task_id: str, client: Client, rng: Random) -> None:
    follow_up = jobs.next_poll(task, task_id, rng)
    if follow_up is None:
        return
    poll, options = follow_up
    try:
        await client.enqueue(poll, **options)
    except TaskIdConflictError:
        return  # a recovered task ran twice; its next poll is there already
