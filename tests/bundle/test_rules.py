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
    """go-jsonnet and the C++ jsonnet's YAML give the same groups, and these are the committed ones."""
    expression = f"(import 'mixin.libsonnet').{field}"
    # The line that users type, as in the head of mixin.libsonnet.
    cpp = subprocess.run(
        [need_tool("jsonnet"), "-S", "-e", f"std.manifestYamlDoc({expression})"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert evaluate(expression) == yaml.safe_load(cpp.stdout)
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


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (
            "alerts+: { AsynqQueueBacklog+: { threshold: 'many' } }",
            '_config.alerts.AsynqQueueBacklog.threshold must be a number of 0 or more, not "many"',
        ),
        (
            "alerts+: { AsynqRetryHigh+: { threshold: -1 } }",
            "_config.alerts.AsynqRetryHigh.threshold must be a number of 0 or more, not -1",
        ),
        (
            "alerts+: { AsynqRetryHigh+: { 'for': 'soon' } }",
            '_config.alerts.AsynqRetryHigh.for must be a duration such as 5m, not "soon"',
        ),
        (
            "alerts+: { AsynqRetryHigh+: { severity: 'loud' } }",
            "_config.alerts.AsynqRetryHigh.severity must be one of info, warning, critical",
        ),
        (
            "alerts+: { AsynqRetryHihg+: { threshold: 1 } }",
            "AsynqRetryHihg: there is no such alert",
        ),
        (
            "alerts+: { AsynqRetryHigh+: { treshold: 1 } }",
            "_config.alerts.AsynqRetryHigh.treshold: there is no such field of an alert",
        ),
        ("alerts+: { AsynqRetryHigh: 50 }", "_config.alerts.AsynqRetryHigh must be an object, not 50"),
        (
            "alerts+: { AsynqQueueLatencyHigh+: { queues+: { emials: { warning: 5 } } } }",
            "_config.alerts.AsynqQueueLatencyHigh.queues.emials: there is no such queue",
        ),
        (
            "alerts+: { AsynqRedisMemoryHigh+: { levels: { warning: 0.9, critical: 0.8 } } }",
            "_config.alerts.AsynqRedisMemoryHigh.levels must climb from info to critical",
        ),
        ("queues+: { critcal+: { capacity: 5 } }", "_config.queues.critcal is not a documented queue"),
        (
            "queues+: { critical+: { capacity: 0 } }",
            "_config.queues.critical.capacity must be a number above 0, not 0",
        ),
        (
            "queues+: { critical+: { thresholds+: { pending+: { warning: -5 } } } }",
            "_config.queues.critical.thresholds.pending.warning must be a number of 0 or more, not -5",
        ),
        (
            "queues+: { critical+: { thresholds+: { waiting: { warning: 5 } } } }",
            "_config.queues.critical.thresholds.waiting: there is no such state",
        ),
        ("slo+: { objective: 99 }", "_config.slo.objective must be a number between 0 and 1, not 99"),
        ("slo+: { burn: [{ long: '1h' }] }", "_config.slo.burn[0].factor is missing"),
        ("asynqSelector: ''", "_config.asynqSelector must be a text that is not empty"),
        ("clusters: 'eu'", '_config.clusters must be a list of texts, not "eu"'),
        (
            "backpressure+: { warning: 70 }",
            "_config.backpressure.warning must be a number between 0 and 1",
        ),
    ],
)
def test_bad_configuration_is_refused_by_field(override: str, sentence: str) -> None:
    """Wrong type, negative number, unknown queue, alert or field: the sentence names where and what."""
    for output in ("prometheusAlerts", "prometheusRules"):
        with pytest.raises(RuntimeError, match=re.escape(sentence)):
            evaluate(f"((import 'mixin.libsonnet') + {{ _config+:: {{ {override} }} }}).{output}")


@pytest.mark.parametrize(
    "override",
    [
        "alerts+: { AsynqQueueBacklog+: { threshold: 0 } }",
        (
            "queues+: { emails: { weight: 2, capacity: 100, thresholds: { pending: { warning: 50 } } } }, "
            "alerts+: { AsynqQueueLatencyHigh+: { queues+: { emails: { warning: 30 } } } }"
        ),
        "slo+: { objective: 0.999 }",
    ],
)
def test_good_configuration_is_accepted(override: str) -> None:
    """What is unusual but sound passes: a zero, a queue of one's own, another objective."""
    assert evaluate(f"((import 'mixin.libsonnet') + {{ _config+:: {{ {override} }} }}).prometheusAlerts")


def test_alert_is_switched_off_alone() -> None:
    """`enabled: false` takes an alert out of the groups, and no other."""
    changed = evaluate(
        "((import 'mixin.libsonnet') + { _config+:: { "
        "alerts+: { AsynqQueueAboveNormal+: { enabled: false } } } }).prometheusAlerts"
    )
    left = {rule["alert"] for group in changed["groups"] for rule in group["rules"]}

    assert {rule["alert"] for rule in alerts()} - left == {"AsynqQueueAboveNormal"}


def test_absence_is_noticed_in_each_cluster() -> None:
    """With `clusters`, one rule for each: a cluster that vanishes is not hidden by the others."""
    changed = evaluate(
        "((import 'mixin.libsonnet') + { _config+:: { clusters: ['eu', 'us'] } }).prometheusAlerts"
    )
    absent = [
        rule["expr"]
        for group in changed["groups"]
        for rule in group["rules"]
        if rule["alert"] == "AsynqExporterAbsent"
    ]

    assert [['cluster="eu"' in expr, 'cluster="us"' in expr] for expr in absent] == [
        [True, False],
        [False, True],
    ]


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


def nodes(expr: str, kind: type) -> list[Any]:
    """Every node of a kind in an expression."""
    found: list[Any] = []

    def note(node: Any) -> bool:
        if isinstance(node, kind):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expr), pre_visit=note)
    return found


def test_recording_reads_only_earlier_ones_of_its_group() -> None:
    """Groups have no order among each other: a recording of another group may be one evaluation old."""
    for group in groups("rules"):
        known: set[str] = set()
        for rule in group["rules"]:
            read = {selector.name for selector in selectors(rule["expr"]) if ":" in selector.name}
            assert read <= known, rule["record"]
            known.add(rule["record"])


def test_alert_reads_recordings_that_exist() -> None:
    """A renamed recording would silence its alerts for ever."""
    recorded = {rule["record"] for group in groups("rules") for rule in group["rules"]}
    read = {
        selector.name for rule in alerts() for selector in selectors(rule["expr"]) if ":" in selector.name
    }

    assert read <= recorded
    assert read


@pytest.mark.parametrize(("name", "expr"), EXPRESSIONS)
def test_range_holds_four_scrapes(name: str, expr: str) -> None:
    """A rate over fewer than four scrapes of 15 s loses its value with one failed scrape."""
    for matrix in nodes(expr, promql_parser.MatrixSelector):
        assert matrix.range.total_seconds() >= 4 * 15, name


@pytest.mark.parametrize(("name", "expr"), EXPRESSIONS)
def test_counter_is_read_by_its_growth(name: str, expr: str) -> None:
    """Every `_total` stands inside rate or increase, and nothing else does."""
    grown = [
        call.args[0].vector_selector.name
        for call in nodes(expr, promql_parser.Call)
        if call.func.name in {"rate", "increase"}
    ]
    counters = [selector.name for selector in selectors(expr) if selector.name.endswith("_total")]

    assert sorted(grown) == sorted(counters), name


@pytest.mark.parametrize(("name", "expr"), EXPRESSIONS)
def test_divisor_is_never_zero(name: str, expr: str) -> None:
    """A division is guarded by `> 0`: an idle queue has no ratio rather than NaN."""
    for division in nodes(expr, promql_parser.BinaryExpr):
        if str(division.op) == "/":
            assert str(division.rhs).endswith("> 0)"), name


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_description_uses_labels_that_the_alert_has(rule: dict[str, Any]) -> None:
    """A label that the aggregation drops would be an empty word in the message."""
    kept = {label for by in re.findall(r"max by \(([^)]*)\)", rule["expr"]) for label in by.split(", ")}
    kept |= {"job", "queue"} if "cluster_job_queue:" in rule["expr"] else set()
    # absent() copies what the selector names with `=`; the text asks for it with `with`.
    kept |= {"cluster"} if "absent(" in rule["expr"] else set()

    for note in rule["annotations"].values():
        assert set(re.findall(r"\$labels\.(\w+)", note)) <= kept


@pytest.mark.parametrize(("name", "expr"), EXPRESSIONS)
def test_regular_expression_is_needed(name: str, expr: str) -> None:
    """`=~` without a pattern is `=`; anchors are there already."""
    for selector in selectors(expr):
        for matcher in selector.matchers.matchers:
            if str(matcher.op) in {"MatchOp.Re", "MatchOp.NotRe"}:
                assert re.search(r"[|.?*+()\[]", matcher.value), f"{name}: {matcher.name}"
                assert not re.search(r"^\^|\$$", matcher.value), f"{name}: {matcher.name}"
