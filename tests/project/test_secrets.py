"""Secrets of a running exporter: in no page, no log line, no repr, no process list."""

import base64
import socket
import ssl
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import psutil
import pytest
import redis
import trustme

from asynq_exporter import connect
from asynq_exporter.settings import config_file, resolve
from asynq_exporter.web import web_config
from tests.conftest import RedisServer, free_port, wait_until
from tests.interop.serving import COMMAND

REDIS_PASSWORD = "hunter2-of-the-redis"
WEB_PASSWORD = "hunter2-of-the-pages"
SECRETS = (REDIS_PASSWORD, WEB_PASSWORD)

#: Of pages that there are, of one that there is not, and of requests that are refused.
PATHS = (
    "/metrics",
    "/metrics/upstream",
    "/",
    "/?lang=zh",
    "/-/ready",
    "/-/healthy",
    "/none",
    "/metrics?name[]=%00",
)


@dataclass(frozen=True, slots=True)
class Running:
    """An exporter that serves."""

    process: psutil.Process
    port: int
    log: Path
    tls: ssl.SSLContext | None = None

    def page(self, path: str, *, authorization: str = "") -> str:
        """Head and body of an answer, whatever its status; empty while nobody listens."""
        url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{path}"
        headers = {"Authorization": authorization} if authorization else {}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, headers=headers), timeout=30, context=self.tls
            ) as answer:
                return f"{answer.headers}{answer.read().decode()}"
        except urllib.error.HTTPError as refusal:
            with refusal:
                return f"{refusal.headers}{refusal.read().decode()}"
        except OSError:
            return ""

    def told(self, *, authorization: str = "") -> str:
        """All that it lets anybody see: pages, log, and what `ps` shows."""
        parts = [self.page(path, authorization=authorization) for path in PATHS]
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.sendall(f"nonsense {REDIS_PASSWORD}\r\n\r\n".encode())
        parts += [" ".join(self.process.cmdline()), self.process.name()]
        return "\n".join([*parts, self.log.read_text("utf-8")])


@contextmanager
def exporter(
    folder: Path,
    *flags: str,
    environment: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Running]:
    """Runs `serve` with every log line that there is."""
    port, log = free_port(), folder / "log"
    command = [*COMMAND, f"--web.listen-address=127.0.0.1:{port}", "--log.level=debug", *flags]
    with log.open("wb") as output, subprocess.Popen(command, stderr=output, env=environment or {}) as process:
        running = Running(psutil.Process(process.pid), port, log, tls)
        try:
            wait_until(lambda: process.poll() is not None or running.page("/-/healthy"), what="it serves")
            assert process.poll() is None, log.read_text()
            yield running
            process.terminate()
            assert 0 == process.wait(60)
        finally:
            process.kill()


def origin(name: str, folder: Path, server: RedisServer) -> tuple[Sequence[str], dict[str, str]]:
    """Flags and environment that hand over the password in one of the ways."""
    address = f"127.0.0.1:{server.port}/0"
    (folder / "password").write_text(f"{REDIS_PASSWORD}\n")
    (folder / "config.yml").write_text(f"redis: {{url: 'redis://:{REDIS_PASSWORD}@{address}'}}\n")
    ways: dict[str, tuple[Sequence[str], dict[str, str]]] = {
        "file": ([f"--redis.url=redis://{address}", f"--redis.password-file={folder / 'password'}"], {}),
        "config file": ([f"--config.file={folder / 'config.yml'}"], {}),
        "variable": ([f"--redis.url=redis://{address}"], {"ASYNQ_REDIS_PASSWORD": REDIS_PASSWORD}),
        "variable with a URL": ([], {"ASYNQ_REDIS_URL": f"redis://:{REDIS_PASSWORD}@{address}"}),
    }
    return ways[name]


@pytest.fixture
def locked_redis(own_redis: RedisServer) -> RedisServer:
    """A Redis that asks for the password."""
    with own_redis.client() as admin:
        admin.config_set("requirepass", REDIS_PASSWORD)
    return own_redis


@pytest.mark.parametrize("way", ["file", "config file", "variable", "variable with a URL"])
def test_password_shows_nowhere(locked_redis: RedisServer, tmp_path: Path, way: str) -> None:
    """Neither where it is right nor where it is wrong or Redis is gone; and no child inherits it."""
    flags, environment = origin(way, tmp_path, locked_redis)
    with exporter(tmp_path, *flags, environment=environment) as running:
        told = running.told()
        assert "\nasynq_up 1.0\n" in told
        with redis.Redis(port=locked_redis.port, password=REDIS_PASSWORD) as admin:
            admin.config_set("requirepass", "another")
            admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        told += running.told()
        locked_redis.kill()
        told += running.told()
        assert [] == running.process.children(recursive=True)
        environ = Path(f"/proc/{running.process.pid}/environ")
        # The variable itself only root and the same user can read.
        assert ("variable" in way) == (REDIS_PASSWORD.encode() in environ.read_bytes())
        assert not stat.S_IMODE(environ.stat().st_mode) & 0o077

    told += (tmp_path / "log").read_text()
    assert "asynq_up 0.0" in told
    assert REDIS_PASSWORD not in told


def test_password_in_a_flag_is_warned_of(locked_redis: RedisServer, tmp_path: Path) -> None:
    """Flags are public: the exporter cannot hide it, but says so without repeating it."""
    url = f"redis://:{REDIS_PASSWORD}@127.0.0.1:{locked_redis.port}/0"
    with exporter(tmp_path, f"--redis.url={url}"):
        log = (tmp_path / "log").read_text()

    assert "use a password file" in log
    assert REDIS_PASSWORD not in log


def test_credentials_of_visitors_and_key_show_nowhere(redis_server: RedisServer, tmp_path: Path) -> None:
    """What signs in, right or wrong, and the private key of TLS."""
    authority = trustme.CA()
    pair = authority.issue_cert("127.0.0.1")
    pair.private_key_pem.write_to_path(tmp_path / "key.pem")
    pair.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    hashed = bcrypt.hashpw(WEB_PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(
        "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n"
        f"basic_auth_users: {{anna: '{hashed}'}}\n"
    )
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    flags = (f"--redis.url={redis_server.url}", f"--web.config.file={tmp_path / 'web.yml'}")
    basic = {
        name: "Basic " + base64.b64encode(f"anna:{password}".encode()).decode()
        for name, password in (("right", WEB_PASSWORD), ("wrong", f"{WEB_PASSWORD}x"))
    }
    with exporter(tmp_path, *flags, tls=tls) as running:
        right = running.told(authorization=basic["right"])
        told = right + running.told(authorization=basic["wrong"])

    told += (tmp_path / "log").read_text()
    key_lines = (tmp_path / "key.pem").read_text().splitlines()[1:-1]
    assert "\nasynq_up 1.0\n" in right
    for secret in (*SECRETS, hashed, *key_lines, *basic.values()):
        assert secret not in told


def test_no_repr_tells(tmp_path: Path, redis_server: RedisServer) -> None:
    """Of settings, of what they are made of, and of the connection: tracebacks and debuggers print these."""
    hashed = bcrypt.hashpw(WEB_PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(f"basic_auth_users: {{anna: '{hashed}'}}\n")
    told = [repr(web_config.load(tmp_path / "web.yml"))]
    for way in ("file", "config file", "variable", "variable with a URL"):
        flags, environment = origin(way, tmp_path, redis_server)
        given = {flag.removeprefix("--").split("=", 1)[0]: [flag.split("=", 1)[1]] for flag in flags}
        file = config_file.load(tmp_path / "config.yml").options if "config.file" in given else {}
        resolved = resolve(flags=given, environment=environment, file=file)
        client = connect.make_redis(resolved.settings)
        told += map(repr, (file, resolved, resolved.settings.redis_url, client, client.connection_pool))

    assert REDIS_PASSWORD not in "".join(told)
    assert hashed not in "".join(told)


@pytest.mark.parametrize(
    "text",
    [
        f"redis: {{password: {REDIS_PASSWORD}}}\n",
        f"redis: {{url: 'http://:{REDIS_PASSWORD}@h'}}\n",
        f"redis: {{url: 'redis://:{REDIS_PASSWORD}@h:port'}}\n",
        f"redis:\n  url: redis://:{REDIS_PASSWORD}@h\n  url: redis://:{REDIS_PASSWORD}@h\n",
        f"redis: {{url: redis://:{REDIS_PASSWORD}@h\n",
        f"redis: !secret {REDIS_PASSWORD}\n",
        f"redis:\n\turl: redis://:{REDIS_PASSWORD}@h\n",
    ],
)
def test_refused_config_file_is_not_repeated(tmp_path: Path, text: str) -> None:
    """An error says where and what, never the password, wherever somebody has written it."""
    (tmp_path / "config.yml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "asynq_exporter", "config", "check", str(tmp_path / "config.yml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert 2 == done.returncode
    assert "config.yml:" in done.stderr
    assert REDIS_PASSWORD not in done.stdout + done.stderr
