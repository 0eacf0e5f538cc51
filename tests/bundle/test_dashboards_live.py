"""No panel is empty on a running system: the demo, a real Prometheus with the generated rules, every query.

Grafana itself is not needed: a query is asked as Grafana asks it when everything is chosen.
"""

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from tests.bundle import dashboards
from tests.bundle.dashboards import ROOT, Dashboard, Query, in_english
from tests.conftest import free_port, need_tool, wait_until
from tests.processes import running

#: So that a minute of history is enough, and the test short.
INTERVAL = "1s"
#: Until the demo has a history: retries, archived tasks, a sample of the memory, rates over two scrapes.
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A Prometheus on loopback that scrapes the demo."""

    port: int

    def get(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API; None while it cannot be reached."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urlencode(parameters)}"
        try:
            with urlopen(url, timeout=10) as response:
                return json.load(response)["data"]
        except URLError:
            return None

    def values(self, expr: str) -> list[float]:
        """What a query shows now: the numbers of its series that are numbers."""
        found = (self.get("query", query=expr) or {"result": []})["result"]
        return [number for series in found if not math.isnan(number := float(series["value"][1]))]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """The demo and a Prometheus that has scraped it."""
    folder = tmp_path_factory.mktemp("prometheus")
    program = need_tool("prometheus")
    need_tool("redis-server")  # the demo's
    exporter, port = free_port(), free_port()
    # Two addresses of one exporter look like two replicas in front of one Redis.
    targets = [f"127.0.0.1:{exporter}", f"localhost:{exporter}"]
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump(configuration(targets, rule_files(folder))), encoding="utf-8")
    demo = [sys.executable, "-m", "asynq_exporter", "demo", f"--web.listen-address=127.0.0.1:{exporter}"]
    server = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (
        running(demo, folder / "demo.log") as alive,
        running(server, folder / "prometheus.log"),
    ):
        instance = Prometheus(port)
        wait_until(
            lambda: alive() and len(instance.values("up == 1")) == len(targets),
            what="Prometheus has scraped the demo",
        )
        yield instance


def configuration(targets: list[str], rules: list[str]) -> dict[str, Any]:
    """A configuration of Prometheus, fast, with the job and the cluster that the dashboards choose by."""
    return {
        "global": {
            "scrape_interval": INTERVAL,
            "scrape_timeout": INTERVAL,
            "evaluation_interval": INTERVAL,
        },
        "rule_files": rules,
        "scrape_configs": [
            {
                "job_name": "asynq",
                "static_configs": [{"targets": targets, "labels": {"cluster": "demo"}}],
            },
        ],
    }


def rule_files(folder: Path) -> list[str]:
    """The generated rules, evaluated every second instead of every minute."""
    names = []
    for name in ("alerts.yaml", "rules.yaml"):
        rules = yaml.safe_load((ROOT / "alerts" / "generated" / name).read_text(encoding="utf-8"))
        for group in rules["groups"]:
            group["interval"] = INTERVAL
        (folder / name).write_text(yaml.safe_dump(rules), encoding="utf-8")
        names.append(str(folder / name))
    return names


def test_no_panel_is_empty(prometheus: Prometheus) -> None:
    """Every query of every panel of all dashboards gives at least one number."""
    empty = [query for dashboard in in_english() for query in dashboard.queries]
    assert len(empty) > 100

    def all_filled() -> bool:
        empty[:] = [query for query in empty if not prometheus.values(query.expr)]
        return not empty

    try:
        wait_until(all_filled, what="every panel shows something", seconds=PATIENCE_SECONDS)
    except pytest.fail.Exception:
        pytest.fail("empty: " + "; ".join(map(str, empty)))


@pytest.mark.parametrize("dashboard", in_english(), ids=str)
def test_no_variable_is_empty(prometheus: Prometheus, dashboard: Dashboard) -> None:
    """Every template variable offers something to choose."""
    for item in dashboard.query_variables:
        selector, label = dashboards.variable_selector(item["query"])
        matcher = {"match[]": dashboards.substitute(selector)}
        assert prometheus.get(f"label/{label}/values", **matcher), item["name"]


def test_restarts_are_annotated_where_they_were(prometheus: Prometheus) -> None:
    """The annotation of the restarts gives the time of the start, in milliseconds."""
    (restarts, *_) = {dashboard.annotations[1].expr for dashboard in in_english()}
    (started,) = set(prometheus.values("process_start_time_seconds"))
    assert set(prometheus.values(restarts)) == {started * 1000}


def test_two_replicas_count_once(prometheus: Prometheus) -> None:
    """Slots, thresholds and capacities are those of one Redis, though two targets serve them."""
    slots = _query("Asynq / Workers and schedulers", "Slots in all")
    served = prometheus.values("asynq_worker_concurrency")
    assert len(served) == 2
    assert prometheus.values(slots.expr) == [max(served)]


def test_a_chosen_queue_hides_the_others(prometheus: Prometheus) -> None:
    """The variables narrow what a panel shows: one queue, one line."""
    pending = _query("Asynq / Queue", "Retry")
    narrowed = dashboards.VARIABLE.sub(lambda match: "critical" if match[2] == "queue" else ".*", pending.raw)
    assert len(prometheus.values(narrowed)) == 1
    assert len(prometheus.values(pending.expr)) > 1


def _query(dashboard: str, panel: str) -> Query:
    return next(
        query
        for candidate in in_english()
        for query in candidate.queries
        if candidate.title == dashboard and query.panel == panel
    )
