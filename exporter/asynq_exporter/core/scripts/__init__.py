"""The atomic operations of asynq as Lua, one file each, and what runs them.

The head of each file names its KEYS, ARGV and what it returns. A line `-- Uses: counters` puts
`_counters.lua` in front.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from asynq_exporter.core.cluster import ClusterClient
from asynq_exporter.core.cluster.commands import check_slot
from asynq_exporter.core.scripts.round_trips import RoundTrips, Words

Argument = str | bytes | int | float

_USES = re.compile(r"^-- Uses: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A Lua script and the SHA-1 by which Redis knows it."""

    name: str
    source: str
    sha: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A script with what it is to be run on."""

    script: str
    keys: Sequence[str]
    args: Sequence[Argument] = ()


@cache
def all_scripts() -> Mapping[str, Script]:
    """Every script by its name, the file name without `.lua`."""
    texts = {
        path.name.removesuffix(".lua"): path.read_text(encoding="utf-8")
        for path in files(__package__).iterdir()
        if path.name.endswith(".lua")
    }
    return MappingProxyType(
        {name: _link(name, texts) for name in sorted(texts) if not name.startswith("_")},
    )


class ScriptRunner:
    """Runs the scripts by their SHA-1 and sends the text only to a server that does not know it."""

    def __init__(self, redis: Redis, *, registered: set[Any] | None = None) -> None:
        """`registered` are the queues that runners of one cluster know to be registered."""
        self._redis = redis
        #: Queues that were registered in a cluster.
        self._registered: set[Any] = set() if registered is None else registered

    async def run(self, name: str, keys: Sequence[str], *args: Argument) -> Any:
        """The reply of a script."""
        script = all_scripts()[name]
        try:
            return await self._redis.evalsha(script.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await self._redis.eval(script.source, len(keys), *keys, *args)

    async def run_many(
        self, calls: Sequence[Call], *, before: Sequence[Sequence[Argument]] = ()
    ) -> list[Any]:
        """The replies of many calls in one round trip, in their order; a failed one is its exception.

        `before` are plain commands sent ahead; the first of them that fails is raised. Not a transaction. In
        a cluster they have a round trip of their own, and what fails there keeps the calls from being sent.
        """
        async with RoundTrips(self._redis) as trips:
            return await self.run_on(trips, calls, before=before)

    async def run_on(self, trips: RoundTrips, calls: Sequence[Call], *, before: Sequence[Words]) -> list[Any]:
        """As `run_many`, on a connection at hand."""
        if isinstance(self._redis, ClusterClient):
            await self._go_ahead(trips, before, calls)
            before = ()
        replies = await trips.exchange([*before, *map(_by_sha, calls)])
        for reply in replies[: len(before)]:
            if isinstance(reply, Exception):
                raise reply
        replies = replies[len(before) :]
        # The server is new, or has forgotten its scripts since (restart, failover, SCRIPT FLUSH).
        unknown = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            again = await trips.exchange([_by_text(calls[i]) for i in unknown])
            for i, reply in zip(unknown, again, strict=True):
                replies[i] = reply
        return replies

    async def _go_ahead(self, trips: RoundTrips, commands: Sequence[Words], calls: Sequence[Call]) -> None:
        """Sends what goes ahead of some calls to the nodes of a cluster.

        A queue that was registered before may miss the registration: it lies on another node, which may be
        lost while that of the queue works (and asynq registers a queue once only).
        """
        for call in calls:
            check_slot(call.keys)
        replies = await trips.exchange(commands)
        for command, reply in zip(commands, replies, strict=True):
            registers, members = command[0] == "SADD", set(command[2:])
            if isinstance(reply, RedisError) and not (registers and members <= self._registered):
                raise reply
            if registers:
                self._registered |= members


def _by_sha(call: Call) -> Words:
    return ("EVALSHA", all_scripts()[call.script].sha, len(call.keys), *call.keys, *call.args)


def _by_text(call: Call) -> Words:
    return ("EVAL", all_scripts()[call.script].source, len(call.keys), *call.keys, *call.args)


def _link(name: str, texts: Mapping[str, str]) -> Script:
    source = texts[name]
    if uses := _USES.search(source):
        source = "\n".join([*(texts[f"_{part}"] for part in uses[1].split(", ")), source])
    return Script(
        name=name, source=source, sha=hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    )
