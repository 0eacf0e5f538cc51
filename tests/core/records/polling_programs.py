"""`asynq-exporter poll` as a process, with a function that notes who polls what."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis

from tests.conftest import RedisServer, free_port, wait_until
from tests.web.working import ENVIRONMENT, Worker

#: Answers as the test says, notes each poll, and notes where two polls of a task were under way at once.
MODULE = """
import asyncio, os
import redis.asyncio
notes = redis.asyncio.from_url(os.environ["APP_REDIS_URL"], decode_responses=True)

async def poll(record):
    task = record.task_id
    if not await notes.set(f"busy:{task}", os.getpid(), nx=True, ex=50):
        await notes.rpush("overlaps", task)
    await notes.rpush("polls", f"{task} {os.getpid()}")
    await asyncio.sleep(0.1)
    await notes.delete(f"busy:{task}")
    return await notes.get(f"answer:{task}") or "IN_PROGRESS"
"""

#: The database of the notes, beside the queues.
NOTES_DB = 5


def command(*words: str) -> list[str]:
    """The command line of the program."""
    return [sys.executable, "-m", "asynq_exporter", *words]


@contextmanager
def polling(redis: RedisServer, folder: Path, database_url: str, **env: str) -> Iterator[Worker]:
    """A process that polls, once it answers; ended in order unless the test did so."""
    (folder / "polls.py").write_text(MODULE)
    port = free_port()
    log = folder / f"poll-{port}.log"
    notes = redis.url.removesuffix("/0") + f"/{NOTES_DB}"
    values = {
        "ASYNQ_REDIS_URL": redis.url,
        "ASYNQ_DATABASE_URL": database_url,
        "APP_REDIS_URL": notes,
        "TASK_POLL_INTERVAL": "1",
    }
    argv = command("poll", "polls:poll", f"--worker.listen-address=127.0.0.1:{port}", "--log.format=json")
    with (
        log.open("wb") as output,
        subprocess.Popen(argv, stderr=output, cwd=folder, env=ENVIRONMENT | values | env) as process,
    ):
        program = Worker(process=process, url=f"http://127.0.0.1:{port}", log=log)
        try:
            program.says("Polling begins")
            yield program
            if process.poll() is None:
                assert program.end() == 0, log.read_text("utf-8")
        finally:
            process.kill()


class Notes:
    """What the function noted."""

    def __init__(self, redis: RedisServer) -> None:
        self._redis: Redis = Redis(port=redis.port, db=NOTES_DB, decode_responses=True)

    def polls(self, program: Worker) -> Counter[str]:
        """Task -> how often a process polled it."""
        lines = [str(line).split() for line in self._redis.lrange("polls", 0, -1)]
        return Counter(task for task, pid in lines if int(pid) == program.process.pid)

    def wait(self, program: Worker, tasks: list[str], *, polls: int) -> None:
        """Waits until a process has polled each of some tasks so often."""

        def are_polled() -> bool:
            assert program.process.poll() is None, program.log.read_text("utf-8")
            found = self.polls(program)
            return all(found[task] >= polls for task in tasks)

        wait_until(are_polled, what=f"each task is polled {polls} times", seconds=120)

    def answer(self, task: str, status: str) -> None:
        """From now on the service says so about a task."""
        self._redis.set(f"answer:{task}", status)

    def overlaps(self) -> list[str]:
        """Tasks that two polled at the same time."""
        return self._redis.lrange("overlaps", 0, -1)  # type: ignore[return-value]

    def close(self) -> None:
        """Ends the connection."""
        self._redis.close()
