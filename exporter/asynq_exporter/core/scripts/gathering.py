"""Scripts of many callers in one round trip.

Many tasks are created, taken and ended at once. Sent one by one they cost a connection and a round trip each,
and most of a core; gathered while the round trip before is on its way they cost little more than Redis needs
for them, and nobody waits for company.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from asynq_exporter.core.scripts import Argument, Call, ScriptRunner
from asynq_exporter.core.scripts.round_trips import RoundTrips

#: Calls in one round trip; more would let the first of them wait for the last.
BATCH_SIZE = 100


@dataclass(frozen=True, slots=True)
class _Ask:
    call: Call
    #: Plain commands that are sent ahead.
    before: Sequence[Sequence[Argument]]
    reply: "asyncio.Future[Any]"


class GatheringRunner(ScriptRunner):
    """Runs scripts as they come: one round trip at a time, with all that was asked for meanwhile."""

    def __init__(
        self, redis: Redis, *, timeout_seconds: float | None = None, registered: set[Any] | None = None
    ) -> None:
        """A longer round trip raises TimeoutError of redis-py; None leaves the time to the client."""
        super().__init__(redis, registered=registered)
        self._timeout_seconds = timeout_seconds
        self._waiting: list[_Ask] = []
        self._sender: asyncio.Task[None] | None = None

    async def run(self, name: str, keys: Sequence[str], *args: Argument) -> Any:
        """The reply of a script."""
        return await self.gather(Call(script=name, keys=keys, args=args), ())

    async def run_many(
        self, calls: Sequence[Call], *, before: Sequence[Sequence[Argument]] = ()
    ) -> list[Any]:
        """As of any runner; many calls are company enough for each other, and are sent by themselves."""
        if len(calls) != 1:
            return await super().run_many(calls, before=before)
        try:
            return [await self.gather(calls[0], before)]
        except ResponseError as exc:
            # An answer to the call; where the connection failed it would have been another error.
            return [exc]

    async def gather(self, call: Call, before: Sequence[Sequence[Argument]]) -> Any:
        """The reply of a script, sent with what others ask for meanwhile."""
        ask = _Ask(call, before, asyncio.get_running_loop().create_future())
        self._waiting.append(ask)
        if self._sender is None:
            self._sender = asyncio.create_task(self._send())
        return await ask.reply

    async def close(self) -> None:
        """Waits for the round trip under way."""
        if self._sender is not None:
            await asyncio.wait({self._sender})

    async def _send(self) -> None:
        try:
            while self._waiting:
                async with RoundTrips(self._redis) as trips:
                    await self._send_all(trips)
        finally:
            self._sender = None

    async def _send_all(self, trips: RoundTrips) -> None:
        # Whoever is about to ask in this turn of the loop comes along.
        await asyncio.sleep(0)
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH_SIZE], self._waiting[BATCH_SIZE:]
            await self._send_batch(trips, batch)
            # Likewise whoever was answered and asks for more; the connection is still at hand.
            await asyncio.sleep(0)

    async def _send_batch(self, trips: RoundTrips, batch: Sequence[_Ask]) -> None:
        replies: Sequence[Any]
        try:
            async with asyncio.timeout(self._timeout_seconds):
                # What many of them want done before, such as the registration of a queue, is done once.
                before = list(dict.fromkeys(tuple(command) for ask in batch for command in ask.before))
                replies = await self.run_on(trips, [ask.call for ask in batch], before=before)
        except TimeoutError:
            replies = [RedisTimeoutError(f"no answer within {self._timeout_seconds:g} s")] * len(batch)
        except (OSError, RuntimeError) as exc:
            # asyncio's words for a connection that went away under redis-py's hands.
            replies = [RedisConnectionError(str(exc))] * len(batch)
        except Exception as exc:  # noqa: BLE001 - each caller gets it, whatever it is
            replies = [exc] * len(batch)
        for ask, reply in zip(batch, replies, strict=True):
            if ask.reply.done():
                continue  # whoever asked has given up
            if isinstance(reply, Exception):
                ask.reply.set_exception(reply)
            else:
                ask.reply.set_result(reply)
