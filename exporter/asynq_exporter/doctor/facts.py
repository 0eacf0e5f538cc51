"""What Redis says beyond the scan: will it keep the data, what time is it there, when did workers beat."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import redis.asyncio
import redis.exceptions

from asynq_exporter.core import keys
from asynq_exporter.core.clock import Clock
from asynq_exporter.core.cluster import masters
from asynq_exporter.doctor.sample import Facts, Heartbeat

#: Servers whose beats are looked at, the latest first.
MAX_SERVERS = 200

#: The score of a server is cut to whole seconds; on average half a second is lost.
CUT_SECONDS = 0.5


async def read(client: "redis.asyncio.Redis", clock: Clock) -> Facts:
    """The facts; of a cluster the worst of its masters.

    Raises:
        redis.exceptions.RedisError, OSError: INFO or TIME is refused, or Redis is gone.
    """
    found = [await _read_node(node, clock) for node in await masters(client)]
    # Written down continually, from time to time, or at least meant to be.
    weakest = min(
        found, key=lambda each: (bool(each.aof_enabled), bool(each.rdb_saves), bool(each.save_points))
    )
    return replace(
        weakest,
        uptime_seconds=min(
            (each.uptime_seconds for each in found if each.uptime_seconds is not None), default=None
        ),
        last_save_failed=any(each.last_save_failed for each in found),
        clock_ahead_seconds=max((each.clock_ahead_seconds or 0.0 for each in found), key=abs),
    )


async def _read_node(client: "redis.asyncio.Redis", clock: Clock) -> Facts:
    info: Mapping[str, Any] = await client.info()
    before = clock.now_ns()
    seconds, microseconds = await client.time()
    here = (before + clock.now_ns()) / 2e9
    aof = info.get("aof_enabled")
    saves = info.get("rdb_saves")
    if saves is None and "rdb_last_save_time" in info:
        # Before Redis 7 there is only the time of the last save, which at the start is that of the start.
        started = seconds - int(info.get("uptime_in_seconds", 0))
        saves = int(int(info["rdb_last_save_time"]) > started + 5)
    open_question = aof == 0 and not saves
    link = info.get("master_link_status")
    return Facts(
        uptime_seconds=info.get("uptime_in_seconds"),
        aof_enabled=None if aof is None else bool(aof),
        rdb_saves=None if saves is None else int(saves),
        save_points=await _save_points(client) if open_question else None,
        last_save_failed="err" in {info.get("rdb_last_bgsave_status"), info.get("aof_last_write_status")},
        master_link_up=None if link is None else link == "up",
        clock_ahead_seconds=seconds + microseconds / 1e6 - here,
    )


async def heartbeats(client: "redis.asyncio.Redis", clock: Clock) -> tuple[Heartbeat, ...]:
    """The servers whose records still stand, and how their clocks differ from Redis'.

    A beat writes two ends: one by the clock of the server, as its score, one by that of Redis, as the time
    its record has to live. Both lie as far ahead, so what differs is the clocks.

    Raises:
        redis.exceptions.RedisError, OSError: a command is refused, or Redis is gone.
    """
    scored: Any = await client.zrange(keys.SERVERS, -MAX_SERVERS, -1, withscores=True)
    if not scored:
        return ()
    pipe = client.pipeline(transaction=False)
    pipe.time()
    for key, _ in scored:
        pipe.pttl(key)
    (seconds, microseconds), *left = await pipe.execute()
    there = seconds + microseconds / 1e6
    now = clock.now_ns() / 1e9
    return tuple(
        Heartbeat(
            worker=_host_and_process(key),
            skew_seconds=score + CUT_SECONDS - (there + milliseconds / 1000),
            hidden=score < int(now),
        )
        for (key, score), milliseconds in zip(scored, left, strict=True)
        if milliseconds > 0
    )


async def _save_points(client: "redis.asyncio.Redis") -> str | None:
    """The configured save points; None where the user may not ask, as on a managed Redis."""
    try:
        found = await client.config_get("save")
    except redis.exceptions.ResponseError:
        return None
    value = next(iter(found.values()), None)
    return value.decode() if isinstance(value, bytes) else value


def _host_and_process(key: bytes) -> str:
    identity = key.decode("utf-8", "backslashreplace").removeprefix(keys.SERVERS + ":").strip("{}")
    return identity.rpartition(":")[0] or identity
