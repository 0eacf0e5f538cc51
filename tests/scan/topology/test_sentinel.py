"""Redis behind a real Sentinel: its own password, failover, replicas."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from asynq_exporter import connect
from asynq_exporter.core import keys
from asynq_exporter.core.client import Client, Task
from asynq_exporter.core.errors import UnavailableError
from asynq_exporter.core.inspector import Inspector
from asynq_exporter.scan.snapshot import Snapshot
from asynq_exporter.settings import Settings, resolve
from tests.conftest import RedisServer, wait_until
from tests.project.acl import SENTINEL_RULES
from tests.scan.topology.nodes import Watched, watched
from tests.scan.topology.scanning import scanner_of


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Watched]:
    """A master and a replica with one password, their Sentinel with another."""
    with watched(tmp_path, password="of-redis", secret="of-sentinel") as made:
        yield made


def settings_of(pair: Watched, tmp_path: Path, **flags: str) -> Settings:
    """Settings with the Sentinel's password in the URL, as for asynq, and Redis' in a file."""
    (tmp_path / "password").write_text("of-redis\n")
    given = {"redis.url": [pair.url], "redis.password-file": [str(tmp_path / "password")]}
    given |= {k.replace("__", "-").replace("_", "."): [v] for k, v in flags.items()}
    return resolve(flags=given).settings


async def test_failover_between_scans(pair: Watched, tmp_path: Path) -> None:
    """The scan after a failover reads the new master, whether the old one is dead or just was demoted."""
    async with scanner_of(settings_of(pair, tmp_path)) as scanner:
        found: list[tuple[int, Snapshot]] = []
        for way in ("kill", "command"):
            old = pair.master()
            mark(old, way)
            found.append((old.port, await scanner.scan(timeout_seconds=20)))
            pair.wait_for_replica()
            fail_over(pair, way)
            mark(pair.master(), f"after {way}")
            found.append((pair.master().port, await scanner.scan(timeout_seconds=20)))

    names = ["kill", "after kill", "command", "after command"]
    assert names == [next(q for q in s.queues.names if q in names) for _, s in found]
    assert {"master"} == {s.redis.role for _, s in found if s.redis}
    assert found[0][0] != found[1][0] == found[2][0] != found[3][0]


def mark(master: RedisServer, queue: str, *, replicas: int = 1) -> None:
    """Registers one queue and no other, and waits until the replica has it."""
    with master.client() as client:
        client.delete(keys.QUEUES)
        client.sadd(keys.QUEUES, queue)
        client.wait(replicas, 10_000)


def fail_over(pair: Watched, way: str) -> None:
    """Makes the replica the master."""
    old = pair.master()
    if way == "kill":
        old.kill()
    else:
        with pair.sentinel.client() as client:
            client.execute_command("SENTINEL", "FAILOVER", "asynq")
    wait_until(lambda: pair.sentinel.master() != old.port, what="a failover", seconds=60)
    wait_until(lambda: role(pair.master()) == "master", what="it is master")
    if way == "kill":
        old.start_again()


def role(node: RedisServer) -> str:
    """What a server thinks it is."""
    with node.client() as client:
        return str(client.info("replication")["role"])


async def test_an_old_master_that_lost_touch_is_left(pair: Watched, tmp_path: Path) -> None:
    """It still answers as a master on the open connection, with numbers of yesterday: nobody believes it."""
    old = pair.master()
    mark(old, "yesterday")
    async with scanner_of(settings_of(pair, tmp_path)) as scanner:
        before = await scanner.scan(timeout_seconds=20)
        old.hang()
        wait_until(lambda: pair.sentinel.master() != old.port, what="a failover", seconds=60)
        wait_until(lambda: role(pair.master()) == "master", what="it is master")
        mark(pair.master(), "today", replicas=0)
        wait_until(pair.sentinel.has_finished, what="the failover ends", seconds=60)
        with pair.sentinel.client() as client:
            # So that it does not demote the old one, as when a network is cut in two.
            client.execute_command("SENTINEL", "RESET", "asynq")
        old.resume()
        after = await scanner.scan(timeout_seconds=20)
        still = role(old)

    assert "yesterday" in before.queues.names
    assert "today" in after.queues.names
    assert "master" == still


async def test_scans_go_on_without_sentinel(pair: Watched, tmp_path: Path) -> None:
    """Who is connected needs no Sentinel; who is not says which of them was asked in vain."""
    settings = settings_of(pair, tmp_path)
    async with scanner_of(settings) as scanner:
        await scanner.scan(timeout_seconds=20)
        pair.sentinel.kill()
        connected = await scanner.scan(timeout_seconds=20)
        await scanner.close()
        alone = await scanner.scan(timeout_seconds=20)

    assert connected.up
    assert not alone.up
    assert f"no Sentinel helps: 127.0.0.1:{pair.sentinel.port}" in alone.error


@pytest.mark.parametrize(
    ("url", "flags", "sentence"),
    [
        ("127.0.0.1:{port}?master=asynq", {}, "Authentication required"),
        (":wrong@127.0.0.1:{port}?master=asynq", {}, "invalid username-password pair"),
        (":of-sentinel@127.0.0.1:{port}?master=other", {}, "watches no master 'other'"),
        ("127.0.0.1:{port}?master=asynq", {"redis.sentinel.password-file": "word"}, ""),
        ("127.0.0.1:1,127.0.0.1:{port}?master=asynq", {"redis.sentinel.password-file": "word"}, ""),
        ("127.0.0.1:{port}?master=asynq", {"redis.sentinel.password-file": "word", "redis.db": "3"}, ""),
        (
            "127.0.0.1:{port}?master=asynq",
            {"redis.sentinel.password-file": "word", "redis.sentinel.username": "scout"},
            "",
        ),
    ],
    ids=["no password", "wrong password", "unknown master", "from a file", "second one", "database", "user"],
)
async def test_ways_to_sentinel(
    pair: Watched, tmp_path: Path, url: str, flags: dict[str, str], sentence: str
) -> None:
    """Its credentials are its own; what it answers is said; one that is away is passed over."""
    (tmp_path / "word").write_text("of-sentinel")
    with pair.sentinel.client() as client:
        client.execute_command("ACL", "SETUSER", "scout", "on", ">of-sentinel", *SENTINEL_RULES.split())
    flags = {k: str(tmp_path / v) if k.endswith("file") else v for k, v in flags.items()}
    flags = {"redis.password-file": str(tmp_path / "redis"), **flags}
    (tmp_path / "redis").write_text("of-redis")
    full = "redis-sentinel://" + url.format(port=pair.sentinel.port)
    settings = resolve(flags={"redis.url": [full]} | {k: [v] for k, v in flags.items()}).settings
    async with scanner_of(settings) as scanner:
        snapshot = await scanner.scan(timeout_seconds=20)

    assert sentence in snapshot.error
    assert (not sentence) is snapshot.up, snapshot.error
    told = snapshot.error + connect.safe_url(settings) + repr(settings)
    assert [] == [word for word in ("of-sentinel", "of-redis", "wrong@") if word in told]


async def test_replica_is_read(pair: Watched, tmp_path: Path) -> None:
    """With read-from=replica the master is asked nothing; without a replica it serves."""
    settings = settings_of(pair, tmp_path, redis_read__from="replica")
    async with scanner_of(settings) as scanner:
        mark(pair.master(), "here")
        first = await scanner.scan(timeout_seconds=20)
        replica = next(node for node in pair.nodes if node is not pair.master())
        replica.kill()
        wait_until(lambda: not pair.sentinel.healthy_replicas(), what="it is missed", seconds=60)
        second = await scanner.scan(timeout_seconds=20)

    assert ["slave", "master"] == [s.redis.role for s in (first, second) if s.redis]
    assert "here" in first.queues.names


async def test_core_works_through_sentinel(pair: Watched, tmp_path: Path) -> None:
    """Client and Inspector get a client that finds the master, after a failover too."""
    redis = connect.make_redis(settings_of(pair, tmp_path))
    await Client(redis).enqueue(Task("first", b"{}"))
    with pair.master().client() as client:
        client.wait(1, 10_000)
    fail_over(pair, "kill")
    found: list[int] = []
    async with asyncio.timeout(60):
        while not found:
            try:
                await Client(redis).enqueue(Task("second", b"{}"))
                found.append((await Inspector(redis).queue_info("default")).size)
            except UnavailableError:  # its connection broke; the next one finds the new master
                await asyncio.sleep(0.1)
    await redis.aclose()

    assert [2] == found
