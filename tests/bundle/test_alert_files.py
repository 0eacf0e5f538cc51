"""The unit tests of promtool in `alerts/tests/`, which users run themselves; each alert has a yes and a no there."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bundle.rules import ROOT, groups, names
from tests.conftest import need_tool

FILES = sorted((ROOT / "alerts" / "tests").glob("*.yaml"))

#: True of every system at any time, so there is nothing in which it is silent.
ALWAYS = {"AsynqWatchdog"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_passes(path: Path) -> None:
    """`promtool test rules` is content."""
    done = subprocess.run(
        [need_tool("promtool"), "test", "rules", str(path)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent() -> None:
    """By name, of the questions that ask for one alert."""
    questions = list(_questions())

    assert names() == {name for name, fires in questions if fires}
    assert names() - ALWAYS == {name for name, fires in questions if not fires}


def test_every_severity_of_an_alert_fires_in_a_file() -> None:
    """A ladder is tried on each of its rungs."""
    tried = {
        (name, severity)
        for case in _cases()
        for sample in case.get("exp_samples") or ()
        for name in re.findall(r'alertname="(\w+)"', case["expr"])
        for severity in re.findall(r'severity="(\w+)"', sample["labels"] + case["expr"])
    }
    declared = {
        (rule["alert"], rule["labels"]["severity"]) for group in groups("alerts") for rule in group["rules"]
    }

    assert set() == declared - tried


def test_recordings_are_evaluated_before_the_alerts_that_read_them() -> None:
    """A file that gives an order names every group; an unnamed one would not be evaluated in it."""
    known = [group["name"] for name in ("rules", "alerts") for group in groups(name)]

    for path in FILES:
        if order := yaml.safe_load(path.read_text("utf-8")).get("group_eval_order"):
            assert order == known, path.stem


def _cases() -> Iterator[dict[str, Any]]:
    for path in FILES:
        for test in yaml.safe_load(path.read_text("utf-8"))["tests"]:
            yield from test["promql_expr_test"]


def _questions() -> Iterator[tuple[str, bool]]:
    """(alert, whether it is expected to fire) of every question about alerts."""
    for case in _cases():
        if match := re.search(r'ALERTS\{alertname=~?"([\w|.+]+)"', case["expr"]):
            # Silence may be asked of several at once, as of AsynqExporter.+
            asked = {name for name in names() if re.fullmatch(match[1], name)}
            fires = bool(case.get("exp_samples"))
            assert asked, case["expr"]
            assert len(asked) == 1 or not fires, case["expr"]
            yield from ((name, fires) for name in asked)
        elif "ALERTS" in case["expr"]:
            yield from (("AsynqWatchdog", True),)
