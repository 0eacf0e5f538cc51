"""A batch on its way through a cluster: taken apart by node, and the replies put together again."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import hiredis

from asynq_exporter.core.cluster.slots import Address, host_of
from asynq_exporter.scan.commands import pack
from asynq_exporter.scan.pipe import NOT_ENOUGH, Batch, Reply, ReplyError

#: Commands without a key. Every node gets them, and what they answer is joined.
KEYLESS = (b"PING", b"INFO")

#: Commands whose key is their third word; it is the second of the others.
WITH_SUBCOMMAND = (b"MEMORY",)

ASKING = pack("ASKING")

Words = list[bytes]


@dataclass(slots=True)
class Question:
    """A batch, and its replies as they come in from the nodes."""

    batch: Batch
    replies: list[Reply] = field(init=False)
    #: How often commands of it followed their key to another node.
    redirects: int = 0

    def __post_init__(self) -> None:
        self.replies = [None] * self.batch.replies

    def put(self, place: int, reply: Reply) -> None:
        """Takes a reply; of several nodes' a good one beats an error, and good ones are joined."""
        before = self.replies[place]
        if type(before) is bytes and type(reply) is bytes:
            self.replies[place] = before + b"\r\n" + reply
        elif before is None or type(before) is ReplyError:
            self.replies[place] = reply

    def redirected(self, node_of: Callable[[bytes], Address | None]) -> "list[tuple[Address, Part]]":
        """The commands whose node named another one, and which; `node_of` tells who was asked."""
        if ReplyError not in set(map(type, self.replies)):
            return []
        named = {place: other for place, reply in enumerate(self.replies) if (other := _other_node(reply))}
        parts: list[tuple[Address, Part]] = []
        asked = commands(self.batch.request) if named else []
        for place, (host, port, asking) in named.items():
            words = asked[place]
            before = node_of(key_of(words)) or ("", 0)
            request = (ASKING if asking else b"") + pack(*words)
            part = Part(self, (place,), request, ahead=int(asking))
            parts.append(((host_of(host, before), port), part))
        return parts

    def torn(self) -> list[int]:
        """The places of MGETs that no node answers: their slot is on its way, with a part of the keys."""
        tried = [place for place, reply in enumerate(self.replies) if _is_try_again(reply)]
        asked = commands(self.batch.request) if tried else []
        return [place for place in tried if asked[place][0] == b"MGET"]

    def mended(self, places: Sequence[int]) -> Batch:
        """Asks for the keys of some MGETs one by one: each follows its key to the node that has it."""
        asked = commands(self.batch.request)
        lists = [asked[place][1:] for place in places]
        request = b"".join([pack("GET", key) for keys in lists for key in keys])

        def take(replies: list[Reply]) -> Iterable[Batch] | None:
            found = iter(replies)
            for place, keys in zip(places, lists, strict=True):
                values = [next(found) for _ in keys]
                # As of an MGET: what it has of another type is nothing, and an error is one of the whole.
                wrong = [value for value in values if _is_error(value) and not _is_wrong_type(value)]
                self.replies[place] = (
                    wrong[0] if wrong else [None if _is_error(value) else value for value in values]
                )
            return self.batch.take(self.replies)

        return Batch(request, sum(map(len, lists)), take)


@dataclass(slots=True)
class Part:
    """What one node is asked of a question."""

    question: Question
    places: Sequence[int]
    request: bytes
    #: Replies before those that count.
    ahead: int = 0
    answered: bool = False

    def batch(self) -> Batch:
        """The part as a pipe sends it."""
        return Batch(self.request, self.ahead + len(self.places), self._take)

    def fail(self, error: ReplyError) -> None:
        """Puts an error in the place of every reply."""
        self._take([error] * (self.ahead + len(self.places)))

    def _take(self, replies: list[Reply]) -> None:
        self.answered = True
        for place, reply in zip(self.places, replies[self.ahead :], strict=True):
            self.question.put(place, reply)


class Whole(Part):
    """A question that one node answers alone."""

    def _take(self, replies: list[Reply]) -> None:
        self.answered = True
        self.question.replies = replies


def commands(request: bytes) -> list[Words]:
    """The commands of a request; Redis' form of a request is also one of its forms of a reply."""
    reader = hiredis.Reader(notEnoughData=NOT_ENOUGH)
    reader.feed(request)
    return list(iter(reader.gets, NOT_ENOUGH))


def key_of(words: Words) -> bytes:
    """The key of a command; empty when it has none."""
    if words[0] in KEYLESS:
        return b""
    return words[2 if words[0] in WITH_SUBCOMMAND else 1]


def _is_error(reply: Reply) -> bool:
    return type(reply) is ReplyError


def _is_try_again(reply: Reply) -> bool:
    return _is_error(reply) and reply.text.startswith("TRYAGAIN")


def _is_wrong_type(reply: Reply) -> bool:
    return _is_error(reply) and reply.text.startswith("WRONGTYPE")


def _other_node(reply: Reply) -> tuple[bytes, int, bool] | None:
    """What `MOVED slot host:port` and `ASK slot host:port` name; the latter answers only who says ASKING."""
    if type(reply) is not ReplyError:
        return None
    word, _, rest = reply.text.partition(" ")
    host, _, port = rest.rpartition(" ")[2].rpartition(":")
    return (
        (host.encode(), int(port), word == "ASK") if word in ("MOVED", "ASK") and port.isdecimal() else None
    )
