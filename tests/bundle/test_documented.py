"""The six alerts of the operations guide (2.4, 6.3) to the letter, from a table of this test's own."""

import subprocess
from dataclasses import dataclass

import pytest

from tests.bundle.rules import ROOT, alerts
from tests.conftest import need_tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """A row of the guide's table."""

    title: str
    alert: str
    ends_with: str
    metric: str
    duration: set[str]
    severity: str
    receivers: str


GUIDE = [
    Documented(
        title="队列堆积",
        alert="AsynqQueueBacklog",
        metric="asynq_pending_tasks",
        ends_with="> 500",
        duration={"5m"},
        severity="warning",
        receivers="chat",
    ),
    Documented(
        title="队列严重堆积",
        alert="AsynqQueueBacklogSevere",
        metric="asynq_pending_tasks",
        ends_with="> 2000",
        duration={"5m"},
        severity="critical",
        receivers="phone,chat",
    ),
    Documented(
        title="重试过多",
        alert="AsynqRetryHigh",
        metric="asynq_retry_tasks",
        ends_with="> 50",
        duration={"10m"},
        severity="warning",
        receivers="chat",
    ),
    Documented(
        title="死信任务增加",
        alert="AsynqDeadTasksGrowing",
        metric="asynq_dead_tasks_last_hour",
        ends_with="> 10",
        duration={"0s", "1m"},
        severity="warning",
        receivers="chat",
    ),
    Documented(
        title="Worker 离线",
        alert="AsynqWorkersOffline",
        metric="asynq_active_workers",
        ends_with="== 0",
        duration={"2m"},
        severity="critical",
        receivers="phone,chat",
    ),
    Documented(
        title="背压触发",
        alert="AsynqBackpressure",
        metric='state!="NORMAL"',
        ends_with="== 1",
        duration={"1m"},
        severity="warning",
        receivers="chat",
    ),
]


@pytest.mark.parametrize("row", GUIDE, ids=lambda row: row.title)
def test_documented_alert_is_as_documented(row: Documented) -> None:
    """Name, number, duration, severity and channel."""
    (rule,) = [rule for rule in alerts() if rule["alert"] == row.alert]

    assert rule["expr"].strip().endswith(row.ends_with)
    assert row.metric in rule["expr"]
    assert rule["for"] in row.duration
    assert rule["labels"]["severity"] == row.severity
    done = subprocess.run(
        [
            *(need_tool("amtool"), "config", "routes", "test"),
            f"--config.file={ROOT / 'prometheus' / 'alertmanager' / 'alertmanager.yml'}",
            *(f"--verify.receivers={row.receivers}", f"alertname={row.alert}"),
            *("service=asynq", f"severity={row.severity}", "queue=default"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
