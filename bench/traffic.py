"""The commands that our scan and Go's exporter send for what lies in a Redis."""

import asyncio
import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import redis

from asynq_exporter.core.clock import SystemClock, utc_day
from asynq_exporter.scan.queues import QueueRequests
from asynq_exporter.scan.queues.requests import filled
from bench import contestants, processes
from bench.recording import Command, parse, recorder

SETTLING_SCANS = 5


class GoTraffic(NamedTuple):
    """What Go's exporter sends for one scrape."""

    all: list[Command]
    #: Without the script that samples memory.
    stats_only: list[Command]


def first_round(names: Iterable[str]) -> list[Command]:
    """The commands that our scan sends for every queue, whatever is in it."""
    now_ns = SystemClock().now_ns()
    requests = QueueRequests(tuple(sorted(names)), utc_day(now_ns))
    return parse(b"".join(filled(each.request, now_ns // 10**9) for each in requests.slices))


def of_scan(port: int, loop: asyncio.AbstractEventLoop, queues: int) -> list[Command]:
    """The commands of all rounds of one scan, of one that has settled: it asks ahead what those before asked."""
    with recorder(port) as recording:
        once = contestants.scan(recording.port, loop, queues)
        for _ in range(SETTLING_SCANS):
            recording.forget()
            once()
        return recording.commands()


def of_go(port: int) -> GoTraffic:
    """The commands of one scrape of Go's exporter, of one whose scripts Redis knows already."""
    redis.Redis(port=port).script_flush()
    with recorder(port) as recording, processes.go_exporter(recording.port) as url:
        once = contestants.scrape(url)
        # Redis did not know the scripts, so their texts went with the scrape that showed that Go's exporter is there.
        memory = scripts_that_call(b'"MEMORY"', recording.commands())
        recording.forget()
        once()
        commands = recording.commands()
    return GoTraffic(commands, without(memory, commands))


def scripts_that_call(word: bytes, commands: Iterable[Command]) -> set[bytes]:
    """The digests of those scripts sent in full that hold a word."""
    texts = [command[1] for command in commands if command[0].upper() == b"EVAL"]
    return {hashlib.sha1(text, usedforsecurity=False).hexdigest().encode() for text in texts if word in text}


def without(scripts: set[bytes], commands: Iterable[Command]) -> list[Command]:
    """The commands but for the calls of some scripts, by digest."""
    return [c for c in commands if not (c[0].upper() == b"EVALSHA" and c[1] in scripts)]
