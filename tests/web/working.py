"""A worker as users run it: a process of its own with a module of theirs."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis

from asynq_exporter.core import messages
from asynq_exporter.core.messages import ServerInfo
from tests.conftest import RedisServer, free_port, wait_until

COMMAND = [sys.executable, "-m", "asynq_exporter", "worker"]

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"

#: Nothing of the machine that runs the tests may change what a worker does.
ENVIRONMENT = {name: text for name, text in os.environ.items() if not name.startswith("ASYNQ_")}

STOP_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker process."""

    process: "subprocess.Popen[bytes]"
    url: str
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged so far, in JSON."""
        text = self.log.read_text("utf-8")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]

    def says(self, event: str, **fields: Any) -> dict[str, Any]:
        """Waits for a line that begins so and has these fields."""

        def found() -> dict[str, Any] | None:
            for line in self.lines():
                if line["event"].startswith(event) and fields.items() <= line.items():
                    return line
            return None

        return wait_until(found, what=f"the log says {event!r} with {fields}") or {}

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as exc:
            return exc.code, exc.read().decode()

    def record(self, redis: Redis) -> ServerInfo | None:
        """Its record in Redis; None where there is none."""
        for name in redis.scan_iter("asynq:servers:*"):
            data: Any = redis.get(name)
            if data and (info := messages.decode_server(data)).pid == self.process.pid:
                return info
        return None

    def end(self) -> int:
        """Ends it by SIGTERM; its exit code."""
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)


@contextmanager
def working(
    redis: RedisServer, folder: Path, *flags: str, target: str = "tasks:mux", form: str = "json", **env: str
) -> Iterator[Worker]:
    """A worker with a module of a folder, once it answers; ended in order unless the test did so."""
    port = free_port()
    log = folder / f"worker-{port}.log"
    argv = [*COMMAND, target, f"--worker.listen-address=127.0.0.1:{port}", f"--log.format={form}", *flags]
    if not any(flag.startswith("--redis.url") for flag in flags):
        argv.append(f"--redis.url={redis.url}")
    with (
        log.open("wb") as output,
        subprocess.Popen(argv, stderr=output, cwd=folder, env=ENVIRONMENT | env) as process,
    ):
        worker = Worker(process=process, url=f"http://127.0.0.1:{port}", log=log)
        try:
            wait_until(lambda: _answers(worker), what="the worker answers")
            yield worker
            if process.poll() is None:
                assert worker.end() == 0, log.read_text("utf-8")
        finally:
            process.kill()


def _answers(worker: Worker) -> bool:
    assert worker.process.poll() is None, worker.log.read_text("utf-8")
    try:
        return worker.get("/-/healthy")[0] == 200
    except OSError:  # nobody listens yet, or a page behind TLS
        return "Working" in worker.log.read_text("utf-8")
