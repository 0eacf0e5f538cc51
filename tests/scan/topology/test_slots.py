"""The pure parts of the way to a cluster, and nodes that send each command on for ever."""

import asyncio

import pytest

from asynq_exporter.core import catalog, keys
from asynq_exporter.core.cluster.slots import MALFORMED, Address, SlotMap
from asynq_exporter.scan.cluster.questions import Question, commands, key_of
from asynq_exporter.scan.commands import pack
from asynq_exporter.scan.pipe import Batch, Reply, ReplyError
from asynq_exporter.scan.scanner import Scanner
from asynq_exporter.settings import resolve
from tests.conftest import RedisServer
from tests.scan.topology.scanning import scanner_of

ASKED = ("asked", 1)

SLOTS = [
    [0, 8191, [b"10.0.0.1", 7001, b"id", []], [b"10.0.0.2", 7002, b"id", []]],
    [8192, 16382, [b"", 7003, b"id"], [b"?", 7004, b"id"], [None, 7005, b"id"]],
]


@pytest.mark.parametrize(
    ("from_replicas", "low", "high"),
    [
        (False, (("10.0.0.1", 7001),), (("asked", 7003),)),
        (
            True,
            (("10.0.0.2", 7002), ("10.0.0.1", 7001)),
            (("asked", 7004), ("asked", 7005), ("asked", 7003)),
        ),
    ],
    ids=["masters", "replicas"],
)
def test_map_is_read(from_replicas: bool, low: tuple[Address, ...], high: tuple[Address, ...]) -> None:
    """Replicas come before their master; who does not know its own host is where it was asked."""
    found = SlotMap.read(SLOTS, asked=ASKED, from_replicas=from_replicas)

    # Slots of the wire document, section 7: default 5718, low 15214.
    assert low == found.nodes_of(b"asynq:{default}:pending") == found.nodes_of(b"{default}")
    assert high == found.nodes_of(b"asynq:{low}:active")
    assert {*low, *high} == found.addresses()
    assert () == SlotMap().nodes_of(b"any")


@pytest.mark.parametrize("reply", [None, [[1]], [[0, 1, b"x"]], [[0, 1, [b"h", b"port"]]], [[0, b"x"]]])
def test_what_is_no_map_is_refused(reply: Reply) -> None:
    """Never half a map."""
    with pytest.raises(MALFORMED):
        SlotMap.read(reply, asked=ASKED, from_replicas=False)


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("GET", "k"), b"k"),
        (("MEMORY", "USAGE", "k"), b"k"),
        (("MGET", "{k}1", "{k}2"), b"{k}1"),
        (("PING",), b""),
        (("INFO",), b""),
        (("LLEN", "with\r\n*1\r\n$1\r\nline"), b"with\r\n*1\r\n$1\r\nline"),
    ],
)
def test_key_of_a_command(words: tuple[str, ...], key: bytes) -> None:
    """Found in the bytes of a request, whatever is in them."""
    assert [key, key] == [key_of(each) for each in commands(pack(*words) * 2)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MOVED 1 10.0.0.9:7009", (("10.0.0.9", 7009), pack("GET", "b"), 0)),
        ("MOVED 1 ::1:7009", (("::1", 7009), pack("GET", "b"), 0)),
        ("MOVED 1 :7009", (("asked", 7009), pack("GET", "b"), 0)),
        ("ASK 1 h:7009", (("h", 7009), pack("ASKING") + pack("GET", "b"), 1)),
        ("MOVED nonsense", None),
        ("ERR MOVED 1 h:1", None),
        ("WRONGTYPE", None),
    ],
)
def test_redirect_is_understood(text: str, expected: tuple[Address, bytes, int] | None) -> None:
    """Only the command that was sent on is asked again."""
    question = Question(Batch(pack("GET", "a") + pack("GET", "b"), 2, lambda _: None))
    question.replies = [b"1", ReplyError(text)]

    parts = question.redirected(lambda _: ASKED)

    found = [(address, part.request, part.ahead) for address, part in parts]
    assert ([expected] if expected else []) == found


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ([b"a", b"b"], b"a\r\nb"),
        ([ReplyError("x"), b"b"], b"b"),
        ([b"a", ReplyError("x")], b"a"),
        ([None, b"b"], b"b"),
    ],
)
def test_replies_of_several_nodes_become_one(replies: list[Reply], expected: Reply) -> None:
    """Good ones are joined, and beat errors in any order."""
    question = Question(Batch(pack("INFO"), 1, lambda _: None))
    for reply in replies:
        question.put(0, reply)

    assert [expected] == question.replies


async def test_endless_redirects_end() -> None:
    """No real cluster disagrees on demand: this node says that it has all slots, and sends every key away."""
    asked = 0
    served: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        served.append(asyncio.current_task())
        while data := await reader.read(1 << 16):
            answers = []
            for words in commands(data):
                if words[:2] == [b"CLUSTER", b"SLOTS"]:
                    host = b"*3\r\n$9\r\n127.0.0.1\r\n:%d\r\n$1\r\nx\r\n" % port
                    answers.append(b"*1\r\n*3\r\n:0\r\n:16383\r\n" + host)
                elif words[0] in (b"PING", b"INFO", b"CLIENT", b"SELECT"):
                    answers.append(b"+OK\r\n")
                else:
                    asked += 1
                    answers.append(b"-MOVED 1 127.0.0.1:%d\r\n" % port)
            writer.write(b"".join(answers))
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = resolve(flags={"redis.url": [f"redis-cluster://127.0.0.1:{port}"]}).settings
    async with server, scanner_of(settings) as scanner:
        snapshot = await scanner.scan(timeout_seconds=20)
        await scanner.close()
        await asyncio.gather(*(task for task in served if task))

    assert snapshot.up
    assert set(catalog.documented().queues) == snapshot.queue_errors.keys()
    assert all("MOVED" in text for text in snapshot.queue_errors.values())
    # Three tries of each command that a scan of six queues sends at most.
    assert asked < 3 * 6 * 20


async def test_names_beyond_text(redis_server: RedisServer) -> None:
    """Queues whose names are no UTF-8, or would end a request, are arranged like any other."""
    names = ("\udcff", "a\r\nb", "}", "")
    scanner = Scanner(redis_server.async_client(), catalog.documented())
    cluster = resolve(flags={"redis.url": ["redis-cluster://127.0.0.1:1"]}).settings
    async with scanner_of(cluster) as clustered:
        arranged = clustered._route.arrange(names)

    assert (names, (0,)) == arranged
    assert (names, ()) == scanner._route.arrange(names)
    assert keys.queue_prefix("a\r\nb")
