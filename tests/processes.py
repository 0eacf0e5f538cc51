"""Programs that run while a test does."""

import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]

STOP_SECONDS = 20.0


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[Callable[[], bool]]:
    """Runs a program until the block ends; the check that is handed over fails once it is gone."""
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output, cwd=ROOT) as process,
    ):

        def alive() -> bool:
            assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")[-2000:]
            return True

        try:
            yield alive
            alive()
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
