"""Measures the management API on one queue of a million tasks in each of two states: python -m bench.api [--tasks N].

Each line is one request over HTTP: the time it took, the best of some; how long its commands kept Redis by SLOWLOG, the one
in the middle and the slowest; commands; bytes that Redis sent. On a busy machine the slowest is often one that the system
interrupted. Below: many requests at once, and the memory of the exporter before and after.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import redis
from aiohttp import ClientSession

from bench import processes
from bench.inspector import PENDING, QUEUE, RETRY, ROUNDS, Call, fill, once, print_line, task_id

TOKEN = "bench-token-0123456789"

#: Requests at the same time, and of each.
CLIENTS, REQUESTS = 20, 25


class Api:
    """A client with a token."""

    def __init__(self, session: ClientSession, metrics_url: str) -> None:
        self._session = session
        self._metrics_url = metrics_url
        self._base = metrics_url.removesuffix("/metrics") + "/api/v1/queue"

    async def get(self, path: str) -> Any:
        """A read."""
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """A write."""
        return await self._ask("POST", path, body)

    async def delete(self, path: str) -> Any:
        """A write."""
        return await self._ask("DELETE", path, None)

    async def memory_mib(self) -> float:
        """Memory of the exporter now."""
        async with self._session.get(self._metrics_url) as response:
            for line in (await response.text()).splitlines():
                if line.startswith("process_resident_memory_bytes "):
                    return float(line.split()[1]) / 2**20
        return 0.0

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with self._session.request(method, self._base + path, json=body, headers=headers) as response:
            assert response.status == 200, await response.text()
            return (await response.json())["data"]


def main() -> None:
    """Fills a Redis, starts the exporter and measures."""
    parser = argparse.ArgumentParser(prog="bench.api", description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000, help="tasks in each of the two states")
    options = parser.parse_args()
    with processes.redis_server() as port, tempfile.TemporaryDirectory() as folder:
        sync = redis.Redis(port=port)
        for state in (PENDING, RETRY):
            fill(sync, state, options.tasks)
        tokens = Path(folder) / "tokens"
        tokens.write_text(TOKEN)
        with processes.our_exporter(port, f"--api.token-file={tokens}") as url:
            asyncio.run(measure(url, sync, options.tasks))


async def measure(url: str, sync: "redis.Redis", tasks: int) -> None:
    """Reads are repeated and the best is shown; changes happen once."""
    version = sync.info("server")["redis_version"]
    async with ClientSession() as session:
        api = Api(session, url)
        before = await api.memory_mib()
        print(f"\nRedis {version}, {tasks:,} pending and {tasks:,} retry tasks in one queue.\n")
        print("| request | time | command: median / slowest | commands | sent |\n|---|---|---|---|---|")
        for name, call in reads(api, tasks).items():
            rounds = [await once(sync, name, call) for _ in range(ROUNDS)]
            print_line(min(rounds, key=lambda one: one.slowest_ms))
        for name, call in changes(api, tasks).items():
            print_line(await once(sync, name, call))
        await at_once(api, tasks)
        print(f"Memory of the exporter: {before:.0f} MiB before, {await api.memory_mib():.0f} MiB after.")


def reads(api: Api, tasks: int) -> dict[str, Call]:
    """Name -> request that changes nothing."""
    last = tasks // 100
    found: dict[str, Call] = {"stats": partial(api.get, "/stats"), "overview": partial(api.get, "/overview")}
    for state in (PENDING, RETRY):
        for where, page in (("first", 1), ("middle", last // 2), ("last", last)):
            path = f"/tasks?queue={QUEUE}&state={state}&page={page}&size=100"
            found[f"{where} page of {state}, 100 tasks"] = partial(api.get, path)
    search = f"/search?queue={QUEUE}&state={{}}&error=timeout&budget={{}}"
    return found | {
        "find an ID in all queues": partial(api.get, f"/find?task_id={task_id(RETRY, tasks // 2)}"),
        "one task": partial(api.get, f"/tasks/{task_id(PENDING, tasks // 2)}?queue={QUEUE}"),
        "search 2,000": partial(api.get, search.format(RETRY, 2_000)),
        "search 20,000": partial(api.get, search.format(PENDING, 20_000)),
        "dry run on a state": partial(api.post, "/tasks/retry/batch", batch(dry_run=True)),
    }


def changes(api: Api, tasks: int) -> dict[str, Call]:
    """Name -> request that changes something, in this order."""
    middle = tasks // 2
    one = {"queue": QUEUE, "task_id": task_id(RETRY, middle)}
    ids = [task_id(RETRY, n) for n in range(100)]
    return {
        "retry a task": partial(api.post, "/tasks/retry", one),
        "delete a pending task, in the middle": partial(
            api.delete, f"/tasks/{task_id(PENDING, middle)}?queue={QUEUE}"
        ),
        "retry 100 by ID": partial(api.post, "/tasks/retry/batch", {"queue": QUEUE, "task_ids": ids}),
        "retry those of an error": partial(api.post, "/tasks/retry/batch", batch(error="timeout")),
        "archive 10,000 of a state": partial(api.post, "/tasks/archive/batch", batch(limit=10_000)),
        "delete 10,000 of a state": partial(api.post, "/tasks/delete/batch", batch(limit=10_000)),
    }


def batch(**more: Any) -> dict[str, Any]:
    """The body of a batch on the retry state."""
    return {"queue": QUEUE, "state": RETRY, **more}


async def at_once(api: Api, tasks: int) -> None:
    """Pages from all over, many at the same time."""
    seconds: list[float] = []

    async def client(number: int) -> None:
        for n in range(REQUESTS):
            page = (number * REQUESTS + n) * 7919 % (tasks // 100) + 1
            started = time.perf_counter()
            await api.get(f"/tasks?queue={QUEUE}&state={PENDING}&page={page}&size=100")
            seconds.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    rate = len(seconds) / (time.perf_counter() - started)
    p99 = statistics.quantiles(seconds, n=100)[98] * 1000
    print(f"\n{CLIENTS} clients at once: {rate:,.0f} pages of 100 tasks a second, p99 {p99:,.0f} ms.")


if __name__ == "__main__":
    main()
