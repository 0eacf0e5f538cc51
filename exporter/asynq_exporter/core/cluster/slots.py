"""Which node serves which slot: the answer of CLUSTER SLOTS."""

from collections.abc import Iterable
from typing import Any, Self

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

#: Host and port of a node.
Address = tuple[str, int]

#: What reading an answer of another form raises.
MALFORMED = (ValueError, TypeError, IndexError, AttributeError)


class SlotMap:
    """The nodes to ask about a key, the best first."""

    def __init__(self, ranges: Iterable[tuple[int, int, tuple[Address, ...]]] = ()) -> None:
        """`ranges` are first slot, last slot and the nodes to ask about them."""
        self._slots: list[tuple[Address, ...]] = [()] * REDIS_CLUSTER_HASH_SLOTS
        #: The nodes of each range.
        self.shards: set[tuple[Address, ...]] = set()
        for first, last, nodes in ranges:
            self._slots[first : last + 1] = [nodes] * (last + 1 - first)
            self.shards.add(nodes)

    @classmethod
    def read(cls, reply: Any, *, asked: Address, from_replicas: bool) -> Self:
        """The map in an answer; a node without a host is at that of the one that was asked.

        Raises:
            one of MALFORMED: the answer is of another form.
        """
        ranges = []
        for first, last, *nodes in reply:
            master, *replicas = [(host_of(node[0], asked), int(node[1])) for node in nodes]
            ranges.append((int(first), int(last), (*replicas, master) if from_replicas else (master,)))
        return cls(ranges)

    def nodes_of(self, key: bytes) -> tuple[Address, ...]:
        """The nodes to ask about a key; none when nobody serves its slot."""
        return self._slots[key_slot(key)]

    def first(self) -> tuple[Address, ...]:
        """The nodes of the first slot, which are the same for everybody."""
        return self._slots[0]

    def addresses(self) -> set[Address]:
        """Every node of the map."""
        return {address for nodes in self.shards for address in nodes}


def host_of(raw: bytes | None, asked: Address) -> str:
    """A host as a node names it; one that does not know its own is the one that was asked."""
    host = (raw or b"").decode("utf-8", "replace")
    return asked[0] if host in ("", "?") else host


def written(address: Address) -> str:
    """An address as people write it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
