"""The demo as users run it: a process of its own, in a temporary folder of its own."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.conftest import free_port, wait_until
from tests.interop.exposition import Scrape, scrape

#: Several demos run side by side on what others leave of a small machine.
PATIENCE_SECONDS = 300.0
STOP_SECONDS = 60.0


@dataclass
class Demo:
    """A demo that runs, or ran."""

    process: subprocess.Popen[bytes]
    url: str
    #: Where it may leave files, and what it wrote.
    folder: Path
    out: Path
    err: Path

    @classmethod
    def start(cls, folder: Path, *flags: str, environment: dict[str, str] | None = None) -> Self:
        """Starts it; returns at once."""
        temporary = folder / "tmp"
        temporary.mkdir()
        port = free_port()
        out, err = folder / "out", folder / "err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "asynq_exporter", "demo"),
                    f"--web.listen-address=127.0.0.1:{port}",
                    *flags,
                ],
                env={**os.environ, "TMPDIR": str(temporary), **(environment or {})},
                stdout=stdout,
                stderr=stderr,
            )
        return cls(process, f"http://127.0.0.1:{port}", temporary, out, err)

    def wait_ready(self) -> Self:
        """Waits until it serves and its last scan succeeded."""
        wait_until(lambda: self._answers("/-/ready"), what="the demo is ready", seconds=PATIENCE_SECONDS)
        return self

    def wait_serving(self) -> Self:
        """Waits until it serves, whatever its Redis does."""
        wait_until(lambda: self._answers("/-/healthy"), what="the demo serves", seconds=PATIENCE_SECONDS)
        return self

    def scrape(self) -> Scrape:
        """Its metrics now."""
        return scrape(f"{self.url}/metrics")

    def page(self, path: str) -> str:
        """One of its pages."""
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE_SECONDS) as answer:
            return str(answer.read().decode())

    def wait_for(self, condition: Callable[[Scrape], bool], *, what: str) -> None:
        """Waits until its metrics are so."""

        def holds() -> bool:
            assert self.process.poll() is None, f"the demo ended: {self.err.read_text()}"
            return condition(self.scrape())

        wait_until(holds, what=what, seconds=PATIENCE_SECONDS)

    def wait_said(self, text: str, *, where: Path) -> None:
        """Waits until it wrote something, to its `out` or `err`."""
        wait_until(lambda: text in where.read_text(), what=f"it says {text!r}", seconds=PATIENCE_SECONDS)

    def toggle(self) -> None:
        """Ends the incident, or begins it anew."""
        self.process.send_signal(signal.SIGUSR1)

    def socket(self) -> Path:
        """The socket of its Redis."""
        (socket,) = self.folder.glob("*/redis.sock")
        return socket

    def _answers(self, path: str) -> bool:
        assert self.process.poll() is None, f"the demo ended: {self.err.read_text()}"
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def redis_processes(self) -> list[int]:
        """Processes that work in its folder."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                text = path.read_bytes().decode(errors="replace")
            except OSError:  # it has just ended
                continue
            if "redis" in text and str(self.folder) in text:
                found.append(int(path.parent.name))
        return found

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stops it and looks that nothing is left and nothing went wrong."""
        self.process.send_signal(number)
        assert self.process.wait(STOP_SECONDS) == 0
        assert self.redis_processes() == []
        assert list(self.folder.iterdir()) == []
        assert "Traceback" not in self.err.read_text()
        assert "Stopped" in self.out.read_text()

    def end(self) -> None:
        """Ends it whatever state it is in."""
        self.process.kill()
        self.process.wait()
