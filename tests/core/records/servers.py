"""A PostgreSQL of our own: a cluster in a folder of its own, reached over a Unix socket alone."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import need_tool, wait_until

#: Where Debian puts what is not on PATH.
DEBIAN = Path("/usr/lib/postgresql")

SUPERUSER = "postgres"


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A running cluster."""

    folder: Path

    def url(self, database: str, *, user: str = SUPERUSER) -> str:
        """URL of a database."""
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def execute(self, statements: str, *, database: str = "postgres") -> None:
        """Runs statements."""
        argv = [*self._psql, "--dbname", database, "--command", statements]
        subprocess.run(argv, check=True, cwd=self.folder, capture_output=True)

    def run_file(self, path: Path, *, database: str, **values: str) -> None:
        """Runs the statements of a file, with values for its variables."""
        given = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
        argv = [*self._psql, "--set", "ON_ERROR_STOP=1", *given, "--dbname", database, "--file", str(path)]
        subprocess.run(argv, check=True, cwd=self.folder, capture_output=True)

    def is_alive(self) -> bool:
        """Whether it takes connections."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.execute("SELECT 1")
            return True
        return False

    @property
    def _psql(self) -> list[str]:
        return [
            program("psql"),
            "--no-psqlrc",
            "--quiet",
            "--host",
            str(self.folder),
            "--username",
            SUPERUSER,
        ]


def program(name: str) -> str:
    """Path of a program of PostgreSQL; a user's machine without it skips, CI fails."""
    found = sorted(DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(found[-1]) if found else need_tool(name)


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Starts a cluster and ends it with the block."""
    server, initdb = program("postgres"), program("initdb")
    # Not pytest's folder: that lets nobody else in, and PostgreSQL refuses to be root.
    folder = Path(tempfile.mkdtemp(prefix="asynq-pg-"))
    owner = _unprivileged()
    try:
        if owner is not None:
            os.chown(folder, owner, -1)
        data = folder / "data"
        options = {"user": owner, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
        make = [initdb, "--pgdata", str(data), "--username", SUPERUSER, "--auth", "trust", "--no-sync"]
        subprocess.run([*make, "--no-locale", "--encoding", "UTF8"], check=True, **options)  # type: ignore[call-overload]
        settings = {"listen_addresses": "", "fsync": "off", "max_connections": "100", "jit": "off"}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        argv = [server, "-D", str(data), "-k", str(folder), *flags]
        process = subprocess.Popen(argv, **options)  # type: ignore[call-overload]
        try:
            postgres = Postgres(folder=folder)
            wait_until(postgres.is_alive, what="PostgreSQL answers")
            yield postgres
        finally:
            # Its word for "at once, but end your children first".
            process.send_signal(3)
            process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> int | None:
    """The user that the server runs as; None for who runs the tests."""
    if os.getuid():
        return None
    for name in (SUPERUSER, "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    return None
