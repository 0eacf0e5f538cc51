"""Limits wrong tokens, per client and in all, in bounded memory.

Once a client is over its limit its tokens are not even looked at, or guessing would go on as before; only a
token that was right from there before still is, so that nobody is kept out by a neighbour who guesses.
"""

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

#: Wrong tokens in a row, and how soon another is allowed.
CLIENT_FAILURES, CLIENT_REFILL_SECONDS = 10, 6.0
ALL_FAILURES, ALL_REFILL_SECONDS = 200, 0.5

#: Clients, and right tokens of clients, that are remembered; the ones longest unseen are forgotten.
MAX_CLIENTS = 10_000
MAX_KNOWN = 1_000


@dataclass(slots=True)
class _Bucket:
    """Failures that are still allowed: fills up with time."""

    size: int
    refill_seconds: float
    left: float
    at: float

    def wait_seconds(self, now: float) -> float:
        """How long until another failure is allowed; 0 when one is."""
        self.left = min(self.size, self.left + (now - self.at) / self.refill_seconds)
        self.at = now
        return 0.0 if self.left >= 1 else (1 - self.left) * self.refill_seconds

    def take(self) -> None:
        self.left = max(self.left - 1, 0.0)


class Attempts:
    """Who guessed how often."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` is a clock that never goes back, in seconds."""
        self._now = now
        self._clients: OrderedDict[str, _Bucket] = OrderedDict()
        self._all = _Bucket(ALL_FAILURES, ALL_REFILL_SECONDS, ALL_FAILURES, now())
        self._known: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def retry_after_seconds(self, client: str, digest: bytes) -> int | None:
        """None when the token may be looked at; else how long the client has to wait."""
        if (client, digest) in self._known:
            self._known.move_to_end((client, digest))
            return None
        now = self._now()
        wait = self._all.wait_seconds(now)
        if bucket := self._clients.get(client):
            wait = max(wait, bucket.wait_seconds(now))
        return math.ceil(wait) if wait else None

    def failed(self, client: str) -> None:
        """Counts a wrong token."""
        bucket = self._clients.pop(client, None)
        if bucket is None:
            bucket = _Bucket(CLIENT_FAILURES, CLIENT_REFILL_SECONDS, CLIENT_FAILURES, self._now())
        bucket.take()
        self._all.take()
        self._clients[client] = bucket
        if len(self._clients) > MAX_CLIENTS:
            self._clients.popitem(last=False)

    def succeeded(self, client: str, digest: bytes) -> None:
        """Remembers a right token."""
        self._known[client, digest] = None
        self._known.move_to_end((client, digest))
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)


def client_of(address: str | None) -> str:
    """What a client is limited by: its address, or of IPv6 the network that one customer has."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
