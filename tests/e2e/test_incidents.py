"""From a queue in trouble to the message on somebody's phone, and to the one that says it is over."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.conftest import free_port, need_tool, wait_until
from tests.e2e.alarm_chain import Alertmanager, Sink, chain, sink

#: From the start of the demo to the message, and from the end of the incident to its end being told.
PATIENCE_SECONDS = 90.0

#: Scenario -> the alert that has to ring, a word of its queue or text, and alerts that must stay muted.
INCIDENTS = {
    "backlog": ("AsynqQueueBacklogSevere", "default", {("AsynqQueueBacklog", "default")}),
    "no-workers": ("AsynqWorkersOffline", "", set[tuple[str, str]]()),
    "dead-letter-flood": (
        "AsynqDeadLetterTasks",
        "dead_letter",
        {("AsynqDeadTasksGrowing", "dead_letter")},
    ),
    "redis-down": ("AsynqRedisDown", "", set[tuple[str, str]]()),
}


@contextmanager
def incident(folder: Path, scenario: str, port: int) -> Iterator[Callable[[], None]]:
    """A demo in which a scenario takes place; the function ends the incident."""
    command = [sys.executable, "-m", "asynq_exporter", "demo", f"--scenario={scenario}"]
    command.append(f"--web.listen-address=127.0.0.1:{port}")
    log = folder / "demo.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as demo,
    ):
        try:
            wait_until(lambda: demo.poll() is not None or _serves(port), what="the demo serves")
            assert demo.poll() is None, log.read_text()
            yield lambda: demo.send_signal(signal.SIGUSR1)
            assert demo.poll() is None, log.read_text()
        finally:
            demo.terminate()
            demo.wait(20)


def _serves(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/-/healthy", timeout=1) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


@pytest.mark.parametrize("scenario", INCIDENTS)
def test_incident_rings_the_right_bells(tmp_path: Path, scenario: str) -> None:
    """Critical goes to phone and chat, what it explains stays muted, and its end is told."""
    need_tool("redis-server")
    alert, queue, muted = INCIDENTS[scenario]
    port = free_port()
    with (
        sink() as received,
        incident(tmp_path, scenario, port) as end,
        chain(tmp_path, port, received) as alertmanager,
    ):
        wait_until(
            lambda: all(
                received.got(receiver, alert, queue) for receiver in ("pagerduty", "slack", "wechat")
            ),
            what=f"{alert} reaches phone and chat",
            seconds=PATIENCE_SECONDS,
        )
        wait_until(
            lambda: all(alertmanager.states().get(each) == "suppressed" for each in muted),
            what=f"{muted} are suppressed",
            seconds=PATIENCE_SECONDS,
        )
        _assert_message(received, alert)
        end()
        wait_until(
            lambda: received.got("pagerduty", alert, '"event_action": "resolve"'),
            what=f"the end of {alert} reaches the phone",
            seconds=PATIENCE_SECONDS,
        )
        wait_until(lambda: received.got("heartbeat", "AsynqWatchdog"), what="the heartbeat is heard")

    told = [message for message in received.messages if message.receiver in ("slack", "pagerduty")]
    for name, of in muted:
        assert not [m for m in told if f"{name}:" in m.text and of in m.text]
    assert not [m for m in told if "AsynqWatchdog" in m.text]


def test_redis_down_mutes_what_it_explains(tmp_path: Path) -> None:
    """Without Redis nobody is told that workers, queues or scans look bad too."""
    need_tool("redis-server")
    port = free_port()
    with (
        sink() as received,
        incident(tmp_path, "redis-down", port),
        chain(tmp_path, port, received) as alertmanager,
    ):
        wait_until(
            lambda: received.got("pagerduty", "AsynqRedisDown"), what="it rings", seconds=PATIENCE_SECONDS
        )
        wait_until(lambda: _only_redis_is_active(alertmanager), what="everything else is muted")
        rung = {m.text for m in received.messages if m.receiver == "pagerduty" and "trigger" in m.text}

    assert all("AsynqRedisDown" in text for text in rung)


def _only_redis_is_active(alertmanager: Alertmanager) -> bool:
    active = {name for (name, _), state in alertmanager.states().items() if state == "active"}
    return {"AsynqRedisDown", "AsynqWatchdog"} >= active > {"AsynqWatchdog"}


def _assert_message(received: Sink, alert: str) -> None:
    """English on Slack with its links, Chinese on WeChat Work."""
    slack = next(m.text for m in received.messages if m.receiver == "slack" and alert in m.text)
    wechat = next(m.text for m in received.messages if m.receiver == "wechat" and alert in m.text)
    assert f"{alert}.md" in slack
    assert "/d/asynq-" in slack
    assert "严重" in wechat
