"""The Go side: builds and runs `asynq-interop`, which is the real asynq behind a few subcommands."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from tests.conftest import RedisServer, need_tool
from tests.scan.topology.nodes import Nodes

SOURCE = Path(__file__).parent / "go"
BINARY = Path(__file__).parent / "bin" / "asynq-interop"

# A first build on a fresh machine downloads and compiles all modules.
BUILD_SECONDS = 900

# The program itself gives up after a minute, and then says what it waited for.
RUN_SECONDS = 90

Json = Any

#: Where Go may be sent.
Server = RedisServer | Nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveProcess:
    """A Go process with a server and perhaps a scheduler in it."""

    process: subprocess.Popen[str]

    def end(self) -> None:
        """Closes its standard input and waits for the orderly end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(RUN_SECONDS) == 0

    def crash(self) -> None:
        """Ends it without a chance to clean up."""
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True, slots=True)
class Go:
    """The built binary."""

    binary: Path

    def run(self, command: str, redis: Server, *flags: str, db: int = 0, stdin: Json = None) -> Json:
        """What a subcommand prints, as parsed JSON; `stdin` is handed over as JSON."""
        done = subprocess.run(
            self.argv(command, redis, "-db", str(db), *flags),
            input=json.dumps(stdin),
            text=True,
            capture_output=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def inspect(self, redis: Server, *, db: int = 0) -> Json:
        """Everything that the Inspector tells."""
        return self.run("inspect", redis, db=db)

    def enqueue(self, redis: Server, *asks: Mapping[str, Json], db: int = 0) -> Sequence[Json]:
        """Enqueues through the real client; one answer each, a task or the name of an error."""
        answers: Sequence[Json] = self.run("enqueue", redis, db=db, stdin=list(asks))
        return answers

    @contextmanager
    def live(self, redis: Server, *flags: str) -> Iterator[LiveProcess]:
        """A real server and scheduler whose heartbeats are in Redis; ends them unless the test did so."""
        with self._started(self.argv("live", redis, *flags)) as live:
            yield live

    @contextmanager
    def serve(self, redis: Server, *flags: str) -> Iterator[LiveProcess]:
        """A real server that works; ends it unless the test did so."""
        with self._started(self.argv("serve", redis, *flags)) as live:
            yield live

    @contextmanager
    def _started(self, argv: Sequence[str]) -> Iterator[LiveProcess]:
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert _first_line(process.stdout) == "ready"
                live = LiveProcess(process=process)
                yield live
                if process.poll() is None:
                    live.end()
            finally:
                process.kill()

    @contextmanager
    def exporter(self, redis: Server) -> Iterator[str]:
        """Upstream's own exporter; yields the URL of its metrics."""
        argv = self.argv("exporter", redis)
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                yield f"http://{_first_line(process.stdout)}/metrics"
            finally:
                process.send_signal(signal.SIGTERM)

    @contextmanager
    def measured(self, redis: Server, *flags: str) -> Iterator[str]:
        """A real server with the documented middleware; yields the URL of its metrics."""
        argv = self.argv("measured", redis, *flags)
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield f"http://{_first_line(process.stdout)}/metrics"
                LiveProcess(process=process).end()
            finally:
                process.kill()

    def argv(self, command: str, redis: Server, *flags: str) -> list[str]:
        """The command line of a subcommand."""
        if isinstance(redis, Nodes):
            flags = ("-cluster", *flags)
        return [str(self.binary), command, "-redis", f"127.0.0.1:{redis.port}", *flags]


def build() -> Go:
    """Builds the binary, unless it is up to date."""
    go = need_tool("go")
    # -buildvcs: git may distrust the folder when CI runs as another user.
    argv = [go, "build", "-buildvcs=false", "-o", str(BINARY), "."]
    done = subprocess.run(
        argv, cwd=SOURCE, env=os.environ, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    if done.returncode:
        pytest.fail(f"go build failed:\n{done.stderr}")
    return Go(BINARY)


def _first_line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()
