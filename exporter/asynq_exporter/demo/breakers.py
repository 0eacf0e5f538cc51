"""Calls to services and platforms that the workload leans on, each behind its circuit breaker."""

import asyncio
import contextlib
from dataclasses import dataclass

from redis.asyncio import Redis

from asynq_exporter.core.breakers import PLATFORM, SERVICE, Breakers
from asynq_exporter.core.errors import CircuitOpenError
from asynq_exporter.demo.routine import every
from asynq_exporter.demo.scenarios import Stage

#: Even a good day has its bad minutes: one cycle of them.
CYCLE_SECONDS = 300.0

CALL_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Something that is called."""

    scope: str
    name: str
    #: When in a cycle it is down, in seconds; never where both are equal.
    down_from: float = 0.0
    down_until: float = 0.0

    def is_down(self, elapsed_seconds: float, *, platform_down: bool) -> bool:
        """Whether a call fails some time after the start of the demo."""
        if platform_down:
            return True
        return self.down_from <= elapsed_seconds % CYCLE_SECONDS < self.down_until


DEPENDENCIES = (
    Dependency(scope=SERVICE, name="service_1"),
    # Long enough for five failures in a row, and over when the breaker tries again.
    Dependency(scope=SERVICE, name="service_2", down_from=200.0, down_until=210.0),
    Dependency(scope=PLATFORM, name="video platform", down_from=120.0, down_until=130.0),
)


class CallFailedError(Exception):
    """The called one did not answer."""


async def call(breakers: Breakers, dependency: Dependency, *, down: bool) -> None:
    """One call, if its breaker lets it."""
    with contextlib.suppress(CallFailedError, CircuitOpenError):
        async with breakers.guard(dependency.scope, dependency.name):
            if down:
                raise CallFailedError


async def run(redis: Redis, stage: Stage) -> None:
    """Calls them all, for ever."""
    started = asyncio.get_running_loop().time()
    breakers = Breakers(redis)

    async def call_all() -> None:
        elapsed = asyncio.get_running_loop().time() - started
        for dependency in DEPENDENCIES:
            down = dependency.is_down(elapsed, platform_down=stage.now.platform_down)
            await call(breakers, dependency, down=down)

    await every(CALL_SECONDS, call_all)
