"""Which key decides where a command goes."""

from collections.abc import Sequence
from typing import Any

from redis.crc import key_slot
from redis.exceptions import ClusterCrossSlotError, DataError

Words = Sequence[Any]

#: Commands without a key. They go to one node, the same for everybody: the times that Redis gives to two
#: processes are of one clock.
KEYLESS = frozenset({"PING", "TIME"})

#: Commands that tell of one node, or change it; which one is for the caller to say.
OF_ONE_NODE = frozenset(
    {"SCAN", "KEYS", "DBSIZE", "RANDOMKEY", "FLUSHDB", "FLUSHALL", "INFO", "CONFIG GET", "SCRIPT LOAD"}
)

_SCRIPTED = frozenset({"EVAL", "EVALSHA"})


def key_of(words: Words) -> bytes | None:
    """The key of a command, None without one.

    A channel counts as a key, for PUBLISH tells of the listeners at its own node alone.

    Raises:
        redis.exceptions.ClusterCrossSlotError: a script is to run on several slots.
        redis.exceptions.DataError: the command is about one node.
    """
    name = words[0]
    if name in KEYLESS:
        return None
    if name in OF_ONE_NODE:
        raise DataError(f"{name} is about one node of the cluster; ask those of masters()")
    if name not in _SCRIPTED:
        return encoded(words[1])
    # A script, or its SHA-1, the number of keys, the keys.
    keys = words[3 : 3 + int(words[2])]
    check_slot(keys)
    return encoded(keys[0]) if keys else None


def check_slot(keys: Sequence[str | bytes]) -> None:
    """Raises ClusterCrossSlotError when keys that belong together lie in several slots."""
    if len(set(map(key_slot, map(encoded, keys)))) > 1:
        raise ClusterCrossSlotError(
            f"keys that belong together lie in several slots of the cluster, {encoded(keys[0])!r} among them;"
            " a queue whose name begins with } cannot be in a cluster"
        )


def encoded(key: str | bytes) -> bytes:
    """A key as bytes."""
    return key.encode() if isinstance(key, str) else key
