"""The client: takes commands to the nodes of their keys, and follows keys that move."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline, PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AskError, ClusterDownError, ExecAbortError, RedisError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError

from asynq_exporter.core.cluster.commands import encoded, key_of
from asynq_exporter.core.cluster.nodes import Nodes
from asynq_exporter.core.cluster.slots import Address, host_of, written

#: How often a command is sent at most, as nodes name others.
MAX_TRIES = 6

#: How often the keys of a slot that is on its way are waited for, and how long, growing with each time.
MAX_PAUSES = 2
PAUSE_SECONDS = 0.05

#: A command and the options that redis-py reads its reply by.
Command = tuple[Sequence[Any], Mapping[str, Any]]


class ClusterClient(Redis):
    """Any command of one key, scripts of one slot, pipelines over all, transactions in one slot; no WATCH."""

    def __init__(self, seeds: Iterable[Address], *, client: Callable[[Address], Redis] | None = None) -> None:
        """Makes the client; nothing is sent before the first command.

        Args:
            seeds: host and port of some nodes, which tell of the others.
            client: makes the client of a node, best without second tries of its own; one without password or
                TLS by default.
        """
        self.seeds = tuple(seeds)
        #: Makes the client of a node.
        self.make = client or _plain
        self._nodes = Nodes(self.seeds, self.make)
        # redis-py's commands want one; it is that of the first node, and never used.
        super().__init__(connection_pool=self._nodes.client(self.seeds[0]).connection_pool)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """The reply to a command."""
        [reply] = await self.send([(args, options)])
        if isinstance(reply, Exception):
            raise reply
        return reply

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> "ClusterPipeline":  # noqa: FBT001, FBT002 -- redis-py's
        """Commands to be sent together: to many nodes, or as a transaction in one slot."""
        return ClusterPipeline(self, transaction=transaction)

    def pubsub(self, **arguments: Any) -> PubSub:
        """What hears messages, at the node of the channel that is subscribed first."""
        return _ClusterPubSub(self._nodes, self.connection_pool, **arguments)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001 -- likewise
        """Closes all connections."""
        await self._nodes.close()

    async def masters(self) -> "list[Redis]":
        """A client of each master, for what has no key.

        Raises:
            redis.exceptions.ConnectionError: no node answers.
        """
        await self._nodes.look()
        return [self._nodes.client(address) for address in self._nodes.masters()]

    def node_of(self, key: str) -> Address | None:
        """The master of a key as far as is known without asking."""
        return self._nodes.of(encoded(key))

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """The replies in their order; a failed one is its exception.

        Raises:
            redis.exceptions.ConnectionError: no node answers.
            redis.exceptions.ClusterCrossSlotError: a script is to run on several slots; nothing was sent.
        """
        blocks = [_Block([command], key_of(command[0])) for command in commands]
        await self._run(blocks)
        return [block.replies[0] for block in blocks]

    async def send_transaction(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to commands that run at one moment, all on keys of one slot; raises as `send`."""
        # As bytes, or redis-py would take what says QUEUED for the reply.
        queued: list[Command] = [((name.encode(), *rest), {}) for (name, *rest), _ in commands]
        block = _Block([(("MULTI",), {}), *queued, (("EXEC",), {})], key_of(commands[0][0]))
        await self._run([block])
        return _executed(block.replies, commands, self.response_callbacks)

    async def _run(self, blocks: "Sequence[_Block]") -> None:
        await self._nodes.look()
        for block in blocks:
            block.address = self._nodes.of(block.key)
        todo = list(blocks)
        for _ in range(MAX_TRIES):
            shares: dict[Address | None, list[_Block]] = {}
            for block in todo:
                shares.setdefault(block.address, []).append(block)
            await _all(self._ask(address, share) for address, share in shares.items())
            todo = [block for block in todo if self._goes_on(block)]
            if not todo:
                return
            if pauses := max(block.pauses for block in todo):
                await asyncio.sleep(PAUSE_SECONDS * pauses)

    async def _ask(self, address: Address | None, blocks: "Sequence[_Block]") -> None:
        """Asks a node; what it leaves unanswered gets the error."""
        if address is None:
            # Perhaps a master was lost, and the replica that takes over is not chosen yet.
            self._nodes.doubt()
            _fail(blocks, ClusterDownError("no node of the cluster serves the slot of this key"))
            return
        if self._nodes.is_hung(address):
            _fail(blocks, RedisConnectionError(f"node {written(address)} gave no answer a moment ago"))
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await _exchange(self._nodes.client(address), blocks)
        except (RedisError, OSError, RuntimeError) as exc:
            self._nodes.lost(address, after_seconds=loop.time() - began)
            what = f"node {written(address)}: {exc or type(exc).__name__}"
            error = type(exc)(what) if isinstance(exc, RedisConnectionError) else RedisConnectionError(what)
            _fail(blocks, error)
        except BaseException:
            # Whoever asked has no more time, perhaps because of this node.
            self._nodes.lost(address, after_seconds=loop.time() - began)
            raise
        else:
            self._nodes.answered(address)

    def _goes_on(self, block: "_Block") -> bool:
        """Whether a block is to be sent once more, to the node that the last one named."""
        verdict = block.verdict()
        if isinstance(verdict, AskError):  # MOVED is one, to redis-py
            assert block.address is not None  # noqa: S101 -- somebody answered
            block.address = (host_of(str(verdict.host).encode(), block.address), verdict.port)
            block.asking = type(verdict) is AskError
            if not block.asking:
                self._nodes.doubt()
            return True
        if isinstance(verdict, ClusterDownError):
            self._nodes.doubt()
        if isinstance(verdict, TryAgainError):
            block.pauses += 1
            return block.pauses <= MAX_PAUSES
        return False


async def masters(redis: Redis) -> list[Redis]:
    """The clients of all masters of a Redis: of a cluster, or the one given.

    Raises:
        redis.exceptions.ConnectionError: no node of the cluster answers.
    """
    return await redis.masters() if isinstance(redis, ClusterClient) else [redis]


class ClusterPipeline(Pipeline):
    """Commands on their way to many nodes; a transaction, as everywhere, to one slot."""

    def __init__(self, client: ClusterClient, *, transaction: bool) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, None)
        self._client = client

    async def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002 -- redis-py's
        """The replies in their order; raises the first error, or leaves it in its place."""
        stack: list[Command] = list(self.command_stack)
        self.command_stack = []
        if not stack:
            return []
        send = self._client.send_transaction if self.is_transaction else self._client.send
        replies = await send(stack)
        for reply in replies if raise_on_error else ():
            if isinstance(reply, Exception):
                raise reply
        return replies


class _ClusterPubSub(PubSub):
    """Listens at the node that PUBLISH goes to as well, as go-redis does."""

    def __init__(self, nodes: Nodes, pool: Any, **arguments: Any) -> None:
        super().__init__(pool, **arguments)
        self._nodes = nodes

    async def subscribe(self, *args: Any, **kwargs: Any) -> Any:
        """Connects, unless that is done, and subscribes."""
        if self.connection is not None:
            return await super().subscribe(*args, **kwargs)
        await self._nodes.look()
        address = self._nodes.of(encoded(args[0]))
        if address is None:
            self._nodes.doubt()
            raise ClusterDownError("no node of the cluster serves the slot of this channel")
        self.connection_pool = self._nodes.client(address).connection_pool
        try:
            return await super().subscribe(*args, **kwargs)
        except (RedisError, OSError):
            self._nodes.lost(address, after_seconds=0)
            raise


@dataclass(slots=True)
class _Block:
    """Commands that go one behind the other over one connection."""

    commands: Sequence[Command]
    key: bytes | None
    address: Address | None = None
    #: The node answers only those who say ASKING.
    asking: bool = False
    #: How often it was asked to try again.
    pauses: int = 0
    replies: list[Any] = field(default_factory=list)

    def verdict(self) -> Any:
        """The reply that tells whether it was run: the first error, else the last."""
        return next((reply for reply in self.replies if isinstance(reply, Exception)), self.replies[-1])


def _fail(blocks: "Iterable[_Block]", error: Exception) -> None:
    for block in blocks:
        block.replies = [error] * len(block.commands)


async def _exchange(client: Redis, blocks: "Sequence[_Block]") -> None:
    pipe = client.pipeline(transaction=False)
    for block in blocks:
        if block.asking:
            pipe.execute_command("ASKING")
        for args, options in block.commands:
            pipe.execute_command(*args, **options)
    replies = iter(await pipe.execute(raise_on_error=False))
    for block in blocks:
        if block.asking:
            next(replies)
        block.replies = [next(replies) for _ in block.commands]


def _executed(
    replies: Sequence[Any], commands: Sequence[Command], callbacks: Mapping[Any, Callable[..., Any]]
) -> list[Any]:
    """What EXEC gave, as redis-py gives it for each command; raises what kept it from running."""
    *queued, found = replies
    if isinstance(found, ExecAbortError):
        raise next((reply for reply in queued if isinstance(reply, Exception)), found)
    if isinstance(found, Exception):
        raise found
    return [
        reply
        if isinstance(reply, Exception) or args[0] not in callbacks
        else callbacks[args[0]](reply, **options)
        for reply, (args, options) in zip(found, commands, strict=True)
    ]


async def _all(exchanges: "Iterable[Awaitable[None]]") -> None:
    waiting = list(exchanges)
    if len(waiting) == 1:
        await waiting[0]
    else:
        await asyncio.gather(*waiting)


def _plain(address: Address) -> Redis:
    host, port = address
    return Redis(host=host, port=port, retry=Retry(NoBackoff(), 0))
