"""The chain on loopback: the demo, a real Prometheus, a real Alertmanager, and receivers that write down.

Only time is shortened and addresses are replaced; routes, inhibition and messages are those of the bundle.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import yaml

from tests.conftest import free_port, need_tool
from tests.processes import running

ROOT = Path(__file__).parents[2]

#: What `for`, waits and intervals become.
SHORT = "1s"


@dataclass(frozen=True, slots=True)
class Message:
    """What a receiver was sent."""

    #: slack, pagerduty, wechat or heartbeat.
    receiver: str
    text: str


@dataclass
class Sink:
    """A web server that plays Slack, PagerDuty, WeChat Work and the heartbeat, and remembers."""

    url: str
    messages: list[Message] = field(default_factory=list)

    def got(self, receiver: str, *words: str) -> bool:
        """Whether one message to a receiver has all the words."""
        return any(
            message.receiver == receiver and all(word in message.text for word in words)
            for message in list(self.messages)
        )


@contextmanager
def sink() -> Iterator[Sink]:
    """A running sink."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({"errcode": 0, "access_token": "token", "expires_in": 7200})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            # JSON escapes what is no ASCII; people read it unescaped.
            text = json.dumps(json.loads(body), ensure_ascii=False)
            made.messages.append(Message(self.path.split("/")[1], text))
            self._answer({"errcode": 0, "status": "success"})

        def _answer(self, content: dict[str, Any]) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Sink(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """A running Alertmanager."""

    port: int

    def states(self) -> dict[tuple[str, str], str]:
        """(alert, queue) -> active or suppressed, of those it holds."""
        with urlopen(f"http://127.0.0.1:{self.port}/api/v2/alerts", timeout=10) as answer:
            alerts = json.load(answer)
        return {
            (alert["labels"]["alertname"], alert["labels"].get("queue", "")): alert["status"]["state"]
            for alert in alerts
        }


@contextmanager
def chain(folder: Path, demo_port: int, received: Sink) -> Iterator[Alertmanager]:
    """Prometheus and Alertmanager that watch a demo."""
    prometheus_port, alertmanager_port = free_port(), free_port()
    configs = {
        "prometheus.yml": _prometheus(demo_port, alertmanager_port),
        "alerts.yaml": _rules("alerts"),
        "rules.yaml": _rules("rules"),
        "alertmanager.yml": _alertmanager(folder, received),
    }
    for name, content in configs.items():
        (folder / name).write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    alertmanager = [
        need_tool("prometheus-alertmanager"),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{alertmanager_port}",
        "--cluster.listen-address=",
    ]
    prometheus = [
        need_tool("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{prometheus_port}",
        # An alert that ends is told at once, not at the next minute.
        "--rules.alert.resend-delay=1s",
    ]
    with ExitStack() as stack:
        stack.enter_context(running(alertmanager, folder / "alertmanager.log"))
        stack.enter_context(running(prometheus, folder / "prometheus.log"))
        yield Alertmanager(alertmanager_port)


def _prometheus(demo_port: int, alertmanager_port: int) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": SHORT, "scrape_timeout": SHORT, "evaluation_interval": SHORT},
        "rule_files": ["alerts.yaml", "rules.yaml"],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}]
        },
        "scrape_configs": [
            {
                "job_name": "app-asynq",
                "static_configs": [{"targets": [f"127.0.0.1:{demo_port}"], "labels": {"cluster": "demo"}}],
            }
        ],
    }


def _rules(name: str) -> Any:
    rules = yaml.safe_load((ROOT / "alerts" / "generated" / f"{name}.yaml").read_text("utf-8"))
    for group in rules["groups"]:
        group["interval"] = SHORT
        for rule in group["rules"]:
            for key in ("for", "keep_firing_for"):
                if key in rule:
                    rule[key] = "3s"
            # What was bad within the last minutes is over in the last seconds.
            rule["expr"] = re.sub(r"(?<=\w_over_time\()([^\[]*)\[\w+\]", r"\1[3s]", rule["expr"])
    return rules


def _alertmanager(folder: Path, received: Sink) -> Any:
    source = ROOT / "prometheus" / "alertmanager"
    config = yaml.safe_load((source / "alertmanager.yml").read_text("utf-8"))
    secrets = {
        "slack_api_url": f"{received.url}/slack",
        "pagerduty_routing_key": "key",
        "heartbeat_token": "token",
    }
    for name, text in secrets.items():
        (folder / name).write_text(text)
    config["global"] |= {
        "slack_api_url_file": str(folder / "slack_api_url"),
        "pagerduty_url": f"{received.url}/pagerduty",
        "wechat_api_url": f"{received.url}/wechat/",
        "resolve_timeout": "5s",
    }
    config["templates"] = [str(source / "templates" / "*.tmpl")]
    # The office is always open here.
    config["time_intervals"] = [
        {
            "name": "office-hours",
            "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}],
        }
    ]
    _walk(config["route"], lambda route: route.update(_shortened(route)))
    for receiver in config["receivers"]:
        for pagerduty in receiver.get("pagerduty_configs", ()):
            pagerduty["routing_key_file"] = str(folder / "pagerduty_routing_key")
        for webhook in receiver.get("webhook_configs", ()):
            webhook["url"] = f"{received.url}/heartbeat"
            webhook["http_config"]["authorization"]["credentials_file"] = str(folder / "heartbeat_token")
    return config


def _walk(route: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> None:
    change(route)
    for below in route.get("routes", ()):
        _walk(below, change)


def _shortened(route: dict[str, Any]) -> dict[str, Any]:
    # A group waits long enough for what inhibits it to arrive.
    waits = {"group_wait": "3s", "group_interval": "2s"}
    return waits if "receiver" in route else {}
