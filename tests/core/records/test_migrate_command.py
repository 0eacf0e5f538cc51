"""`asynq-exporter migrate` and `records upgrade` as people run them."""

import os
import pty
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from asynq_exporter.core import FixedClock
from asynq_exporter.core.records import Locks, SqlRecords
from asynq_exporter.core.records.migration import NAME
from tests.conftest import RedisServer
from tests.core.records.making import jobs_of, make, put_job
from tests.core.records.polling_programs import command
from tests.core.records.servers import Postgres
from tests.web.working import ENVIRONMENT

SECONDS = 60


@contextmanager
def start(
    redis: RedisServer, database_url: str, *words: str, stderr: int = subprocess.PIPE
) -> Iterator["subprocess.Popen[str]"]:
    """Runs a command until it ends, or the block does."""
    env = ENVIRONMENT | {"ASYNQ_DATABASE_URL": database_url, "ASYNQ_REDIS_URL": redis.url}
    with subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=stderr, text=True, env=env
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(redis: RedisServer, database_url: str, *words: str) -> tuple[int, str, str]:
    """Runs a command: exit code, standard output and error."""
    with start(redis, database_url, *words) as process:
        out, err = process.communicate(timeout=SECONDS)
        return process.returncode, out, err


async def test_migrate_counts_and_does(
    store: SqlRecords, database_url: str, redis_server: RedisServer, redis_client: Redis, clock: FixedClock
) -> None:
    """A dry run says what would be done, the run does it, and another finds nothing left."""
    for number in range(5):
        await make(store, f"t{number}")
    await put_job(redis_client, clock, "job:t0:0")
    would = "5 unfinished tasks without a job: 4 would be put into the queue, 1 have a job there already\n"
    assert (0, would) == run(redis_server, database_url, "migrate", "--dry-run")[:2]
    assert [] == await jobs_of(redis_client, "t1")
    code, out, err = run(redis_server, database_url, "migrate")
    assert (0, would.replace("would be", "were")) == (code, out)
    assert ["scheduled job:t1:0"] == await jobs_of(redis_client, "t1")
    assert 'event="migrate: Is complete" total=5 done=5 enqueued=4 duplicates=1' in err
    assert run(redis_server, database_url, "migrate")[1].startswith("0 unfinished tasks")


@pytest.mark.parametrize("ends", ["done", "terminated"])
async def test_who_waits_says_for_whom(
    store: SqlRecords, database_url: str, redis_server: RedisServer, redis_client: Redis, ends: str
) -> None:
    """Until the other one is done; whoever does not want to wait ends it."""
    await make(store)
    lock = await Locks(redis_client).acquire(NAME, seconds=600)
    assert lock
    with start(redis_server, database_url, "migrate") as process:
        line = until_said(process, f"holder={socket.gethostname()}:{os.getpid()}")
        assert 'event="migrate: Waits for the process that does it"' in line
        if ends == "terminated":
            process.send_signal(signal.SIGTERM)
            assert 143 == process.wait(SECONDS)
            return
        await lock.release()
        assert process.communicate(timeout=SECONDS)[0].startswith("1 unfinished tasks")
        assert 0 == process.returncode


def until_said(process: "subprocess.Popen[str]", words: str) -> str:
    """The first line of the log that has some words."""
    assert process.stderr
    lines = []
    for line in process.stderr:
        lines.append(line)
        if words in line:
            return line
    raise AssertionError("".join(lines))


async def test_terminal_shows_how_far_it_is(
    store: SqlRecords, database_url: str, redis_server: RedisServer, redis_client: Redis
) -> None:
    """On one line, and no log among it."""
    for number in range(3):
        await make(store, f"t{number}")
    ours, theirs = pty.openpty()
    with start(redis_server, database_url, "migrate", stderr=theirs) as process:
        os.close(theirs)
        out, _ = process.communicate(timeout=SECONDS)
        shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert out.startswith("3 unfinished tasks")
    assert "\r\x1b[K3 of 3 tasks\r\n" == shown


async def test_what_is_away_is_a_failure_with_a_remedy(
    store: SqlRecords, database_url: str, own_redis: RedisServer, tmp_path: Path
) -> None:
    """Exit code 1, one line, what to do; and no password."""
    await make(store)
    own_redis.kill()
    code, out, err = run(own_redis, database_url, "migrate")
    assert (1, "") == (code, out)
    assert err.splitlines()[-1].startswith("asynq-exporter: error: Redis is not available")
    assert err.endswith("what was done stays done: run it again\n")
    away = f"postgresql://me:hunter2@/x?host={tmp_path}"
    code, out, err = run(own_redis, away, "migrate")
    assert (1, "") == (code, out)
    assert "the database is not available" in err
    assert "hunter2" not in err


async def test_tables_of_a_server_are_made_by_a_command(
    redis_server: RedisServer, redis_client: Redis, postgres: Postgres
) -> None:
    """Whoever starts before is told so."""
    postgres.execute("CREATE DATABASE by_command")
    url = postgres.url("by_command")
    code, _, err = run(redis_server, url, "migrate")
    assert 1 == code
    assert err.splitlines()[-1].endswith("run: asynq-exporter records upgrade")
    code, out, err = run(redis_server, url, "records", "upgrade")
    assert (0, True) == (code, out.endswith("is up to date\n"))
    assert 'event="Tables of the task records are upgraded"' in err
    assert 0 == run(redis_server, url, "migrate")[0]
