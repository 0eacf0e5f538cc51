"""What all workers of a Redis are asked to do: how many tasks at the same time, and to stop.

    control = WorkerControl(redis)
    await control.set(polling=False)     # the emergency stop of guide section 3.6
    await control.clear()                # each as configured again

One hash, which every worker reads at each of its heartbeats. It holds until it is cleared, also for workers
that start later; for people it is `HSET asynq:worker_control polling false`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from asynq_exporter.core import keys
from asynq_exporter.core.broker.base import Operations, asynq_errors
from asynq_exporter.core.errors import InvalidArgumentError

CONCURRENCY, POLLING = "concurrency", "polling"

#: A mistake in the unit would start as many tasks.
MAX_CONCURRENCY = 100_000

_POLLING = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What is asked; None leaves it to each worker."""

    #: Tasks at the same time, in each process.
    concurrency: int | None = None
    #: False stops the taking of tasks; True starts no worker that was stopped by itself.
    polling: bool | None = None


class WorkerControl(Operations):
    """Asks, and reads what is asked."""

    async def read(self) -> Control:
        """What is asked now.

        Raises:
            InvalidArgumentError: a field holds what nobody can do.
            UnavailableError: Redis does not answer.
        """
        with asynq_errors():
            found = await self._redis.hmget(keys.WORKER_CONTROL, [CONCURRENCY, POLLING])
        return decode(cast("list[bytes | None]", found))

    async def set(self, *, concurrency: int | None = None, polling: bool | None = None) -> None:
        """Asks all workers; what is None stays as it was asked before.

        Raises:
            InvalidArgumentError: a concurrency that cannot be.
            UnavailableError: Redis does not answer.
        """
        fields: list[str | bytes | int | float] = []
        if concurrency is not None:
            _check(concurrency)
            fields += [CONCURRENCY, concurrency]
        if polling is not None:
            fields += [POLLING, "true" if polling else "false"]
        if fields:
            with asynq_errors():
                await self._redis.hset(keys.WORKER_CONTROL, items=fields)

    async def clear(self, *fields: str) -> None:
        """Asks no more: for some fields, or at all; raises UnavailableError."""
        with asynq_errors():
            await self._redis.hdel(keys.WORKER_CONTROL, *(fields or (CONCURRENCY, POLLING)))


def decode(found: Sequence[bytes | None]) -> Control:
    """What two fields ask; raises InvalidArgumentError."""
    concurrency, polling = (None if raw is None else raw.decode("utf-8", "replace") for raw in found)
    if polling is not None and polling not in _POLLING:
        raise InvalidArgumentError(f"{keys.WORKER_CONTROL}: polling is true or false, not {polling!r:.50}")
    return Control(
        concurrency=None if concurrency is None else _number(concurrency),
        polling=None if polling is None else _POLLING[polling],
    )


def _number(text: str) -> int:
    number = int(text) if re.fullmatch(r"\d{1,9}", text, re.ASCII) else 0
    try:
        _check(number)
    except InvalidArgumentError as exc:
        raise InvalidArgumentError(f"{keys.WORKER_CONTROL}: {exc}: {text!r:.50}") from exc
    return number


def _check(concurrency: int) -> None:
    if not 1 <= concurrency <= MAX_CONCURRENCY:
        raise InvalidArgumentError(
            f"concurrency is 1 to {MAX_CONCURRENCY}; to take no tasks there is polling"
        )
