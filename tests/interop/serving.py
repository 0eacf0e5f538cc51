"""Our exporter as users run it: a process that serves HTTP."""

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conftest import RedisServer, free_port, wait_until

COMMAND = [sys.executable, "-m", "asynq_exporter", "serve"]

STOP_SECONDS = 30


@contextmanager
def serve(redis: RedisServer, *flags: str) -> Iterator[str]:
    """Runs `asynq-exporter serve` against a Redis; yields the URL of its root without a slash."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = [f"--web.listen-address=127.0.0.1:{port}", f"--redis.url={redis.url}", *flags]
    with subprocess.Popen([*COMMAND, *options]) as process:
        try:
            wait_until(lambda: process.poll() is not None or _answers(url), what="the exporter answers")
            assert process.poll() is None, f"the exporter ended with {process.returncode}"
            yield url
            process.terminate()
            assert process.wait(STOP_SECONDS) == 0
        finally:
            process.kill()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/healthy", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
