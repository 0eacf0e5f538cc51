"""What another client of the same Redis feels while something is scraped."""

import multiprocessing
import statistics
import time

import redis

from bench import contestants


def pings(port: int, url: str | None, *, seconds: float) -> list[float]:
    """Seconds of PING after PING while scrapes follow one another; without a URL nothing does."""
    # A process of its own, so that the two do not wait for each other's turn in Python.
    other = multiprocessing.Process(target=_keep_scraping, args=(url,), daemon=True) if url else None
    client = redis.Redis(port=port)
    client.ping()
    if other:
        other.start()
    times: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.perf_counter()
        client.ping()
        times.append(time.perf_counter() - started)
    if other:
        other.kill()
        other.join()
    return times


def p99(times: list[float]) -> float:
    """Their 99th percentile."""
    return statistics.quantiles(times, n=100)[98]


def _keep_scraping(url: str) -> None:
    once = contestants.scrape(url)
    while True:
        once()
