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

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._loaded: set[str] = set()
        #: Queues that were registered in a cluster.
        self._registered: set[Argument] = set()

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
        if isinstance(self._redis, ClusterClient):
            before = await self._go_ahead(self._redis, before, calls)
        await self._load({call.script for call in calls} - self._loaded)
        pipe = self._redis.pipeline(transaction=False)
        for command in before:
            pipe.execute_command(*command)
        for call in calls:
            pipe.evalsha(all_scripts()[call.script].sha, len(call.keys), *call.keys, *call.args)
        replies = await pipe.execute(raise_on_error=False)
        for reply in replies[: len(before)]:
            if isinstance(reply, Exception):
                raise reply
        replies = replies[len(before) :]
        # The server has forgotten its scripts since (restart, failover, SCRIPT FLUSH).
        for i, reply in enumerate(replies):
            if isinstance(reply, NoScriptError):
                self._loaded.discard(calls[i].script)
                replies[i] = await self.run(calls[i].script, calls[i].keys, *calls[i].args)
        return replies

    async def _go_ahead(
        self, cluster: ClusterClient, commands: Sequence[Sequence[Argument]], calls: Sequence[Call]
    ) -> Sequence[Sequence[Argument]]:
        """Sends what goes ahead of some calls; none is left to be sent with them.

        A queue that was registered before may miss the registration: it lies on another node, which may be
        lost while that of the queue works (and asynq registers a queue once only).
        """
        for call in calls:
            check_slot(call.keys)
        pipe = cluster.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        replies = await pipe.execute(raise_on_error=False)
        for command, reply in zip(commands, replies, strict=True):
            registers, members = command[0] == "SADD", set(command[2:])
            if isinstance(reply, RedisError) and not (registers and members <= self._registered):
                raise reply
            if registers:
                self._registered |= members
        return ()

    async def _load(self, names: set[str]) -> None:
        # A pipeline sends SHA-1s only, so the texts have to be there first.
        for name in sorted(names):
            await self._redis.script_load(all_scripts()[name].source)
            self._loaded.add(name)


def _link(name: str, texts: Mapping[str, str]) -> Script:
    source = texts[name]
    if uses := _USES.search(source):
        source = "\n".join([*(texts[f"_{part}"] for part in uses[1].split(", ")), source])
    return Script(
        name=name, source=source, sha=hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    )
