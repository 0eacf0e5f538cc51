"""A program that does the same to task after task, and is killed one step later each time.

usage: python -m tests.core.records.killing cancel|webhook|migrate|fallback|handle DATABASE_URL REDIS_PORT

A step is what another process could see a difference by: before and after each statement, before and after
each commit, before and after what is sent to Redis, before and after a refund elsewhere. Child N works on
task `kN` and kills itself at its step N with SIGKILL; the first that comes to its end ends the program, which
prints N. Children are forks, so that each costs no new start of Python.
"""

import asyncio
import itertools
import os
import signal
import sys
from typing import Any

import redis.asyncio
from redis.asyncio.connection import AbstractConnection
from sqlalchemy import event

from asynq_exporter.core import FixedClock, job_id, keys
from asynq_exporter.core.records import (
    Cancellations,
    Chain,
    Database,
    Fallback,
    Handler,
    Jobs,
    Migration,
    Poller,
    Settlement,
    SqlRecords,
    TaskRecord,
)
from tests.core.queue_state import T

#: LIST of the refunds that were made elsewhere.
MADE = "test:refunds"


class Steps:
    """Counts steps, and kills this process at one of them."""

    def __init__(self, last: int) -> None:
        self._left = last

    def step(self, *_: Any, **__: Any) -> None:
        """A step."""
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)


def watch(steps: Steps, database: Database) -> None:
    """Makes what the database and Redis do a step."""
    engine = database.engine.sync_engine
    for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
        event.listen(engine, name, steps.step)
    dialect: Any = engine.dialect
    real_commit = dialect.do_commit

    def commit(connection: Any) -> None:
        real_commit(connection)
        steps.step()

    dialect.do_commit = commit
    send = AbstractConnection.send_packed_command

    async def send_packed(self: Any, *args: Any, **options: Any) -> None:
        steps.step()
        await send(self, *args, **options)
        steps.step()

    AbstractConnection.send_packed_command = send_packed  # type: ignore[method-assign]


class Elsewhere:
    """A receiver that refunds once for a key, and notes each message."""

    def __init__(self, port: int, steps: Steps) -> None:
        self._port, self._steps = port, steps

    async def give_back(self, settlement: Settlement) -> None:
        """Makes the refund."""
        self._steps.step()
        with redis.Redis(port=self._port) as client:
            client.rpush(MADE, settlement.key)
        self._steps.step()


async def work(what: str, url: str, port: int, number: int) -> None:
    """Does it to one task, as a process of its own would."""
    clock, database, steps = FixedClock(seconds=T + 10_000), Database(url), Steps(number)
    client = redis.asyncio.Redis(port=port)
    # As if the lock of the process killed before had ended by itself.
    await client.delete(keys.LOCKS)
    watch(steps, database)
    store = SqlRecords(database, clock, keeps_ledger=what != "webhook")
    refunds = Elsewhere(port, steps) if what == "webhook" else None
    cancellations = Cancellations(store, Jobs(client, clock), clock, refunds=refunds)

    async def poll(_: TaskRecord) -> str:
        steps.step()
        return "IN_PROGRESS" if what == "handle" else ""

    poller = Poller(store, cancellations, poll, clock)
    if what == "migrate":
        await Migration(store, client, clock, batch_size=2).run()
    elif what == "fallback":
        await Fallback(store, poller, clock, concurrency=1).round()
    elif what == "handle":
        await Handler(store, poller, Chain(client, store, clock), clock).handle(job_id.build(f"k{number}"))
    else:
        await cancellations.cancel(f"k{number}")
    await client.aclose()
    await database.close()


def main() -> None:
    """Forks until a child lives to its end."""
    what, url, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    for number in itertools.count(1):
        child = os.fork()
        if not child:
            asyncio.run(work(what, url, port, number))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert status == 0, f"child {number} failed"
            sys.stdout.write(str(number))
            return


if __name__ == "__main__":
    main()
