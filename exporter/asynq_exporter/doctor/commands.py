"""Commands of remedies, ready to be pasted into a shell: every name in them is quoted."""

import contextlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from urllib.parse import quote, unquote, urlsplit

from asynq_exporter.core import job_id, keys
from asynq_exporter.core.errors import InvalidArgumentError

#: Where the management API of the guide is, until somebody says better.
API_URL = "http://localhost:9876/api/v1/queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where Redis and the API are, as commands name them; no secret."""

    #: URL of Redis with user and password masked.
    redis_url: str
    api_url: str = API_URL

    @property
    def redis_cli(self) -> str:
        """`redis-cli` with where to connect to; it asks for a password by itself."""
        parts = urlsplit(self.redis_url.replace("***@", ""))
        if parts.scheme == "unix":
            database = parts.query.removeprefix("db=")
            number = "" if database in {"", "0"} else f" -n {shlex.quote(database)}"
            return f"redis-cli -s {shlex.quote(unquote(parts.path))}{number}"
        ask = " --askpass" if "***@" in self.redis_url else ""
        if parts.scheme.endswith("-cluster"):
            scheme, node = parts.scheme.removesuffix("-cluster"), parts.netloc.split(",")[0]
            return f"redis-cli -c -u {shlex.quote(f'{scheme}://{node}')}{ask}"
        return f"redis-cli -u {shlex.quote(parts.geturl())}{ask}"

    @property
    def asynq(self) -> str:
        """The command line tool of asynq, which knows TCP only."""
        parts = urlsplit(self.redis_url.replace("***@", ""))
        if parts.scheme == "unix":
            return "asynq"
        if parts.scheme.endswith("-cluster"):
            return shlex.join(["asynq", "--cluster", "--cluster_addrs", parts.netloc])
        database = parts.path.strip("/")
        words = ["asynq"]
        if parts.netloc != "127.0.0.1:6379":
            words += ["-u", parts.netloc]
        if database not in {"", "0"}:
            words += ["-n", database]
        return shlex.join(words)


def command(name: str, place: Place, values: Mapping[str, object]) -> str | None:
    """A command about a queue or a task; None when something that it needs is not known.

    A name that would move the cursor of whoever pastes it is as good as not known.
    """
    queue, task_id, key = (_printable(values.get(each)) for each in ("queue", "task_id", "key"))
    fields = {
        "api": place.api_url,
        "asynq": place.asynq,
        "redis_cli": place.redis_cli,
        "state": values.get("state") or "retry",
    }
    if queue is not None:
        fields |= {
            "queue": shlex.quote(queue),
            "queue_url": quote(queue, safe=""),
            "queue_pattern": shlex.quote(keys.queue_prefix(queue) + "*"),
            "active_key": shlex.quote(keys.active(queue)),
            "pending_key": shlex.quote(keys.pending(queue)),
        }
    if task_id is not None:
        fields["task_id"] = shlex.quote(task_id)
        if queue is not None:
            fields["task_key"] = shlex.quote(keys.task(queue, task_id))
            body = json.dumps({"queue": queue, "task_id": task_id}, ensure_ascii=False)
            fields["task_body"] = shlex.quote(body)
        # Only of the guide's IDs is it known which task of the company they belong to.
        with contextlib.suppress(InvalidArgumentError):
            job = job_id.parse(task_id).job
            fields["cancel_body"] = shlex.quote(json.dumps({"task_id": job}, ensure_ascii=False))
    if key is not None:
        fields["key"] = shlex.quote(key)
    try:
        return templates()[name].format_map(fields)
    except KeyError as exc:
        if exc.args[0] == name:
            raise
        return None


def _printable(value: object) -> str | None:
    return value if isinstance(value, str) and value.isprintable() else None


@cache
def templates() -> Mapping[str, str]:
    """Every command by name, with fields in braces."""
    loaded: dict[str, str] = json.loads(files(__package__).joinpath("texts/commands.json").read_text("utf-8"))
    return loaded
