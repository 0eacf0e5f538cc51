"""The command as users meet it: output, exit codes, languages, a Redis that is away or says no."""

import json
import os
import pty
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonschema_rs
import pytest
from redis.asyncio import Redis

from asynq_exporter.doctor import document
from asynq_exporter.doctor.checks import NAMES
from tests.conftest import RedisServer, free_port
from tests.doctor import living
from tests.doctor.test_reading import _breaker, _dead, _groups, _paused, _schedulers
from tests.test_cli import ENVIRONMENT, assert_one_line

ROOT = Path(__file__).parents[2]

#: What the doctor needs beyond the exporter, as users find it.
(RULES,) = re.findall(
    r"^ACL SETUSER doctor on >PASSWORD (.+)$", (ROOT / "docs/doctor.md").read_text("utf-8"), re.MULTILINE
)


async def test_exit_code_is_the_worst_severity(redis_client: Redis, redis_server: RedisServer) -> None:
    """0 for remarks, 10 for warnings, 20 for what is critical."""
    await living.worker(redis_client)
    await living.scheduler(redis_client, "one")
    await living.broker(redis_client).pause("low")
    remark = living.run(redis_server.url, "--seconds=0", "--only=queue-paused")
    warning = living.run(redis_server.url, "--seconds=0")
    await redis_client.delete("asynq:servers")
    critical = living.run(redis_server.url, "--seconds=0")

    assert (0, 10, 20) == (remark.returncode, warning.returncode, critical.returncode)
    assert "" == remark.stderr + warning.stderr + critical.stderr
    assert (
        critical.stdout.index("CRITICAL") < critical.stdout.index("WARNING") < critical.stdout.index("INFO")
    )
    assert re.fullmatch(
        r"1 critical, 1 warning, 1 info; 33 of 37 checks fine, 1 not possible",
        critical.stdout.splitlines()[-1],
    )


async def test_report_is_plain_unless_on_a_terminal(redis_client: Redis, redis_server: RedisServer) -> None:
    """No escape in a pipe; colour on a terminal; none there either with NO_COLOR."""
    await _paused(redis_client)
    command = [
        *(sys.executable, "-m", "asynq_exporter", "doctor"),
        *(f"--redis.url={redis_server.url}", "--seconds=0", "--lang=en"),
    ]

    def on_terminal(**environment: str) -> str:
        master, slave = pty.openpty()
        with subprocess.Popen(
            command, stdout=slave, env={**ENVIRONMENT, "TERM": "xterm", **environment}
        ) as process:
            os.close(slave)
            chunks = []
            while True:
                try:
                    chunk = os.read(master, 65536)
                except OSError:  # the other end is closed
                    break
                if not chunk:
                    break
                chunks.append(chunk)
            process.wait(60)
        os.close(master)
        return b"".join(chunks).decode()

    assert "\x1b" not in living.run(redis_server.url, "--seconds=0").stdout
    assert "\x1b[1;33mWARNING" in on_terminal(NO_COLOR="")
    assert "\x1b" not in on_terminal(NO_COLOR="1")
    assert "\x1b" not in on_terminal(TERM="dumb", NO_COLOR="")


@pytest.mark.parametrize(
    ("flags", "environment", "word"),
    [
        (["--lang=zh"], {"LANG": "en_US.UTF-8"}, "严重"),
        ([], {"LANG": "zh_CN.UTF-8"}, "严重"),
        ([], {"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "CRITICAL"),
        ([], {"LANG": "de_DE.UTF-8"}, "CRITICAL"),
        (["--lang=en"], {"LANG": "zh_CN.UTF-8"}, "CRITICAL"),
    ],
)
def test_language(flags: list[str], environment: dict[str, str], word: str) -> None:
    """As asked, else as the locale has it, else English."""
    done = living.run("redis://127.0.0.1:1/0", *flags, **environment)

    assert word in done.stdout


def test_terminal_without_chinese_characters() -> None:
    """Question marks rather than a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "asynq_exporter", "doctor", "--redis.url=redis://127.0.0.1:1/0", "--lang=zh"],
        capture_output=True,
        check=False,
        timeout=60,
        env=ENVIRONMENT | {"PYTHONIOENCODING": "latin-1"},
    )

    assert (20, b"") == (done.returncode, done.stderr)
    assert b"Redis ????" in done.stdout


def test_list_names_every_check() -> None:
    """Without a look at Redis, in either language."""
    english, chinese = living.run("redis://h:1", "--list"), living.run("redis://h:1", "--list", "--lang=zh")

    assert list(NAMES) == [line.split()[0] for line in english.stdout.splitlines()]
    assert list(NAMES) == [line.split()[0] for line in chinese.stdout.splitlines()]
    assert 0 == english.returncode


async def test_only_some_checks(redis_client: Redis, redis_server: RedisServer) -> None:
    """Those and no others."""
    await _paused(redis_client)
    done = living.run(redis_server.url, "--json", "--seconds=0", "--only=queue-paused", "--only=task-dead")

    assert {"queue-paused.waiting"} == set(living.report(done))
    assert ["queue-paused", "task-dead"] == [check["check"] for check in json.loads(done.stdout)["checks"]]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--only=queue-pause"], ["queue-pause", "queue-paused", "--list"]),
        (["--seconds=-1"], ["--seconds"]),
        (["--seconds=soon"], ["--seconds"]),
        (["--lang=de"], ["--lang", "zh"]),
        (["--web.listen-address=:1"], ["--web.listen-address"]),
        (["--redis.password-file=/missing"], ["--redis.password-file", "/missing"]),
        (["surplus"], ["surplus"]),
    ],
)
def test_bad_usage_is_one_line(flags: list[str], words: list[str]) -> None:
    """Exit code 2, which no finding has."""
    assert_one_line(living.run("redis://127.0.0.1:1/0", *flags), 2, *words)


@contextmanager
def deaf() -> Iterator[int]:
    """A port where connections are taken and nothing is ever said."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_redis_that_is_not_there(form: list[str]) -> None:
    """A finding, not a traceback."""
    done = living.run(f"redis://127.0.0.1:{free_port()}/0", *form)

    assert (20, "") == (done.returncode, done.stderr)
    assert "refuses the connection" in done.stdout


def test_redis_that_says_nothing() -> None:
    """Ends when its time is over."""
    with deaf() as port:
        done = living.run(f"redis://127.0.0.1:{port}/0", "--json", "--scan.timeout=1s")

    assert {"redis-reachable.silent"} == set(living.report(done))


def test_redis_without_tls() -> None:
    """What answers there is not TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"-ERR unknown command\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        done = living.run(f"rediss://127.0.0.1:{listener.getsockname()[1]}/0", "--json", "--scan.timeout=10s")

    assert {"redis-reachable.tls"} == set(living.report(done))


def test_redis_that_is_frozen(own_redis: RedisServer) -> None:
    """A process that stands still, as on a machine that swaps."""
    own_redis.hang()
    try:
        done = living.run(own_redis.url, "--json", "--scan.timeout=1s", "--redis.connect-timeout=1s")
    finally:
        own_redis.resume()

    assert {"redis-reachable.silent"} == set(living.report(done))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://no-such-host.invalid:6379/0", "name"),
        ("unix:///no/such/redis.sock", "socket"),
        ("redis://127.0.0.1:{port}/5000", "database"),
        ("redis://anna:hunter2@127.0.0.1:{port}/0", "authentication"),
    ],
)
def test_redis_that_says_no(redis_server: RedisServer, url: str, message: str) -> None:
    """Each refusal is called by its name, and no password is repeated."""
    done = living.run(url.format(port=redis_server.port), "--json", "--scan.timeout=5s")

    assert {f"redis-reachable.{message}"} == set(living.report(done))
    assert "hunter2" not in done.stdout


def test_password_that_is_missing(tmp_path: Path, own_redis: RedisServer) -> None:
    """Redis wants one; a file has it."""
    with own_redis.client() as admin:
        admin.config_set("requirepass", "hunter2")
    (tmp_path / "password").write_text("hunter2\n")
    without = living.run(own_redis.url, "--json", "--seconds=0")
    having = living.run(own_redis.url, "--json", "--seconds=0", f"--redis.password-file={tmp_path}/password")

    assert {"redis-reachable.authentication"} == set(living.report(without))
    assert "workers-alive.none" in living.report(having)
    assert "hunter2" not in without.stdout + having.stdout


async def test_published_rules_are_enough(tmp_path: Path, own_redis: RedisServer) -> None:
    """A user with the rules of docs/doctor.md sees all; of all it sends, CONFIG GET alone is refused."""
    client = own_redis.async_client()
    await _dead(client)
    await _groups(client)
    await _schedulers(client)
    await _breaker(client)
    await living.worker(client, tasks=[living.running("x", started=living.now() - 100, timeout=60)])
    with own_redis.client() as admin:
        admin.execute_command("ACL", "SETUSER", "doctor", "on", ">secret", *RULES.split())
    (tmp_path / "password").write_text("secret")
    flags = ["--redis.username=doctor", f"--redis.password-file={tmp_path}/password"]

    done = living.run(own_redis.url, "--json", "--seconds=0.1", *flags)
    log = await client.acl_log()
    await client.aclose()

    found = living.report(done)
    assert {
        "task-dead.growing",
        "task-groups.idle",
        "scheduler-duplicates.twice",
        "breakers.open",
        "task-long-running.over_timeout",
    } <= set(found)
    assert "redis-permissions.denied" not in found
    assert ["config|get"] == [entry["object"] for entry in log]
    # So it cannot be told whether a young Redis without AOF writes files.
    assert [] == [c for c in json.loads(done.stdout)["checks"] if c["status"] == "skipped"]


async def test_rules_of_the_exporter_show_less(own_redis: RedisServer, tmp_path: Path) -> None:
    """The numbers are there, what could not be looked into is named, and so is the remedy."""
    from tests.project.acl import READ_ONLY_RULES

    client = own_redis.async_client()
    await _dead(client)
    await living.worker(client)
    await client.aclose()
    with own_redis.client() as admin:
        admin.execute_command("ACL", "SETUSER", "exporter", "on", ">secret", *READ_ONLY_RULES.split())
    (tmp_path / "password").write_text("secret")
    done = living.run(
        own_redis.url,
        *("--json", "--seconds=0", "--redis.username=exporter", f"--redis.password-file={tmp_path}/password"),
    )

    found = living.report(done)
    assert 12 == found["task-dead.growing"]["values"]["archived"]
    assert [] == found["task-dead.growing"]["errors"]
    assert "docs/doctor.md" in found["redis-permissions.denied"]["remedies"][0]["text"]
    skipped = {c["check"] for c in json.loads(done.stdout)["checks"] if c["status"] == "skipped"}
    assert {"data-tasks", "workers-clocks", "redis-persistence"} <= skipped


async def test_payloads_and_secrets_stay_where_they_are(
    redis_client: Redis, redis_server: RedisServer
) -> None:
    """Neither form of the report holds a payload or a password that an error repeats."""
    await living.enqueue(redis_client, 12)
    by = living.broker(redis_client)
    for _ in range(12):
        delivery = await by.dequeue(["default"])
        assert delivery is not None
        await by.archive(delivery.message, error="GET https://u:hunter2@api/?token=hunter2 failed")
    both = [living.run(redis_server.url, "--seconds=0", *form).stdout for form in ([], ["--json"])]

    for text in both:
        assert "GET https://***@api/?token=*** failed" in text
        assert "hunter2" not in text
        assert "SECRET-PAYLOAD" not in text


async def test_json_of_a_real_run_keeps_its_schema(redis_client: Redis, redis_server: RedisServer) -> None:
    """As everywhere, and documented where users look for it."""
    await _dead(redis_client)
    made = json.loads(living.run(redis_server.url, "--json", "--seconds=0.1").stdout)

    jsonschema_rs.validator_for(document.schema()).validate(made)
    assert made["redis"] == f"redis://127.0.0.1:{redis_server.port}/0"
    assert 0.1 <= made["seconds_between_scans"]


@pytest.mark.parametrize("page", ["doctor.md", "doctor.zh-CN.md"])
def test_page_tells_all(page: str) -> None:
    """Every check, every field of the document, the exit codes."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    schema = document.schema()
    fields = {*schema["properties"], *(f for d in schema["$defs"].values() for f in d.get("properties", ()))}

    assert [] == [name for name in NAMES if f"`{name}`" not in text]
    assert [] == [name for name in sorted(fields) if f"`{name}`" not in text]
    for code in ("`0`", "`10`", "`20`", "`1`", "`2`"):
        assert code in text
