"""Circuit breakers to look at.

A stand-in: the policy that opens and closes them belongs to the core, and this module goes when it is there.
Until then the state follows the time of day, in the form that the scan reads: `STATE failures unix-seconds`.
"""

import asyncio

from redis.asyncio import Redis

from asynq_exporter.core import keys
from asynq_exporter.core.clock import SystemClock
from asynq_exporter.core.messages import NANOSECONDS
from asynq_exporter.demo.routine import every
from asynq_exporter.demo.scenarios import Stage

#: Field of the hash -> when in its cycle it opens; None never does on a good day.
BREAKERS: dict[str, float | None] = {
    "service:service_1": None,
    "service:service_2": 200.0,
    "platform:video platform": 120.0,
}

CYCLE_SECONDS = 300.0

#: The guide's numbers (4.1): open for 30 s, then a few attempts.
OPEN_SECONDS = 30.0
HALF_OPEN_SECONDS = 5.0
FAILURES = 5

WRITE_SECONDS = 2.0


def state(elapsed_seconds: float, opens_at: float | None, *, platform_down: bool) -> str:
    """The state of a breaker some time after the start of the demo."""
    if platform_down:
        return "OPEN" if elapsed_seconds % (OPEN_SECONDS + HALF_OPEN_SECONDS) < OPEN_SECONDS else "HALF_OPEN"
    if opens_at is None:
        return "CLOSED"
    since = elapsed_seconds % CYCLE_SECONDS - opens_at
    if 0 <= since < OPEN_SECONDS:
        return "OPEN"
    return "HALF_OPEN" if OPEN_SECONDS <= since < OPEN_SECONDS + HALF_OPEN_SECONDS else "CLOSED"


async def run(redis: Redis, stage: Stage) -> None:
    """Writes the states, for ever."""
    started = asyncio.get_running_loop().time()
    clock = SystemClock()

    async def write() -> None:
        elapsed = asyncio.get_running_loop().time() - started
        now = clock.now_ns() // NANOSECONDS
        fields = []
        for name, opens_at in BREAKERS.items():
            word = state(elapsed, opens_at, platform_down=stage.now.platform_down)
            fields += [name, f"{word} {0 if word == 'CLOSED' else FAILURES} {now}"]
        await redis.hset(keys.CIRCUIT_BREAKERS, items=fields)

    await every(WRITE_SECONDS, write)
