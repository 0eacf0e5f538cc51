"""The way to a cluster: each question is taken to the nodes that can answer it."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Iterator
from typing import TypeVar

import redis.exceptions

from asynq_exporter.core import keys
from asynq_exporter.core.cluster import slots
from asynq_exporter.core.cluster.slots import Address, SlotMap
from asynq_exporter.scan.cluster.nodes import Cluster, Nodes
from asynq_exporter.scan.cluster.questions import KEYLESS, Part, Question, Whole, commands, key_of
from asynq_exporter.scan.commands import pack
from asynq_exporter.scan.pipe import Batch, Reply, ReplyError

T = TypeVar("T")

#: How often a command follows its key to another node; the nodes of a torn cluster may disagree for ever.
MAX_REDIRECTS = 2

#: MGETs that a pass takes apart at most, for those whose slot is on its way; a slot takes a moment for that.
MAX_MENDED = 100

#: Share of the time left of a pass that it waits for a node that hangs; the rest is for the others.
PATIENCE = 0.5

#: Share of the time left that one node may take to say which node has which slot.
MAP_PATIENCE = 0.25

#: A map this old is asked for anew, for nodes that came since.
MAP_SECONDS = 60.0

MAP_REQUEST = pack("CLUSTER", "SLOTS")

UNSERVED = ReplyError("no node of the cluster serves the slot of this key; see CLUSTER INFO")

#: How a node begins to say that it serves no key at all, for too many others are gone.
DOWN = "CLUSTERDOWN The cluster is down"


class ClusterRoute:
    """Connections to the nodes of a cluster, opened when needed."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._nodes = Nodes(cluster)
        self._map = SlotMap()
        #: The map is to be asked for before the next pass.
        self._stale = True
        self._map_until = 0.0
        #: When the time of the pass ends, and until when a node is waited for.
        self._ends_at = self._until = float("inf")
        #: Commands sent and replies waited for in sequence since `begin`.
        self.commands = 0
        self.round_trips = 0
        #: MGETs taken apart since then.
        self._mended = 0

    @property
    def is_open(self) -> bool:
        """Whether a connection stands, as far as this side knows."""
        return bool(self._nodes.opened())

    def begin(self, *, timeout_seconds: float) -> None:
        """Starts counting anew, for a pass that may take some time."""
        self.commands = self.round_trips = self._mended = 0
        self._ends_at = asyncio.get_running_loop().time() + timeout_seconds
        self._be_patient()

    def arrange(self, names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """The queues in an order in which those of one node are neighbours, and where a node's begin."""
        shares: dict[Address | None, list[str]] = defaultdict(list)
        for name in names:
            shares[self._node_of(keys.queue_prefix(name).encode("utf-8", "surrogateescape"))].append(name)
        arranged: list[str] = []
        starts = []
        for address in sorted(shares, key=str):
            starts.append(len(arranged))
            arranged += shares[address]
        return tuple(arranged), tuple(starts)

    async def open(self) -> None:
        """Connects to every node, after asking which there are when that may have changed.

        Raises:
            redis.exceptions.ConnectionError: no node answers.
        """
        self._nodes.forgive({*self._map.addresses(), *self._cluster.seeds})
        if self._stale or asyncio.get_running_loop().time() > self._map_until:
            await self._ask_for_map()
        while closed := [address for address in self._alive() if not self._nodes.is_open(address)]:
            await _all(self._open(address) for address in closed)
        if not self._alive():
            raise redis.exceptions.ConnectionError(f"no node of the cluster answers: {self._nodes.errors()}")

    async def close(self) -> None:
        """Drops all connections; the next `open` makes new ones."""
        self._stale = True
        await self._nodes.keep(set())

    async def run(self, batches: Iterable[Batch], *, window: int = 2) -> None:
        """Sends batches, to each node at most `window` of them in flight, and hands each its replies.

        Raises:
            redis.exceptions.ClusterDownError: the nodes serve no keys, for too many of them are gone.
        """
        self._be_patient()
        questions = [Question(batch) for batch in batches]
        parts = [part for question in questions for part in self._parts(question)]
        while questions:
            await self._send(parts, window)
            follows: list[Question] = []
            parts = []
            for question in questions:
                if question.redirects < MAX_REDIRECTS and (moved := question.redirected(self._node_of)):
                    question.redirects += 1
                    self._stale = True
                    parts += moved
                    follows.append(question)
                    continue
                _check(question.replies)
                more = [Question(batch) for batch in self._answered(question)]
                parts += [part for each in more for part in self._parts(each)]
                follows += more
            questions = follows

    def _be_patient(self) -> None:
        now = asyncio.get_running_loop().time()
        self._until = now + (self._ends_at - now) * PATIENCE

    def _answered(self, question: Question) -> Iterable[Batch]:
        """Hands a question its replies, unless there are some to be mended first; what is sent next."""
        torn = question.torn()[: max(MAX_MENDED - self._mended, 0)]
        if not torn:
            return question.batch.take(question.replies) or ()
        self._mended += len(torn)
        return [question.mended(torn)]

    def _parts(self, question: Question) -> Iterator[tuple[Address | None, Part]]:
        """Which node is asked what of a question; None where no node serves the key."""
        batch = question.batch
        if batch.key:
            yield self._node_of(batch.key), Whole(question, range(batch.replies), batch.request)
            return
        shares: dict[Address | None, list[int]] = defaultdict(list)
        asked = commands(batch.request)
        for place, words in enumerate(asked):
            nodes = self._alive() if words[0] in KEYLESS else [self._node_of(key_of(words))]
            for address in nodes:
                shares[address].append(place)
        for address, places in shares.items():
            yield address, Part(question, places, b"".join([pack(*asked[place]) for place in places]))

    def _node_of(self, key: bytes) -> Address | None:
        """The best node to ask about a key; a lost one only when all are."""
        nodes = self._map.nodes_of(key)
        return next((a for a in nodes if self._nodes.error(a) is None), nodes[-1] if nodes else None)

    def _alive(self) -> list[Address]:
        """The nodes that are asked at present, without those that are lost."""
        best = (next((a for a in nodes if self._nodes.error(a) is None), None) for nodes in self._map.shards)
        return sorted({address for address in best if address is not None})

    async def _ask_for_map(self) -> None:
        """Takes the first map that a node gives; keeps the old one when none does."""
        candidates = dict.fromkeys([*self._nodes.opened(), *self._cluster.seeds, *self._map.addresses()])
        for address in candidates:
            if self._nodes.error(address) is None and (found := await self._ask_node_for_map(address)):
                self._map, self._stale = found, False
                self._map_until = asyncio.get_running_loop().time() + MAP_SECONDS
                await self._nodes.keep(found.addresses())
                return
        if not self._map.shards:
            raise redis.exceptions.ConnectionError(f"no node of the cluster answers: {self._nodes.errors()}")

    async def _ask_node_for_map(self, address: Address) -> SlotMap | None:
        pipe, loop = self._nodes.pipe(address), asyncio.get_running_loop()
        found: list[SlotMap] = []

        def take(replies: list[Reply]) -> None:
            if type(replies[0]) is ReplyError:
                raise redis.exceptions.ResponseError(f"CLUSTER SLOTS: {replies[0].text}")
            try:
                from_replicas = self._cluster.from_replicas
                found.append(SlotMap.read(replies[0], asked=address, from_replicas=from_replicas))
            except slots.MALFORMED as exc:
                raise redis.exceptions.InvalidResponse(f"CLUSTER SLOTS: {replies[0]!r:.200}") from exc

        async def ask() -> None:
            await pipe.open()
            await pipe.run([Batch(MAP_REQUEST, 1, take)])
            self.commands += 1
            self.round_trips += 1

        until = min(self._until, loop.time() + (self._until - loop.time()) * MAP_PATIENCE)
        await self._nodes.attempt(address, ask, until=until)
        return found[0] if found else None

    async def _open(self, address: Address) -> None:
        if not await self._nodes.attempt(address, self._nodes.pipe(address).open, until=self._until):
            self._stale = True

    async def _send(self, parts: list[tuple[Address | None, Part]], window: int) -> None:
        shares: dict[Address, list[Part]] = defaultdict(list)
        for address, part in parts:
            error = UNSERVED if address is None else self._nodes.error(address)
            if address is None or error is not None:
                part.fail(error or UNSERVED)
            else:
                shares[address].append(part)
        costs = await _all(self._ask_node(address, share, window) for address, share in shares.items())
        self.commands += sum(commands_sent for commands_sent, _ in costs)
        self.round_trips += max((trips for _, trips in costs), default=0)

    async def _ask_node(self, address: Address, share: list[Part], window: int) -> tuple[int, int]:
        """Asks one node its share; commands sent and round trips. A lost node fails what it left open."""
        pipe = self._nodes.pipe(address)
        before = pipe.commands, pipe.round_trips

        async def exchange() -> None:
            await pipe.open()
            await pipe.run([part.batch() for part in share if not part.answered], window=window)

        # That a node closed a connection since the last pass shows only in use: then a fresh one is tried.
        done = pipe.is_open and await self._nodes.attempt(address, exchange, until=self._until, last=False)
        if not done and self._nodes.error(address) is None:
            await self._nodes.attempt(address, exchange, until=self._until)
        if (error := self._nodes.error(address)) is not None:
            self._stale = True
            for part in share:
                if not part.answered:
                    part.fail(error)
        return pipe.commands - before[0], pipe.round_trips - before[1]


def _check(replies: list[Reply]) -> None:
    if ReplyError in set(map(type, replies)):
        for reply in replies:
            if type(reply) is ReplyError and reply.text.startswith(DOWN):
                raise redis.exceptions.ClusterDownError(reply.text)


async def _all(exchanges: Iterable[Awaitable[T]]) -> list[T]:
    # A pipe must not stay in use by a task that nobody waits for: so wait for all, and only then complain.
    results = await asyncio.gather(*exchanges, return_exceptions=True)
    return [_good(result) for result in results]


def _good(result: T | BaseException) -> T:
    if isinstance(result, BaseException):
        raise result
    return result
