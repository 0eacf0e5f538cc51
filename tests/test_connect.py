"""Connections to a real Redis in every way the settings allow."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
import redis
import trustme

from asynq_exporter import connect
from asynq_exporter.core import catalog, keys
from asynq_exporter.scan.scanner import Scanner
from asynq_exporter.scan.snapshot import Snapshot
from asynq_exporter.settings import Settings, SettingsError, resolve
from tests.certificates import issue, need_tls, server_options
from tests.conftest import RedisServer, free_port, start_redis, wait_until
from tests.interop.serving import COMMAND
from tests.processes import running


async def scan(settings: Settings) -> Snapshot:
    """One scan by the settings."""
    client = connect.make_redis(settings)
    scanner = Scanner(client, catalog.documented())
    snapshot = await scanner.scan(timeout_seconds=5)
    await scanner.close()
    await client.aclose()
    return snapshot


def settings_of(**flags: str) -> Settings:
    """Settings from flags, written with underscores for dots and two of them for dashes."""
    return resolve(flags={k.replace("__", "-").replace("_", "."): [v] for k, v in flags.items()}).settings


async def test_tcp_unix_socket_and_database(redis_server: RedisServer) -> None:
    """Host and port, a socket, and the database by URL or flag."""
    with redis.Redis(port=redis_server.port, db=3) as client:
        client.flushall()
        client.sadd(keys.QUEUES, "third")
    socket = f"unix://{redis_server.socket_path}"

    first = await scan(settings_of(redis_url=redis_server.url))
    by_url = await scan(settings_of(redis_url=f"{socket}?db=3"))
    by_flag = await scan(settings_of(redis_url=redis_server.url, redis_db="3"))

    assert (True, True, True) == (first.up, by_url.up, by_flag.up)
    assert ["third" in s.queues.names for s in (first, by_url, by_flag)] == [False, True, True]


async def test_password_file_is_read_for_each_connection(own_redis: RedisServer, tmp_path: Path) -> None:
    """An ACL user signs in; a rotated password is taken up without a restart, a wrong one is said so."""
    file = tmp_path / "password"
    file.write_text("first\n")
    with own_redis.client() as admin:
        admin.execute_command("ACL", "SETUSER", "exporter", "on", ">first", "+@all", "~*")
    settings = settings_of(redis_url=own_redis.url, redis_username="exporter", redis_password__file=str(file))
    client = connect.make_redis(settings)
    scanner = Scanner(client, catalog.documented())
    before = await scanner.scan(timeout_seconds=5)
    with own_redis.client() as admin:
        admin.execute_command("ACL", "SETUSER", "exporter", "resetpass", ">second")
        admin.execute_command("CLIENT", "KILL", "USER", "exporter")
    wrong = await scanner.scan(timeout_seconds=5)
    file.write_text("second\n")
    after = await scanner.scan(timeout_seconds=5)
    file.unlink()
    await scanner.close()
    gone = await scanner.scan(timeout_seconds=5)
    await client.aclose()

    assert (True, False, True, False) == (before.up, wrong.up, after.up, gone.up)
    assert "invalid username-password pair" in wrong.error
    assert "--redis.password-file" in gone.error
    assert "first" not in wrong.error


@pytest.fixture
def tls_redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A Redis that speaks TLS with those who show a signed certificate; its port."""
    monkeypatch.setenv("PATH", need_tls(), prepend=os.pathsep)
    issue(trustme.CA(), tmp_path)
    port = free_port()
    server = start_redis(tmp_path, *server_options(tmp_path, port))
    yield port
    server.kill()


async def test_tls_verifies_both_sides(tls_redis: int, tmp_path: Path) -> None:
    """Authority, name and own certificate must fit; only the one flag switches verification off."""
    url = f"rediss://127.0.0.1:{tls_redis}/0"
    ca = {"redis_tls_ca__file": str(tmp_path / "ca.pem")}
    own = {
        "redis_tls_cert__file": str(tmp_path / "client.pem"),
        "redis_tls_key__file": str(tmp_path / "client.key"),
    }
    name = {"redis_tls_server__name": "redis.internal"}
    skip = {"redis_tls_insecure__skip__verify": "true"}

    good = await scan(settings_of(redis_url=url, **ca, **own, **name))
    wrong_name = await scan(settings_of(redis_url=url, **ca, **own))
    no_certificate = await scan(settings_of(redis_url=url, **ca, **name))
    unknown_authority = await scan(settings_of(redis_url=url, **own, **name))
    skipped = await scan(settings_of(redis_url=url, **own, **skip))
    plain = await scan(settings_of(redis_url=f"redis://127.0.0.1:{tls_redis}/0"))

    assert [True, False, False, False, True, False] == [
        s.up for s in (good, wrong_name, no_certificate, unknown_authority, skipped, plain)
    ]


async def test_tls_files_are_read_anew(tls_redis: int, tmp_path: Path) -> None:
    """A file that vanishes, changes and returns costs the scans between, with a word why, and no restart."""
    settings = settings_of(
        redis_url=f"rediss://127.0.0.1:{tls_redis}/0",
        redis_tls_ca__file=str(tmp_path / "ca.pem"),
        redis_tls_cert__file=str(tmp_path / "client.pem"),
        redis_tls_key__file=str(tmp_path / "client.key"),
        redis_tls_server__name="redis.internal",
    )
    client = connect.make_redis(settings)
    scanner = Scanner(client, catalog.documented())
    found = [await scanner.scan(timeout_seconds=5)]
    file, good = tmp_path / "ca.pem", (tmp_path / "ca.pem").read_bytes()
    for content in (None, trustme.CA().cert_pem.bytes(), good):
        if content is None:
            file.unlink()
        else:
            file.write_bytes(content)
        await scanner.close()
        await client.connection_pool.disconnect()
        found.append(await scanner.scan(timeout_seconds=5))
    await scanner.close()
    await client.aclose()

    assert [True, False, False, True] == [snapshot.up for snapshot in found]
    assert "--redis.tls.ca-file: cannot read" in found[1].error
    assert "certificate verify failed" in found[2].error


@pytest.mark.parametrize(("password", "up"), [("hunter2", 1), ("hunter3", 0)])
def test_no_secret_shows_anywhere(
    own_redis: RedisServer, tmp_path: Path, password: str, up: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither pages nor log tell the password, right or wrong."""
    with own_redis.client() as admin:
        admin.config_set("requirepass", "hunter2")
    monkeypatch.setenv("ASYNQ_REDIS_PASSWORD", password)
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    command = [*COMMAND, f"--web.listen-address=127.0.0.1:{port}", f"--redis.url={own_redis.url}"]
    with running([*command, "--log.level=debug"], tmp_path / "log"):
        wait_until(lambda: page(f"{base}/-/healthy"), what="it serves")
        told = [page(f"{base}{path}") for path in ("/metrics", "/metrics/upstream", "/", "/-/ready")]
    told.append((tmp_path / "log").read_text())

    assert f"asynq_up {up}.0" in told[0]
    assert ("invalid" in told[-1]) == (not up)
    assert "hunter" not in "".join(told)


def page(url: str) -> str:
    """The text of a page, whatever its status; empty while nobody listens."""
    try:
        with urlopen(url, timeout=10) as answer:
            return str(answer.read().decode())
    except HTTPError as refusal:
        with refusal:
            return refusal.read().decode()
    except URLError:
        return ""


@pytest.mark.parametrize("content", ["", "x" * 100_000], ids=["empty", "large"])
def test_useless_password_file_is_refused(tmp_path: Path, content: str) -> None:
    """At the start, not at the first scan."""
    (tmp_path / "password").write_text(content)

    with pytest.raises(SettingsError, match=r"--redis\.password-file"):
        connect.make_redis(settings_of(redis_password__file=str(tmp_path / "password")))


def test_safe_url_holds_no_secret() -> None:
    """What logs and pages show: the place and the effective database."""
    settings = settings_of(redis_url="redis://anna:hunter2@host:7/1", redis_db="4")

    assert "redis://***@host:7/4" == connect.safe_url(settings)
