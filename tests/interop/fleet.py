"""Workers of both sides as processes, to be killed and replaced."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.conftest import RedisServer, wait_until
from tests.interop.golang import RUN_SECONDS, Go
from tests.processes import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A worker process."""

    name: str
    process: subprocess.Popen[str]
    #: The Redis set with the IDs of the tasks in its hands.
    held: str


class Fleet:
    """Starts and kills workers; all that are left end in good order with the block."""

    def __init__(self, go: Go, redis: RedisServer, queues: Mapping[str, int], *, concurrency: int) -> None:
        self._go = go
        self._redis = redis
        self._queues = dict(queues)
        self._concurrency = concurrency
        self._stack = ExitStack()
        self._members: list[Member] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.end()
        finally:
            for member in self._members:
                member.process.kill()
            self._stack.close()

    def start(self, side: str) -> Member:
        """Starts a worker of `go` or of `python`."""
        name = f"{side}-{len(self._members)}"
        held = f"test:held:{name}"
        argv = self._go_argv(held) if side == "go" else self._python_argv(held)
        process = self._stack.enter_context(
            subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=ROOT)
        )
        member = Member(name=name, process=process, held=held)
        self._members.append(member)
        return member

    def kill(self, member: Member, *, tasks: int) -> None:
        """SIGKILL while it has so many tasks in hand."""
        with self._redis.client() as client:

            def is_busy() -> bool:
                # It stands still for the look, so that it is as busy when it is killed.
                member.process.send_signal(signal.SIGSTOP)
                if client.scard(member.held) >= tasks:
                    return True
                member.process.send_signal(signal.SIGCONT)
                return False

            wait_until(is_busy, what=f"{member.name} has {tasks} tasks in hand")
        member.process.kill()
        member.process.wait()

    def end(self) -> None:
        """Asks all that live to end, and waits for it."""
        alive = [member for member in self._members if member.process.poll() is None]
        for member in alive:
            member.process.send_signal(signal.SIGTERM)
        for member in alive:
            assert member.process.wait(RUN_SECONDS) == 0, member.name

    def _go_argv(self, held: str) -> Sequence[str]:
        queues = ",".join(f"{name}={weight}" for name, weight in self._queues.items())
        flags = ("-queues", queues, "-concurrency", str(self._concurrency), "-held", held)
        return self._go.argv("serve", self._redis, *flags)

    def _python_argv(self, held: str) -> Sequence[str]:
        queues = json.dumps(self._queues)
        return [
            *(sys.executable, "-m", "tests.interop.worker"),
            *(str(self._redis.port), queues, str(self._concurrency), held),
        ]
