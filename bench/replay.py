"""Recorded commands sent again by a small C program: what no client can be faster than."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from bench.contestants import Once

SOURCE = Path(__file__).parent / "replay.c"
BINARY = SOURCE.parent / "bin" / "replay"

#: All commands as one buffer, or each after the reply to the one before.
Way = Literal["together", "one-by-one"]


def build() -> None:
    """Compiles the program."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        sys.exit("a C compiler is needed to measure the limit; on Debian: apt-get install gcc libc6-dev")
    BINARY.parent.mkdir(exist_ok=True)
    argv = [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(BINARY), str(SOURCE)]
    subprocess.run(argv, check=True)


@contextmanager
def replay(port: int, commands: bytes, way: Way) -> Iterator[Once]:
    """Sends commands, as they are on the wire, to a Redis on loopback each time it is called."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(commands)
        file.flush()
        argv = [str(BINARY), str(port), file.name, way]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            requests, answers = process.stdin, process.stdout

            def once() -> float:
                requests.write("\n")
                requests.flush()
                if not (answer := answers.readline()):
                    raise RuntimeError("the replay ended; what it said stands above")
                return int(answer) / 1e9

            yield once
