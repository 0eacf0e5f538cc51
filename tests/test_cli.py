"""The command line as users meet it: a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import trustme

from asynq_exporter import __version__
from asynq_exporter.cli import main, program
from asynq_exporter.cli.configured import configure
from asynq_exporter.cli.options import OF_POLL, OF_RECORDS, OF_SERVE, OF_THE_DEMO, OF_THE_WORKER
from asynq_exporter.settings import OPTIONS, SettingsError
from tests.conftest import RedisServer, free_port, wait_until
from tests.interop.serving import serve

COMMAND = [sys.executable, "-m", "asynq_exporter"]

#: Nothing of the machine that runs the tests may change what a command does.
ENVIRONMENT = {name: text for name, text in os.environ.items() if not name.startswith("ASYNQ_")}


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A command that ended."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=ENVIRONMENT | environment,
    )


@contextmanager
def occupied() -> Iterator[socket.socket]:
    """A port that somebody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock


def assert_one_line(done: "subprocess.CompletedProcess[str]", code: int, *words: str) -> None:
    """The command failed as it should: one line that says what, and no traceback."""
    lines = done.stderr.splitlines()
    assert (code, 1) == (done.returncode, len(lines)), done.stderr
    assert lines[0].startswith("asynq-exporter: error: ")
    for word in words:
        assert word in lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--redis.urll", "x"], ["--redis.urll", "--redis.url", "serve --help"]),
        (["servee"], ["servee", "--help"]),
        (["serve", "surplus"], ["surplus"]),
        (["serve", "--redis.url"], ["--redis.url", "argument"]),
        (["serve", "--redis.url", "localhost"], ["--redis.url", "redis://host:6379/0"]),
        (["serve", "--web.listen-address", "99999"], ["--web.listen-address", ":9876"]),
        (
            ["serve", "--redis.password-file", "/missing"],
            ["--redis.password-file", "/missing", "No such file"],
        ),
        (["serve", "--redis.password-file", "/"], ["--redis.password-file", "Is a directory"]),
        (
            ["serve", "--redis.url=rediss://h", "--redis.tls.ca-file", __file__],
            ["--redis.tls.ca-file", "PEM"],
        ),
        (["serve", "--config.file", "/missing"], ["/missing", "No such file"]),
        (["serve", "--web.config.file", "/missing"], ["/missing", "No such file"]),
        (["demo", "--scenario", "nothing"], ["nothing", "backlog", "no-workers"]),
        (["config", "check", "/missing"], ["/missing"]),
    ],
)
def test_bad_input_is_one_clear_line(arguments: list[str], words: list[str]) -> None:
    """Exit code 2, one line that names the thing and the remedy, never a traceback."""
    assert_one_line(run(*arguments), 2, *words)


def test_secret_in_the_wrong_place_is_masked() -> None:
    """A URL without its flag is refused without being repeated; escapes do not reach the terminal."""
    done = run("serve", "redis://anna:hunter2@host", "\x1b[31m")

    assert_one_line(done, 2, "redis://***@host")
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize("flag", ["--config.file", "--web.config.file", "--redis.password-file"])
def test_pipe_is_refused(tmp_path: Path, flag: str) -> None:
    """The exporter does not wait for somebody to write into it."""
    os.mkfifo(tmp_path / "pipe")

    assert_one_line(run("serve", flag, str(tmp_path / "pipe")), 2, str(tmp_path / "pipe"), "pipe")


@pytest.mark.parametrize("command", [["serve", "--help"], ["config", "check"]])
def test_output_that_cannot_be_written(command: list[str]) -> None:
    """A full disk is one line, a reader that has had enough none."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *command], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    reader, writer = os.pipe()
    os.close(reader)
    unread = subprocess.run([*COMMAND, *command], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)

    assert_one_line(done, 1, "No space left")
    assert b"" == unread.stderr


@pytest.mark.parametrize("kind", ["config", "web.config"])
def test_bad_file_is_named_by_line_and_field(tmp_path: Path, kind: str) -> None:
    """A mistake in a file is found where it is."""
    text = {"config": "queues:\n  max: many\n", "web.config": "basic_auth_users:\n  anna: plain\n"}[kind]
    field = {"config": "queues.max", "web.config": "basic_auth_users.anna"}[kind]
    path = tmp_path / "file.yml"
    path.write_text(text)

    assert_one_line(run("serve", f"--{kind}.file={path}"), 2, f"{path}:2: {field}: ")


def test_bad_variable_is_named() -> None:
    """The environment is an origin like any other."""
    assert_one_line(run("serve", ASYNQ_REDIS_DB="first"), 2, "ASYNQ_REDIS_DB", "first")


@pytest.mark.parametrize(
    ("command", "flag"),
    [(["serve"], "--web.listen-address"), (["worker", "asyncio:sleep"], "--worker.listen-address")],
)
def test_port_in_use_is_a_failed_start(command: list[str], flag: str) -> None:
    """Exit code 1, the address, and what to do."""
    with occupied() as sock:
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        done = run(*command, f"{flag}={address}", "--redis.url=redis://127.0.0.1:1/0")

    assert_one_line(done, 1, address, f"another program listens there; stop it or choose another {flag}")


#: Commands and the options that their help shows.
HELP = {
    "serve": OF_SERVE,
    "worker": OF_THE_WORKER,
    "poll": OF_POLL,
    "migrate": OF_RECORDS,
}


@pytest.mark.parametrize(
    "command",
    [["--help"], *([name, "-h"] for name in (*HELP, "demo", "records")), ["config", "check", "-h"]],
)
def test_help_is_complete_and_narrow(command: list[str]) -> None:
    """Every flag with its environment name, in 80 columns."""
    done = run(*command, COLUMNS="80")

    assert 0 == done.returncode
    assert max(map(len, done.stdout.splitlines())) <= 80
    if shown := HELP.get(command[0]):
        text = " ".join(done.stdout.split()).replace("- ", "-")
        for option in shown:
            assert (option.flag or option.environment) in text
            assert option.environment in done.stdout
    if command[0] == "demo":
        assert "dead-letter-flood" in done.stdout
    assert {*OPTIONS.values()} == {*OF_SERVE, *OF_THE_WORKER, *OF_POLL}


def test_version_is_told() -> None:
    """--version names program and version."""
    assert f"asynq-exporter, version {__version__}\n" == run("--version").stdout


def test_nothing_asked_shows_help() -> None:
    """Without a command the help is shown."""
    done = run()

    assert "serve" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_config_check_tells_origins_and_masks_secrets(tmp_path: Path) -> None:
    """Every value with its origin; passwords as stars."""
    path = tmp_path / "config.yml"
    path.write_text("redis:\n  url: redis://anna:hunter2@h/1\nqueues:\n  profiles: {mine: {capacity: 5}}\n")

    done = run(
        "config", "check", str(path), "--queues.max=7", ASYNQ_LOG_LEVEL="warn", ASYNQ_REDIS_PASSWORD="pw2"
    )

    assert 0 == done.returncode
    assert f"redis://***@h:6379/1  ({path}:2: redis.url)" in done.stdout
    for piece in ("7  (--queues.max)", "warn  (ASYNQ_LOG_LEVEL)", "logfmt  (default)", "capacity=5"):
        assert piece in done.stdout
    assert "hunter2" not in done.stdout
    assert "pw2" not in done.stdout


def test_config_check_looks_at_targets(tmp_path: Path) -> None:
    """What is a target's own, with its origin and masked; a file that it lacks is an error with its name."""
    path = tmp_path / "config.yml"
    path.write_text("targets:\n  a:\n    redis: {url: redis://:hunter2@h, password-file: word}\n")
    lacking = run("config", "check", str(path))
    (tmp_path / "word").write_text("hunter3")

    done = run("config", "check", str(path), ASYNQ_TARGET_A_REDIS_PASSWORD="hunter4")

    assert_one_line(lacking, 2, "targets.a: --redis.password-file", "No such file")
    assert 0 == done.returncode
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert f"targets.a.redis.url redis://***@h:6379/0 ({path}:3: targets.a.redis.url)" in lines
    assert "targets.a.ASYNQ_REDIS_PASSWORD *** (ASYNQ_TARGET_A_REDIS_PASSWORD)" in lines
    assert "hunter" not in done.stdout


def test_config_check_tells_every_mistake(tmp_path: Path) -> None:
    """A line for each, in the order of the file."""
    path = tmp_path / "config.yml"
    path.write_text("redis:\n  urll: x\nqueues:\n  max: many\n  profiles: {mine: {}}\n")

    done = run("config", "check", ASYNQ_CONFIG_FILE=str(path))

    assert 2 == done.returncode
    assert [f"asynq-exporter: error: {path}:{line}: " for line in (2, 4, 5)] == [
        line[: line.index(": ", len(f"asynq-exporter: error: {path}")) + 2]
        for line in done.stderr.splitlines()
    ]


def test_config_check_looks_into_the_files_that_are_named(tmp_path: Path) -> None:
    """What `serve` would refuse is found before."""
    path = tmp_path / "web.yml"
    path.write_text("tls_server_config:\n  cert_file: missing.pem\n  key_file: missing.pem\n")

    done = run("config", "check", f"--web.config.file={path}")

    assert_one_line(done, 2, f"{path}:2: tls_server_config.cert_file", "No such file")


def test_demo_leaves_the_users_redis_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither variables nor a config file that are meant for `serve` reach the demo."""
    for name in ("ASYNQ_REDIS_URL", "ASYNQ_CONFIG_FILE", "ASYNQ_SCAN_TIMEOUT", "ASYNQ_WEB_CONFIG_FILE"):
        monkeypatch.setenv(name, "nonsense")
    monkeypatch.setenv("ASYNQ_LOG_LEVEL", "warn")

    resolved, _ = configure({}, of=OF_THE_DEMO)

    assert ("warn", None) == (resolved.settings.log_level, resolved.settings.web_config_file)
    with pytest.raises(SettingsError):
        configure({})


def test_tls_flag_goes_with_a_variable(tmp_path: Path) -> None:
    """The config file is found before the options are weighed against each other."""
    (tmp_path / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes())
    (tmp_path / "config.yml").write_text("log: {level: warn}\n")

    done = run(
        "config",
        "check",
        f"--redis.tls.ca-file={tmp_path / 'ca.pem'}",
        str(tmp_path / "config.yml"),
        ASYNQ_REDIS_URL="rediss://h",
    )

    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize(
    ("flag", "variable", "path"),
    [("/flag", "/variable", "/flag"), ("", "/variable", "/variable"), ("", "", "/file")],
)
def test_flag_beats_variable_beats_file(
    tmp_path: Path,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    flag: str,
    variable: str,
    path: str,
) -> None:
    """End to end, by the path that the metrics answer on."""
    (tmp_path / "config.yml").write_text("web: {telemetry-path: /file}\n")
    monkeypatch.setenv("ASYNQ_WEB_TELEMETRY_PATH", variable)
    flags = [f"--web.telemetry-path={flag}"] if flag else []

    with serve(redis_server, f"--config.file={tmp_path / 'config.yml'}", *flags) as url:
        assert "asynq_up 1.0" in _get(f"{url}{path}")


def test_interruption_before_serving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while modules load or a name is looked up ends as a shell expects it."""

    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "main", interrupted)

    with pytest.raises(SystemExit, match=r"^130$"):
        main()


def test_config_file_reaches_the_metrics(tmp_path: Path, redis_server: RedisServer) -> None:
    """Own queues show with their weight, capacity and thresholds instead of the documented six."""
    path = tmp_path / "config.yml"
    path.write_text(
        "queues:\n  profiles:\n    mine:\n      weight: 3\n      thresholds: {pending: {info: 7}}\n"
    )
    with serve(redis_server, f"--config.file={path}") as url:
        text = _get(f"{url}/metrics")

    assert 'asynq_queue_weight{queue="mine"} 3.0' in text
    assert 'asynq_queue_capacity{queue="mine"} 70.0' in text
    assert 'asynq_queue_threshold{level="info",queue="mine",state="pending"} 7.0' in text
    assert 'queue="critical"' not in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_in_order(redis_server: RedisServer, number: signal.Signals) -> None:
    """Exit code 0, the port is free again, and the log says it in lines that parse."""
    port = free_port()
    with subprocess.Popen(
        [
            *(*COMMAND, "serve", f"--web.listen-address=127.0.0.1:{port}"),
            *(f"--redis.url={redis_server.url}", "--log.format=json"),
        ],
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as process:
        wait_until(lambda: _serves(port), what="it serves")
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)

    events = [json.loads(line)["event"] for line in errors.splitlines()]
    assert 0 == process.returncode
    assert not _serves(port)
    assert {"Serving", "Stopping"} <= set(events)


@pytest.mark.parametrize("started_with", [0, 9])
def test_others_on_the_machine_go_first(redis_server: RedisServer, started_with: int) -> None:
    """The process steps back as far as it is told, and never forward."""
    port = free_port()
    with subprocess.Popen(
        [
            *("nice", "-n", str(started_with)),
            *(*COMMAND, "serve", f"--web.listen-address=127.0.0.1:{port}"),
            *(f"--redis.url={redis_server.url}", "--scan.nice=7"),
        ],
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    ) as process:
        wait_until(lambda: _serves(port), what="it serves")
        nice = psutil.Process(process.pid).nice()
        process.terminate()

    # `nice` counts from what this process has.
    assert nice == max(7, min(os.getpriority(os.PRIO_PROCESS, 0) + started_with, 19))


def _serves(port: int) -> bool:
    try:
        return bool(_get(f"http://127.0.0.1:{port}/-/healthy"))
    except OSError:
        return False


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
        return text
