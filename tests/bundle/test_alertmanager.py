"""Alertmanager's routes, inhibition and messages, with amtool and a real Alertmanager."""

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
import yaml

from tests.bundle.rules import ROOT, alerts
from tests.conftest import free_port, need_tool, wait_until
from tests.processes import running

FOLDER = ROOT / "prometheus" / "alertmanager"
CONFIG = FOLDER / "alertmanager.yml"
ROBOT = FOLDER / "alertmanager.robot.yml"


def amtool(*arguments: str) -> str:
    """What amtool prints; fails with it when amtool does."""
    done = subprocess.run([need_tool("amtool"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_amtool_accepts_it() -> None:
    """`amtool check-config` of the oldest supported version is clean."""
    assert "SUCCESS" in amtool("check-config", str(CONFIG))


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        (["alertname=AsynqQueueBacklog", "severity=warning"], "chat"),
        (["alertname=AsynqWorkersOffline", "severity=critical"], "phone,chat"),
        (["alertname=AsynqQueueAboveNormal", "severity=info"], "chat"),
        (["alertname=AsynqWatchdog", "severity=info"], "heartbeat"),
        (["alertname=Unknown"], "chat"),
    ],
)
def test_severity_finds_its_receiver(labels: list[str], receivers: str) -> None:
    """Critical to phone and chat, warning and info to chat, the watchdog to the heartbeat."""
    amtool("config", "routes", "test", f"--config.file={CONFIG}", f"--verify.receivers={receivers}", *labels)


def test_info_waits_for_office_hours() -> None:
    """The route of info is active in working hours of Shanghai only."""
    config = yaml.safe_load(CONFIG.read_text("utf-8"))
    (info,) = [r for r in config["route"]["routes"] if r["matchers"] == ['severity="info"']]
    (interval,) = config["time_intervals"]

    assert info["active_time_intervals"] == [interval["name"]]
    assert interval["time_intervals"][0]["location"] == "Asia/Shanghai"
    assert interval["time_intervals"][0]["weekdays"] == ["monday:friday"]


@pytest.mark.parametrize("path", [CONFIG, ROBOT], ids=lambda path: path.stem)
def test_no_secret_stands_in_it(path: Path) -> None:
    """Secrets are named by file; the one that cannot be is a placeholder."""
    text = path.read_text("utf-8")
    config = yaml.safe_load(text)

    assert not re.search(r"hooks\.slack\.com/services|send\?key=\w{8}|xox[bp]-", text)
    for receiver in config["receivers"]:
        for wechat in receiver.get("wechat_configs", ()):
            assert wechat["api_secret"] == "WECHAT_API_SECRET"
        for pagerduty in receiver.get("pagerduty_configs", ()):
            assert pagerduty["routing_key_file"].startswith("/run/secrets/")
    assert config["global"]["slack_api_url_file"].startswith("/run/secrets/")


def test_robot_variant_differs_only_where_it_must() -> None:
    """Same routes, inhibition and times; WeChat Work by a group robot, whose payload begins with stars."""
    usual, robot = (yaml.safe_load(path.read_text("utf-8")) for path in (CONFIG, ROBOT))
    for key in ("route", "inhibit_rules", "time_intervals"):
        assert usual[key] == robot[key]
    (chat,) = [receiver for receiver in robot["receivers"] if receiver["name"] == "chat"]
    (webhook,) = chat["webhook_configs"]

    assert webhook["payload"]["msgtype"] == "markdown"
    assert webhook["url_file"] == "/run/secrets/wechat_robot_url"
    template = (FOLDER / "templates" / "asynq.zh.tmpl").read_text("utf-8")
    assert '{{ define "asynq.zh.markdown" -}}\n**' in template


DATA = {
    "receiver": "chat",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "AsynqQueueBacklog", "queue": "default", "severity": "critical"},
            "annotations": {
                "summary": "Too many tasks wait.",
                "description": 'Queue "default" has 900 tasks.',
                "summary_zh": "队列堆积。",
                "description_zh": "队列 default 有 900 个任务。",
                "runbook_url": "https://r.example/AsynqQueueBacklog.md",
                "runbook_url_zh": "https://r.example/zh/AsynqQueueBacklog.md",
                "dashboard_url": "http://g.example/d/asynq-queue",
            },
            "startsAt": "2026-01-01T00:00:00Z",
        }
    ],
    "commonLabels": {
        "alertname": "AsynqQueueBacklog",
        "queue": "default",
        "severity": "critical",
        "job": "asynq",
    },
    "commonAnnotations": {},
    "groupLabels": {},
}


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("asynq.en.title", ["[CRITICAL]", "AsynqQueueBacklog", "Too many tasks wait.", "default"]),
        ("asynq.en.text", ['Queue "default" has 900 tasks.', "https://r.example/AsynqQueueBacklog.md"]),
        ("asynq.en.markdown", ["**[CRITICAL] AsynqQueueBacklog**", "2026-01-01 00:00:00 UTC"]),
        ("asynq.zh.title", ["【严重】AsynqQueueBacklog", "队列堆积。"]),
        ("asynq.zh.text", ["队列 default 有 900 个任务。", "https://r.example/zh/AsynqQueueBacklog.md"]),
        ("asynq.zh.markdown", ["**【严重】AsynqQueueBacklog**", "开始时间：2026-01-01"]),
        ("asynq.color", ["danger"]),
        ("asynq.dashboard", ["http://g.example/d/asynq-queue"]),
    ],
)
def test_message_says_what_matters(tmp_path: Path, template: str, words: list[str]) -> None:
    """Each template renders with amtool, in its language, with links."""
    data = tmp_path / "data.json"
    data.write_text(json.dumps(DATA, ensure_ascii=False), encoding="utf-8")

    text = amtool(
        *("template", "render", f"--template.glob={FOLDER / 'templates' / '*.tmpl'}"),
        f'--template.text={{{{ template "{template}" . }}}}',
        f"--template.data={data}",
    )

    for word in words:
        assert word in text


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real Alertmanager with the bundle's routes and inhibition, receivers emptied; its port."""
    folder = tmp_path_factory.mktemp("alertmanager")
    config = yaml.safe_load(CONFIG.read_text("utf-8"))
    config.pop("global"), config.pop("templates")
    config["receivers"] = [{"name": receiver["name"]} for receiver in config["receivers"]]
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config))
    port = free_port()
    command = [need_tool("prometheus-alertmanager"), f"--config.file={path}", "--cluster.listen-address="]
    command += [f"--storage.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    with running(command, folder / "log"):
        wait_until(lambda: _api(port, "status"), what="Alertmanager answers")
        yield port


def _api(port: int, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"http://127.0.0.1:{port}/api/v2/{path}", data, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=5) as answer:
            return json.loads(answer.read() or b"true")
    except (URLError, OSError):
        return None


#: Source, target, and whether the source mutes the target. `cluster` makes each case its own.
INHIBITION = [
    (
        {"alertname": "AsynqRedisDown", "severity": "critical"},
        {"alertname": "AsynqQueueStalled", "queue": "a"},
        True,
    ),
    ({"alertname": "AsynqRedisDown", "severity": "critical"}, {"alertname": "AsynqExporterDown"}, False),
    ({"alertname": "AsynqExporterAbsent", "severity": "critical"}, {"alertname": "AsynqRedisDown"}, True),
    ({"alertname": "AsynqExporterDown", "severity": "critical"}, {"alertname": "AsynqWorkersOffline"}, True),
    ({"alertname": "AsynqExporterDown", "severity": "warning"}, {"alertname": "AsynqWorkersOffline"}, False),
    (
        {"alertname": "AsynqQueueAboveThreshold", "severity": "warning", "queue": "a"},
        {"alertname": "AsynqQueueBacklog", "queue": "a"},
        True,
    ),
    (
        {"alertname": "AsynqQueueAboveThreshold", "severity": "warning", "queue": "a"},
        {"alertname": "AsynqQueueBacklog", "queue": "b"},
        False,
    ),
    (
        {"alertname": "AsynqQueueBacklogSevere", "severity": "critical", "queue": "a"},
        {"alertname": "AsynqRetryHigh", "queue": "a"},
        True,
    ),
    (
        {"alertname": "AsynqWorkersOffline", "severity": "critical"},
        {"alertname": "AsynqQueueWithoutWorkers", "queue": "a"},
        True,
    ),
    (
        {"alertname": "AsynqWorkersOffline", "severity": "critical"},
        {"alertname": "AsynqArchiveNearCap", "queue": "a"},
        False,
    ),
    (
        {"alertname": "AsynqRedisDown", "severity": "critical"},
        {"alertname": "AsynqWatchdog", "severity": "info"},
        False,
    ),
]


@pytest.mark.parametrize(("number", "case"), list(enumerate(INHIBITION)))
def test_cause_mutes_what_it_explains(alertmanager: int, number: int, case: Any) -> None:
    """A cause mutes its effects in its own cluster, and nothing else."""
    source, target, muted = case
    common = {"service": "asynq", "job": "app-asynq"}
    here = common | {"cluster": f"here-{number}"}
    there = common | {"cluster": f"there-{number}"}
    target = {"severity": "warning"} | target
    now = datetime.now(UTC).isoformat()
    alerts = [{"labels": here | source}, {"labels": here | target}, {"labels": there | target}]

    assert _api(alertmanager, "alerts", [alert | {"startsAt": now} for alert in alerts])

    def states() -> dict[str, str]:
        found = _api(alertmanager, "alerts") or []
        wanted = {
            a["labels"]["cluster"]: a["status"]["state"]
            for a in found
            if target.items() <= a["labels"].items()
        }
        return {c: s for c, s in wanted.items() if c in (here["cluster"], there["cluster"])}

    expected = {here["cluster"]: "suppressed" if muted else "active", there["cluster"]: "active"}
    wait_until(
        lambda: states() == expected, what=f"{expected} ({source['alertname']} -> {target['alertname']})"
    )


def _matches(matchers: list[str], labels: dict[str, str]) -> bool:
    """Whether labels satisfy Alertmanager's matchers; a missing label is an empty one."""
    for matcher in matchers:
        name, operator, value = re.fullmatch(r'(\w+)(=~|!~|!=|=)"(.*)"', matcher).groups()  # type: ignore[union-attr]
        has = labels.get(name, "")
        equal = re.fullmatch(value, has) is not None if "~" in operator else value == has
        if equal is operator.startswith("!"):
            return False
    return True


def _labels(rule: dict[str, Any]) -> dict[str, str]:
    """The labels that an alert carries, with some value for those of its series."""
    kept = re.findall(r"max by \(([^)]*)\)", rule["expr"])
    series = {name: "some" for by in kept[:1] for name in by.split(", ")}
    if "cluster_job_queue:" in rule["expr"]:
        series |= {"cluster": "some", "job": "some", "queue": "some"}
    own: dict[str, str] = rule["labels"] | {"alertname": rule["alert"]}
    return series | {"cluster": "some"} | own


RANK = {"info": 0, "warning": 1, "critical": 2}


@pytest.mark.parametrize("rule", yaml.safe_load(CONFIG.read_text("utf-8"))["inhibit_rules"], ids=str)
def test_inhibition_is_sane(rule: dict[str, Any]) -> None:
    """It has causes and effects among our alerts; never does a cause mute itself or what is worse."""
    everything = [_labels(alert) for alert in alerts()]
    sources = [labels for labels in everything if _matches(rule["source_matchers"], labels)]
    targets = [labels for labels in everything if _matches(rule["target_matchers"], labels)]

    assert sources
    assert targets
    assert not [labels for labels in sources if labels in targets], "Alertmanager would leave both"
    # What is missing on both sides counts as equal, so labels compared have to be carried; one alert carries the same.
    for labels in sources if "alertname" not in rule["equal"] else ():
        assert set(rule["equal"]) <= labels.keys(), labels["alertname"]
    for source in sources:
        for target in targets:
            together = all(source.get(name) == target.get(name) for name in rule["equal"])
            assert not together or RANK[source["severity"]] >= RANK[target["severity"]], (source, target)


def test_watchdog_is_never_muted() -> None:
    """Its silence has a meaning of its own."""
    watchdog = {"alertname": "AsynqWatchdog", "severity": "info", "service": "asynq", "cluster": "some"}
    rules = yaml.safe_load(CONFIG.read_text("utf-8"))["inhibit_rules"]

    muting = [rule for rule in rules if _matches(rule["target_matchers"], watchdog)]
    assert all("alertname" in rule["equal"] for rule in muting)


def test_render_puts_the_secret_into_a_copy(tmp_path: Path) -> None:
    """render.sh starts the program with a copy that has the secret, and refuses an unusable one."""
    secret, target = tmp_path / "secret", tmp_path / "out" / "alertmanager.yml"
    secret.write_text("s3cret-Key_1\n")
    command = ["sh", str(FOLDER / "render.sh"), str(CONFIG), str(secret), str(target), "echo"]

    good = subprocess.run(command, capture_output=True, text=True, check=False)
    secret.write_text("two words\n")
    bad = subprocess.run(command, capture_output=True, text=True, check=False)

    assert good.stdout.strip() == f"--config.file={target}"
    assert "api_secret: s3cret-Key_1" in target.read_text("utf-8")
    assert bad.returncode != 0
    assert "secret" in bad.stderr
    amtool("check-config", str(target))
