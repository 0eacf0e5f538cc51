"""The services and platforms that tasks lean on, each behind its circuit breaker."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from asynq_exporter.core.breakers import PLATFORM, SERVICE, Breakers
from asynq_exporter.core.worker import Attempt, Handler, Middleware
from asynq_exporter.demo.scenarios import Stage

#: Even a good day has its bad minutes: one cycle of them.
CYCLE_SECONDS = 300.0


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
        if platform_down and self.scope == PLATFORM:
            return True
        return self.down_from <= elapsed_seconds % CYCLE_SECONDS < self.down_until


#: Type of task -> what it calls.
DEPENDENCIES: Mapping[str, Dependency] = {
    "payment:callback": Dependency(scope=SERVICE, name="service_1"),
    # Long enough for five failures in a row, and over when the breaker tries again.
    "image:resize": Dependency(scope=SERVICE, name="service_2", down_from=200.0, down_until=210.0),
    "task:process": Dependency(scope=PLATFORM, name="video platform", down_from=120.0, down_until=130.0),
}


class ServiceDownError(Exception):
    """The called one did not answer."""


def called_first(breakers: Breakers, stage: Stage) -> Middleware:
    """Calls what a task leans on before its handler works, if the breaker lets it.

    A task that cannot be worked on for this reason is no failure of its own; see `handlers.is_failure`.
    """
    started = asyncio.get_running_loop().time()

    def around(handler: Handler) -> Handler:
        async def handle(attempt: Attempt) -> None:
            if dependency := DEPENDENCIES.get(attempt.type):
                async with breakers.guard(dependency.scope, dependency.name):
                    elapsed = asyncio.get_running_loop().time() - started
                    if dependency.is_down(elapsed, platform_down=stage.now.platform_down):
                        raise ServiceDownError(f"{dependency.name} does not answer")
            await handler(attempt)

        return handle

    return around
