"""Processes that do something to one Redis at the same moment, step by step."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis

from tests.conftest import RedisServer, wait_until

#: Put in front of the code of a process, which then has `client`, `step` and the numbered argument `number`.
PROLOGUE = """
import asyncio, logging, sys
import redis.asyncio

logging.basicConfig(format="%(message)s", stream=sys.stdout)
client = redis.asyncio.Redis(port=int(sys.argv[1]))
number = int(sys.argv[2])

async def step():
    "Waits until all processes are here and the test lets them go on."
    await client.incr("test:waiting")
    await client.blpop(["test:go"])

"""

EPILOGUE = """
asyncio.run(main())
"""


class Processes:
    """A handful of processes that run the same code."""

    def __init__(self, redis: Redis, processes: list[subprocess.Popen[str]]) -> None:
        self._redis = redis
        self._processes = processes

    def wait(self) -> None:
        """Waits until all have come to their next `step`."""

        def all_wait() -> bool:
            assert not any(process.poll() for process in self._processes), "a process failed"
            return int(self._redis.get("test:waiting") or b"0") == len(self._processes)

        wait_until(all_wait, what="all processes are at the next step", seconds=60)

    def go(self) -> None:
        """Lets all go on at once."""
        self._redis.delete("test:waiting")
        self._redis.rpush("test:go", *range(len(self._processes)))

    def lines(self) -> list[str]:
        """What all have written, once they have ended."""
        outputs = [process.communicate(timeout=60)[0] for process in self._processes]
        assert all(process.returncode == 0 for process in self._processes)
        return [line for output in outputs for line in output.splitlines()]


@contextmanager
def processes(server: RedisServer, redis: Redis, code: str, *, count: int) -> Iterator[Processes]:
    """Starts processes that run the coroutine `main` of some code; none outlives the block."""
    text = PROLOGUE + code + EPILOGUE
    started = [
        subprocess.Popen(
            [sys.executable, "-c", text, str(server.port), str(number)], stdout=subprocess.PIPE, text=True
        )
        for number in range(count)
    ]
    try:
        yield Processes(redis, started)
    finally:
        for process in started:
            process.kill()
            process.communicate()
