"""What backpressure costs an enqueue: `python -m bench.admission`; the same client with and without it, in turn.

Shown are microseconds a task as the client sees them, one after the other and with a hundred on their way, and
those that Redis spends on the script that creates it (`INFO commandstats`).
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from asynq_exporter.core import Client, Task, keys
from asynq_exporter.core.admission import Admission
from bench.processes import redis_server

TASKS = 2000
ROUNDS = 7
AT_ONCE = 100
GROUPS = (0, 32, 100_000)

TASK = Task("bench", b"{}")


async def one_by_one(client: Client) -> None:
    """Each task after the one before."""
    for _ in range(TASKS):
        await client.enqueue(TASK, queue="low")


async def many_at_once(client: Client) -> None:
    """A hundred on their way at any time."""

    async def some() -> None:
        for _ in range(TASKS // AT_ONCE):
            await client.enqueue(TASK, queue="low")

    await asyncio.gather(*[some() for _ in range(AT_ONCE)])


async def measure(
    redis: Redis, client: Client, way: Callable[[Client], Awaitable[None]]
) -> tuple[float, float]:
    """Microseconds a task of the client, and of Redis for the script."""
    await redis.delete(keys.pending("low"))
    await redis.config_resetstat()
    started = time.perf_counter()
    await way(client)
    micros = (time.perf_counter() - started) / TASKS * 1e6
    stats = await redis.info("commandstats")
    return micros, stats["cmdstat_evalsha"]["usec"] / TASKS


async def main(port: int) -> None:
    """Prints a table."""
    redis = Redis(port=port)
    clients = {"without": Client(redis), "with": Client(redis, admission=Admission(redis))}
    print("| enqueue | groups | without | with | with / without | Redis, without | Redis, with |")
    print("|---|---|---|---|---|---|---|")
    for groups in GROUPS:
        await redis.flushall()
        if groups:
            await redis.sadd(keys.groups("low"), *range(groups))
        for way in (one_by_one, many_at_once):
            rounds = [
                {name: await measure(redis, c, way) for name, c in clients.items()} for _ in range(ROUNDS)
            ]
            client = {name: statistics.median(r[name][0] for r in rounds) for name in clients}
            server = {name: statistics.median(r[name][1] for r in rounds) for name in clients}
            ratio = statistics.median(r["with"][0] / r["without"][0] for r in rounds)
            print(
                f"| {way.__name__.replace('_', ' ')} | {groups:,} | {client['without']:.0f} µs | {client['with']:.0f} µs "
                f"| **{ratio:.2f}** | {server['without']:.1f} µs | {server['with']:.1f} µs |"
            )
    await redis.aclose()


if __name__ == "__main__":
    with redis_server() as port:
        asyncio.run(main(port))
