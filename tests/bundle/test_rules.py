"""The generated rules: current, lint-free, portable, and only of metrics that the exporter serves."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import _gojsonnet
import promql_parser
import pytest
import yaml

from asynq_exporter import metrics
from tests.bundle.rules import ROOT, alerts, groups
from tests.conftest import need_tool

#: Metrics that Prometheus itself makes of every target.
OF_PROMETHEUS = {"up", "scrape_duration_seconds", "ALERTS"}

EXPRESSIONS = [
    (rule.get("alert") or rule["record"], rule["expr"])
    for name in ("alerts", "rules")
    for group in groups(name)
    for rule in group["rules"]
]

SOURCES = sorted(
    source for pattern in ("*", "alerts/*", "dashboards/**/*") for source in ROOT.glob(f"{pattern}.libsonnet")
)


def evaluate(expression: str) -> Any:
    """The value of a jsonnet expression in the repository, without any library."""
    return json.loads(_gojsonnet.evaluate_snippet("test", expression, jpathdir=[str(ROOT)]))


def selectors(expr: str) -> Iterator[Any]:
    """Every vector selector of an expression."""
    found: list[Any] = []

    def note(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expr), pre_visit=note)
    return iter(found)


def test_generated_rules_are_current() -> None:
    """What is committed is what the mixin gives; `make bundle` writes it."""
    done = subprocess.run(
        [sys.executable, "tools/generate_bundle.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("field", "name"), [("prometheusAlerts", "alerts"), ("prometheusRules", "rules")])
def test_mixin_evaluates_with_both_engines_without_a_library(field: str, name: str) -> None:
    """go-jsonnet and the C++ jsonnet give the same groups, and these are the committed ones."""
    expression = f"(import 'mixin.libsonnet').{field}"
    cpp = subprocess.run(
        [need_tool("jsonnet"), "-e", expression], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert evaluate(expression) == json.loads(cpp.stdout)
    assert _texts(list(groups(name))) == _texts(evaluate(expression)["groups"])


def _texts(value: Any) -> Any:
    """The same without the newline that a block of YAML ends with."""
    if isinstance(value, dict):
        return {key: _texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return value.strip() if isinstance(value, str) else value


def test_configuration_is_overridden_in_the_usual_way() -> None:
    """`mixin { _config+:: … }` changes a threshold and the selector everywhere."""
    changed = evaluate(
        "((import 'mixin.libsonnet') + { _config+:: { asynqSelector: 'job=\"mine\"', "
        "alerts+: { AsynqQueueBacklog+: { threshold: 7 } } } }).prometheusAlerts"
    )
    rules = [rule for group in changed["groups"] for rule in group["rules"]]

    assert any(rule["alert"] == "AsynqQueueBacklog" and rule["expr"].endswith("> 7") for rule in rules)
    assert not [rule["alert"] for rule in rules if "(app-)?asynq" in rule["expr"]]


def test_bad_configuration_is_refused_by_field() -> None:
    """A mistake in `_config` names the field."""
    with pytest.raises(RuntimeError, match="AsynqQueueBacklog"):
        evaluate(
            "((import 'mixin.libsonnet') + { _config+:: { "
            "alerts+: { AsynqQueueBacklog+: { threshold: 'many' } } } }).prometheusAlerts"
        )


def test_promtool_finds_nothing() -> None:
    """`promtool check rules --lint-fatal` is clean."""
    files = sorted(map(str, (ROOT / "alerts" / "generated").glob("*.yaml")))
    done = subprocess.run(
        [need_tool("promtool"), "check", "rules", "--lint-fatal", *files],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_sources_are_formatted() -> None:
    """`jsonnetfmt --test` would change nothing."""
    style = ["-n", "2", "--max-blank-lines", "2", "--string-style", "s", "--comment-style", "s"]
    done = subprocess.run(
        [need_tool("jsonnetfmt"), "--test", *style, *map(str, SOURCES)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "expr"), EXPRESSIONS)
def test_expression_uses_what_is_served(name: str, expr: str) -> None:
    """Every selector names a metric that is served or recorded, and labels that it has."""
    served = {metric.name: set(metric.labels) for metric in metrics.METRICS}
    recorded = {record for record, _ in EXPRESSIONS if ":" in record}

    for selector in selectors(expr):
        assert selector.name in served.keys() | recorded | OF_PROMETHEUS, name
        for matcher in selector.matchers.matchers:
            allowed = served.get(selector.name, {"queue"}) | {"job", "cluster", "instance"}
            assert matcher.name in allowed, f"{name}: {selector.name} has no label {matcher.name}"
        assert "job" in {matcher.name for matcher in selector.matchers.matchers} or ":" in selector.name, name


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_alert_is_well_written(rule: dict[str, Any]) -> None:
    """The rules of mixtool and of pint that need no server."""
    labels, notes = rule["labels"], rule["annotations"]
    assert re.fullmatch(r"([A-Z]+[a-z0-9]+)+", rule["alert"])
    assert len(rule["alert"]) <= 40
    assert labels["severity"] in {"critical", "warning", "info"}
    assert labels["service"] == "asynq"
    assert "{{" not in notes["summary"]
    assert re.fullmatch(r"[A-Z].*\.", notes["summary"])
    assert notes["summary_zh"].endswith("。")
    assert "{{" in notes["description"]
    assert "{{" in notes["description_zh"]
    assert notes["runbook_url"].endswith(f"/{rule['alert']}.md")
    assert re.search(r"/d/asynq-(overview|queue|workers|health|redis|slo)\b", notes["dashboard_url"])
    assert re.search(r"[<>=]|absent\(", rule["expr"]), "an alert compares"
    assert rule["alert"] == "AsynqWatchdog" or "for" in rule
    assert not any("$value" in text for text in labels.values())


def test_groups_are_small_and_portable() -> None:
    """Names and sizes within mixtool's bounds; no key or function that Prometheus 2.42 lacks."""
    for name in ("alerts", "rules"):
        seen: set[str] = set()
        for group in groups(name):
            assert len(group["name"]) <= 40
            assert len(group["rules"]) <= 20
            assert group.keys() <= {"name", "interval", "rules"}
            assert group["name"] not in seen
            seen.add(group["name"])
    text = " ".join(expr for _, expr in EXPRESSIONS)
    assert not re.search(r"\b(limitk|info|histogram_avg|mad_over_time|sort_by_label|holt_winters)\(", text)


def test_no_rule_stands_twice() -> None:
    """The same name with the same labels exists once."""
    keys = [(rule["alert"], yaml.safe_dump(rule["labels"])) for rule in alerts()]

    assert len(keys) == len(set(keys))


def test_nothing_is_summed_over_replicas() -> None:
    """Two exporters of one Redis say the same: a sum would count it twice."""
    assert [] == [name for name, expr in EXPRESSIONS if re.search(r"\bsum\b", expr)]
