"""A long run with changing load and random faults: python -m bench.soak [--minutes N].

Producers and workers keep six queues moving between calm and flood. The exporter reads their Redis through a
bad network and is scraped every second. Every now and then a fault: connections cut, packets late or lost,
nothing getting through, Redis frozen, Redis killed and started again. Counted is what was lost and what grew.
"""

import argparse
import asyncio
import contextlib
import logging
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import redis.asyncio
from tests.conftest import RedisServer, start_redis
from tests.faults.exporter import Exporter, Page, exporting
from tests.faults.proxy import Proxy, Weather

from asynq_exporter.core import Client, Task
from asynq_exporter.core.catalog import documented
from asynq_exporter.core.errors import AsynqError
from asynq_exporter.core.worker import Attempt, Server, ServerConfig
from bench.report import Section, table

PERIOD_SECONDS = 120.0
SCRAPE_SECONDS = 1.0
FAULT_SECONDS = (3.0, 8.0)
CALM_SECONDS = (10.0, 25.0)

#: After a fault, until the first whole scrape.
RECOVERY_SECONDS = 15.0


MINUTES = 20.0

TEXT = """
Twenty minutes of changing load and random faults: connections cut, packets late, lost or in tiny pieces, nothing getting through,
connections refused, Redis frozen, killed and started again. The exporter is scraped every second.
"""


def main() -> int:
    """Runs it; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    result = soaked(options.minutes, options.seed)
    print(result.table())
    return 1 if result.broken else 0


def soaked(minutes: float = MINUTES, seed: int = 1) -> "Result":
    """Runs it on a Redis of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "redis").mkdir()
        server = start_redis(folder / "redis", "--appendonly", "yes")
        try:
            return run(server, folder, seconds=60 * minutes, random=Random(seed))
        finally:
            server.kill()


@dataclass(slots=True)
class Result:
    """What happened."""

    scrapes: int = 0
    down_in_faults: int = 0
    #: Scrapes that were not whole without a fault to blame.
    lost: list[str] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    recoveries: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    series: tuple[int, int] = (0, 0)
    missing: set[str] = field(default_factory=set)
    processed: float = 0.0

    @property
    def broken(self) -> list[str]:
        """The promises that were not kept."""
        early, late = _halves(self.memory)
        found = [f"lost scrapes: {'; '.join(self.lost[:5])}"] if self.lost else []
        if late > early + 8 * 2**20:
            found.append(f"memory grew from {early} to {late} bytes")
        if max(self.descriptors[-60:]) > max(self.descriptors[:60]) + 4:
            found.append("descriptors grew")
        if self.missing:
            found.append(f"series did not come back: {sorted(self.missing)[:5]}")
        return found

    def table(self) -> str:
        """The result as Markdown."""
        early, late = _halves(self.memory)
        faults = ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items()))
        rows = [
            ["scrapes", f"{self.scrapes:,}"],
            ["tasks processed meanwhile", f"{self.processed:,.0f}"],
            ["faults", faults],
            ["scrapes with Redis away, during a fault", str(self.down_in_faults)],
            ["scrapes lost without a fault", str(len(self.lost))],
            ["from the end of a fault to a whole scrape, worst", f"{max(self.recoveries, default=0):.1f} s"],
            [
                "memory, median of the second and of the last quarter",
                f"{early / 2**20:.1f} and {late / 2**20:.1f} MiB",
            ],
            [
                "descriptors, most in the first and in the last minute",
                f"{max(self.descriptors[:60])} and {max(self.descriptors[-60:])}",
            ],
            ["series at the beginning and at the end", f"{self.series[0]} and {self.series[1]}"],
            ["promises broken", "; ".join([str(len(self.broken)), *self.broken])],
        ]
        return table(["what", "found"], rows)


def _halves(memory: list[int]) -> tuple[int, int]:
    quarter = max(len(memory) // 4, 1)
    return int(statistics.median(memory[quarter : 2 * quarter] or memory)), int(
        statistics.median(memory[-quarter:])
    )


def run(server: RedisServer, folder: Path, *, seconds: float, random: Random) -> Result:
    """Runs load, faults and scrapes side by side."""
    result = Result()
    proxy = Proxy(server.port)
    load = multiprocessing.Process(target=_load, args=(server.port,), daemon=True)
    load.start()
    faults = Faults(server, proxy, random, result)
    with exporting(folder, f"redis://127.0.0.1:{proxy.port}/0", "--collector.interval=10s") as exporter:
        exporter.recovers()
        time.sleep(15)  # the background collectors have their first turn
        before = exporter.recovers()
        end = time.monotonic() + seconds
        thread = threading.Thread(target=faults.run, args=(end,))
        thread.start()
        while time.monotonic() < end:
            _scrape(exporter, faults, result)
            time.sleep(SCRAPE_SECONDS)
        thread.join()
        time.sleep(15)
        after = exporter.recovers()
    load.kill()
    proxy.close()
    result.series = len(before.samples), len(after.samples)
    result.missing = _names(before) - _names(after)
    result.processed = sum(v for (name, _), v in after.samples.items() if name == "asynq_processed_total")
    return result


def _names(page: Page) -> set[str]:
    return {name for name, _ in page.samples}


def _scrape(exporter: Exporter, faults: "Faults", result: Result) -> None:
    blamed = faults.blamed()
    page = exporter.scrape()
    result.scrapes += 1
    result.memory.append(exporter.process.memory_info().rss)
    result.descriptors.append(exporter.process.num_fds())
    whole = page.up and page.value("asynq_exporter_collector_success", collector="queues") == 1
    if whole:
        faults.recovered()
    elif blamed or faults.blamed():
        result.down_in_faults += 1
    else:
        result.lost.append(f"after {result.scrapes} scrapes, {exporter.log.splitlines()[-1][-200:]}")


class Faults:
    """One fault after the other, with calm between."""

    def __init__(self, server: RedisServer, proxy: Proxy, random: Random, result: Result) -> None:
        self._server, self._proxy, self._random, self._result = server, proxy, random, result
        self._under_way = False
        self._ended_at: float | None = None
        self._table: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
            "cut": self._cut,
            "late": lambda: self._weather(Weather(delay_seconds=0.2)),
            "loss": lambda: self._weather(Weather(loss=0.3)),
            "drip": lambda: self._weather(Weather(chunk=50)),
            "stall": lambda: self._weather(Weather(stalled=True)),
            "refused": lambda: self._weather(Weather(refused=True)),
            "frozen": self._frozen,
            "restart": self._restart,
        }

    def blamed(self) -> bool:
        """Whether a fault is under way, or has just been."""
        ended = self._ended_at
        return self._under_way or (ended is not None and time.monotonic() - ended < RECOVERY_SECONDS)

    def recovered(self) -> None:
        """A scrape was whole."""
        if self._ended_at is not None and not self._under_way:
            self._result.recoveries.append(time.monotonic() - self._ended_at)
            self._ended_at = None

    def run(self, end: float) -> None:
        """Until then."""
        while time.monotonic() < end - 60:
            time.sleep(self._random.uniform(*CALM_SECONDS))
            name = self._random.choice(list(self._table))
            print(f"  {name}", file=sys.stderr)
            self._result.faults[name] = self._result.faults.get(name, 0) + 1
            self._under_way = True
            with self._table[name]():
                time.sleep(self._random.uniform(*FAULT_SECONDS))
            self._ended_at = time.monotonic()
            self._under_way = False

    @contextmanager
    def _weather(self, weather: Weather) -> Iterator[None]:
        self._proxy.weather = weather
        if weather.refused:
            self._proxy.cut()
        yield
        self._proxy.weather = Weather()

    @contextmanager
    def _cut(self) -> Iterator[None]:
        self._proxy.cut()
        yield
        self._proxy.cut()

    @contextmanager
    def _frozen(self) -> Iterator[None]:
        self._server.hang()
        yield
        self._server.resume()

    @contextmanager
    def _restart(self) -> Iterator[None]:
        self._server.kill()
        yield
        self._server.start_again()


def _load(port: int) -> None:
    logging.disable(logging.CRITICAL)
    asyncio.run(_company(port))


async def _company(port: int) -> None:
    """Producers whose pace rises and falls, and workers that sometimes fail."""
    random = Random(2)
    queues = {name: profile.weight for name, profile in documented().queues.items()}

    async def handle(_attempt: Attempt) -> None:
        await asyncio.sleep(random.expovariate(50))
        if random.random() < 0.05:
            raise RuntimeError("third party is away")

    async def produce() -> None:
        client = Client(redis.asyncio.Redis(port=port))
        while True:
            share = time.monotonic() % PERIOD_SECONDS / PERIOD_SECONDS
            with contextlib.suppress(AsynqError):
                queue = random.choice(list(queues))
                await client.enqueue(Task("soak", b"{}"), queue=queue, max_retry=2)
            await asyncio.sleep(0.002 if share < 0.3 else 0.02)

    server = Server(redis.asyncio.Redis(port=port), handle, ServerConfig(queues=queues, concurrency=10))
    await server.start()
    await produce()


SECTION = Section(name="soak", title="Soak", text=TEXT, run=lambda: soaked().table())


if __name__ == "__main__":
    sys.exit(main())
