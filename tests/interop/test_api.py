"""After each write of the management API the Inspector of Go's asynq sees what ours says."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import RedisServer, wait_until
from tests.interop.conftest import Filled
from tests.interop.golang import Go, Json
from tests.interop.serving import serve

TOKEN = "admin-token-0123456789"

#: asynq's states that a page can be asked for without a group.
STATES = ("pending", "active", "scheduled", "retry", "archived", "completed")


@dataclass
class Client:
    """A client of the API of a process."""

    base: str

    def ask(self, method: str, path: str, body: Json = None) -> Json:
        """The data of an answer, or its error."""
        request = urllib.request.Request(
            f"{self.base}/api/v1/queue{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as exc:
            return json.load(exc)

    def ids(self, queue: str, state: str) -> list[str]:
        """The IDs of a state, page by page."""
        found: list[str] = []
        page = 1
        while tasks := self.ask("GET", f"/tasks?queue={queue}&state={state}&page={page}&size=100")["tasks"]:
            found += [task["id"] for task in tasks]
            page += 1
        return found


@pytest.fixture
def client(own_filled: Filled, tmp_path: Path) -> Iterator[Client]:
    """The API on data by Go."""
    (tmp_path / "tokens").write_text(TOKEN)
    with serve(own_filled.redis, f"--api.token-file={tmp_path / 'tokens'}") as base:
        yield Client(base)


def same(go: Go, redis: RedisServer, client: Client, queue: str) -> Json:
    """Compares the IDs of every state of a queue, in order; what Go says."""
    report = go.inspect(redis)["queues"][queue]
    for state in STATES:
        theirs = [task["id"] for task in report["tasks"][state]]
        assert theirs == client.ids(queue, state), state
    return report


def test_every_write(go: Go, own_filled: Filled, client: Client) -> None:
    """Run, archive, delete, their batches, pause and unpause: Go agrees after each."""
    redis = own_filled.redis
    queue = next(
        name
        for name, found in go.inspect(redis)["queues"].items()
        if all(len(found["tasks"][state]) >= 8 for state in ("retry", "scheduled", "archived"))
    )
    before = same(go, redis, client, queue)["tasks"]

    retry, scheduled = before["retry"][0]["id"], before["scheduled"][0]["id"]
    assert "retry" == client.ask("POST", "/tasks/retry", {"queue": queue, "task_id": retry})["previous_state"]
    report = same(go, redis, client, queue)
    assert retry in [task["id"] for task in report["tasks"]["pending"]]

    client.ask("POST", "/tasks/archive", {"queue": queue, "task_id": scheduled})
    report = same(go, redis, client, queue)
    assert scheduled in [task["id"] for task in report["tasks"]["archived"]]

    client.ask("DELETE", f"/tasks/{scheduled}?queue={queue}&state=archived")
    report = same(go, redis, client, queue)
    assert scheduled not in json.dumps(report["tasks"])

    ids = [task["id"] for task in report["tasks"]["archived"][:2]]
    for path, body in (
        ("/tasks/retry/batch", {"queue": queue, "state": "retry", "limit": 2}),
        ("/tasks/archive/batch", {"queue": queue, "state": "scheduled", "limit": 2}),
        ("/tasks/delete/batch", {"queue": queue, "task_ids": ids}),
    ):
        assert 2 == client.ask("POST", path, body)["done"], path
        same(go, redis, client, queue)

    for path, paused in (("/pause", True), ("/unpause", False)):
        client.ask("POST", path, {"queue": queue})
        assert paused == go.inspect(redis)["queues"][queue]["info"]["paused"]


def test_stop_reaches_a_go_worker(go: Go, own_redis: RedisServer, tmp_path: Path) -> None:
    """A task that a real worker runs is cancelled there: it leaves the active state."""
    (tmp_path / "tokens").write_text(TOKEN)
    with (
        serve(own_redis, f"--api.token-file={tmp_path / 'tokens'}") as base,
        go.live(own_redis),
    ):
        client = Client(base)

        def running() -> Json:
            servers = client.ask("GET", "/servers")["servers"]
            return [worker for server in servers for worker in server["workers"] if worker["queue"]]

        [first, *_] = wait_until(running, what="a task runs")
        stopped = client.ask("POST", "/tasks/stop", {"queue": first["queue"], "task_id": first["task_id"]})
        assert 1 <= stopped["listeners"]
        wait_until(
            lambda: first["task_id"] not in client.ids(first["queue"], "active"),
            what="it is not active any more",
        )
