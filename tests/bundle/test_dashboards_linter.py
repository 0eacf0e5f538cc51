"""The rules of Grafana's dashboard-linter 0.2.0, ported: it needs a Go that distributions do not have.

A rule is a function that yields what is wrong; `.lint` beside the dashboards tells what to overlook, and why.
The two rules for Loki and `template-label-promql-rule` for other data sources have nothing to look at here.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.models import units

from tests.bundle import dashboards
from tests.bundle.dashboards import GENERATED, Dashboard, all_dashboards

#: Place of a finding: panel title (or None) and index of the target (or None); then the sentence.
Finding = tuple[str | None, int | None, str]
Rule = Callable[[Dashboard], Iterator[Finding]]

#: Panel types that the linter looks at.
CHECKED = {"stat", "singlestat", "graph", "table", "timeseries", "gauge"}
#: It asks for the data source of these only.
SOURCED = {"singlestat", "graph", "table", "timeseries"}
DATASOURCES = {"$datasource", "${datasource}"}
UNITS = {value for name, value in vars(units).items() if not name.startswith("_") and isinstance(value, str)}
RATES = {"rate", "irate"}
COUNTER_FUNCTIONS = RATES | {"increase"}


def template_datasource_rule(dashboard: Dashboard) -> Iterator[Finding]:
    """One data source variable, with the usual name and label."""
    sources = [item for item in dashboard.variables if item["type"] == "datasource"]
    if not sources:
        yield None, None, "no data source variable"
    for item in sources:
        if item["name"] not in {"datasource", "prometheus_datasource"}:
            yield None, None, f"the data source variable is called {item['name']}"
        if item["label"] != "Data source":
            yield None, None, f"the data source variable has the label {item['label']}"
        if item["query"] != "prometheus":
            yield None, None, f"it chooses among {item['query']}"


def template_job_rule(dashboard: Dashboard) -> Iterator[Finding]:
    """A variable `job` as it ought to be."""
    return _template(dashboard, "job", "Job")


def template_instance_rule(dashboard: Dashboard) -> Iterator[Finding]:
    """A variable `instance` as it ought to be."""
    return _template(dashboard, "instance", "Instance")


def template_label_promql_rule(dashboard: Dashboard) -> Iterator[Finding]:
    """Query variables ask for label values of a selector that parses."""
    for item in dashboard.query_variables:
        match = re.fullmatch(r"(label_values|label_names|metrics|query_result)\((.+)\)", item["query"])
        if not match:
            yield None, None, f"variable {item['name']}: {item['query']}"
            continue
        selector, label = dashboards.variable_selector(item["query"])
        if not re.fullmatch("[a-z_]+", label) or _parse_error(selector):
            yield None, None, f"variable {item['name']} does not parse: {item['query']}"


def template_on_time_change_reload_rule(dashboard: Dashboard) -> Iterator[Finding]:
    """Query variables follow the time range."""
    for item in dashboard.query_variables:
        if item.get("refresh") != 2:
            yield None, None, f"variable {item['name']} is not refreshed on a change of the time range"


def panel_datasource_rule(dashboard: Dashboard) -> Iterator[Finding]:
    """Panels use the data source variable."""
    for panel in dashboard.panels:
        if panel["type"] in SOURCED and panel["datasource"]["uid"] not in DATASOURCES:
            yield panel["title"], None, f"data source {panel['datasource']}"


def panel_title_description_rule(dashboard: Dashboard) -> Iterator[Finding]:
    """Panels have a title and a description."""
    for panel in dashboard.panels:
        if not panel.get("title") or not panel.get("description"):
            yield panel.get("title"), None, "no title or description"


def panel_units_rule(dashboard: Dashboard) -> Iterator[Finding]:
    """Panels have a unit that Grafana knows; here those with value mappings too."""
    for panel in dashboard.panels:
        defaults = panel["fieldConfig"]["defaults"]
        overridden = [
            prop["value"]
            for override in panel["fieldConfig"].get("overrides", ())
            for prop in override["properties"]
            if prop["id"] == "unit"
        ]
        for unit in (defaults.get("unit"), *overridden):
            if unit not in UNITS:
                yield panel["title"], None, f"unit {unit}"


def panel_no_targets_rule(dashboard: Dashboard) -> Iterator[Finding]:
    """Panels have queries."""
    for panel in dashboard.panels:
        if not panel.get("targets"):
            yield panel["title"], None, "no query"


def target_promql_rule(dashboard: Dashboard) -> Iterator[Finding]:
    """Queries parse once the variables are replaced."""
    for title, index, expr in _targets(dashboard):
        if error := _parse_error(expr):
            yield title, index, error


def target_rate_interval_rule(dashboard: Dashboard) -> Iterator[Finding]:
    """Rate and irate look at $__rate_interval; no range stands outside a function."""
    for title, index, expr in _targets(dashboard, values={**dashboards.VALUES, "__rate_interval": "4711s"}):
        for node, ancestors in dashboards.nodes(expr):
            if isinstance(node, promql_parser.MatrixSelector):
                call = ancestors[-1] if ancestors else None
                if not isinstance(call, promql_parser.Call):
                    yield title, index, "a range outside any function"
                elif call.func.name in RATES and node.range.total_seconds() != 4711:
                    yield title, index, f"{call.func.name} over {node.range}"


def target_job_rule(dashboard: Dashboard) -> Iterator[Finding]:
    """Every selector follows the variable `job`."""
    return _target_label(dashboard, "job")


def target_instance_rule(dashboard: Dashboard) -> Iterator[Finding]:
    """Every selector follows the variable `instance`."""
    return _target_label(dashboard, "instance")


def target_counter_agg_rule(dashboard: Dashboard) -> Iterator[Finding]:
    """A counter stands directly inside rate, irate or increase; Grafana's linter misses those with labels."""
    for title, index, expr in _targets(dashboard):
        for node, ancestors in dashboards.nodes(expr):
            if isinstance(node, promql_parser.VectorSelector) and (node.name or "").endswith("_total"):
                call = ancestors[-2] if len(ancestors) > 1 else None
                if not isinstance(call, promql_parser.Call) or call.func.name not in COUNTER_FUNCTIONS:
                    yield title, index, f"{node.name} outside rate, irate and increase"


def uneditable_dashboard(dashboard: Dashboard) -> Iterator[Finding]:
    """Provisioned dashboards are not edited in place."""
    if dashboard.json["editable"] is not False:
        yield None, None, "editable"


RULES: dict[str, Rule] = {
    "template-datasource-rule": template_datasource_rule,
    "template-job-rule": template_job_rule,
    "template-instance-rule": template_instance_rule,
    "template-label-promql-rule": template_label_promql_rule,
    "template-on-time-change-reload-rule": template_on_time_change_reload_rule,
    "panel-datasource-rule": panel_datasource_rule,
    "panel-title-description-rule": panel_title_description_rule,
    "panel-units-rule": panel_units_rule,
    "panel-no-targets-rule": panel_no_targets_rule,
    "target-promql-rule": target_promql_rule,
    "target-rate-interval-rule": target_rate_interval_rule,
    "target-job-rule": target_job_rule,
    "target-instance-rule": target_instance_rule,
    "target-counter-agg-rule": target_counter_agg_rule,
    "uneditable-dashboard": uneditable_dashboard,
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dashboard", all_dashboards(), ids=str)
def test_rule_finds_nothing(dashboard: Dashboard, rule: str) -> None:
    """No finding but those that .lint overlooks."""
    entries = exclusions(dashboard.language).get(rule, {}).get("entries", [])
    findings = [finding for finding in RULES[rule](dashboard) if not _excluded(dashboard, finding, entries)]
    assert not findings


@pytest.mark.parametrize("language", dashboards.LANGUAGES)
def test_every_exclusion_is_needed_and_has_a_reason(language: str) -> None:
    """An exclusion without effect would hide the next mistake."""
    for rule, exclusion in exclusions(language).items():
        assert exclusion["reason"].endswith("."), rule
        for entry in exclusion["entries"]:
            needed = [
                finding
                for dashboard in all_dashboards()
                if dashboard.language == language
                for finding in RULES[rule](dashboard)
                if _excluded(dashboard, finding, [entry])
            ]
            assert needed, f"{rule} finds nothing at {entry}"


def exclusions(language: str) -> dict[str, Any]:
    """What the .lint of a language overlooks."""
    loaded: dict[str, Any] = yaml.safe_load((GENERATED / language / ".lint").read_text(encoding="utf-8"))
    return dict(loaded["exclusions"])


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("template-datasource-rule", lambda json: json["templating"]["list"].pop(0)),
        ("template-job-rule", lambda json: _variable(json, "job").update(allValue=".*")),
        ("template-instance-rule", lambda json: _variable(json, "instance").update(multi=False)),
        (
            "template-label-promql-rule",
            lambda json: _variable(json, "queue").update(query="label_values(a{, queue)"),
        ),
        ("template-on-time-change-reload-rule", lambda json: _variable(json, "queue").update(refresh=1)),
        (
            "panel-datasource-rule",
            lambda json: _panel(json, "timeseries")["datasource"].update(uid="-- Mixed --"),
        ),
        ("panel-title-description-rule", lambda json: _panel(json, "stat").update(description="")),
        (
            "panel-units-rule",
            lambda json: _panel(json, "stat")["fieldConfig"]["defaults"].update(unit="seconds"),
        ),
        ("panel-no-targets-rule", lambda json: _panel(json, "stat").update(targets=[])),
        ("target-promql-rule", lambda json: _target(json, 'sum(x{job=~"$job"}')),
        ("target-rate-interval-rule", lambda json: _target(json, "rate(x_total[5m])")),
        ("target-rate-interval-rule", lambda json: _target(json, "irate(x_total[$__range])")),
        ("target-job-rule", lambda json: _target(json, 'x{job=~"${job}", instance=~"$instance"}')),
        ("target-instance-rule", lambda json: _target(json, 'x{job=~"$job"} + y{instance=~"$instance"}')),
        ("target-counter-agg-rule", lambda json: _target(json, "sum(x_total{a='b'})")),
        ("target-counter-agg-rule", lambda json: _target(json, "max_over_time(x_total[1h])")),
        ("uneditable-dashboard", lambda json: json.update(editable=True)),
    ],
)
def test_rule_finds_what_it_is_for(rule: str, change: Callable[[Any], object]) -> None:
    """Each rule is red on a dashboard that breaks it, and green on the one before."""
    source = next(dashboard for dashboard in dashboards.in_english() if dashboard.file == "asynq-redis.json")
    broken = Dashboard(source.language, source.file, _copy(source.json))
    assert not list(RULES[rule](broken))
    change(broken.json)
    assert list(RULES[rule](broken))


def _copy(json: Any) -> Any:
    if isinstance(json, dict):
        return {key: _copy(value) for key, value in json.items()}
    return [_copy(value) for value in json] if isinstance(json, list) else json


def _variable(json: Any, name: str) -> Any:
    return next(item for item in json["templating"]["list"] if item["name"] == name)


def _panel(json: Any, kind: str) -> Any:
    return next(panel for panel in json["panels"] if panel["type"] == kind)


def _target(json: Any, expr: str) -> None:
    _panel(json, "timeseries")["targets"][0]["expr"] = expr


def _template(dashboard: Dashboard, name: str, label: str) -> Iterator[Finding]:
    found = [item for item in dashboard.variables if item["name"] == name]
    if not found:
        yield None, None, f"no variable {name}"
        return
    expected = {"type": "query", "label": label, "multi": True, "allValue": ".+"}
    for key, value in expected.items():
        if found[0].get(key) != value:
            yield None, None, f"variable {name}: {key} is {found[0].get(key)!r}, not {value!r}"
    if found[0]["datasource"]["uid"] not in DATASOURCES:
        yield None, None, f"variable {name}: data source {found[0]['datasource']}"


def _targets(dashboard: Dashboard, *, values: dict[str, str] | None = None) -> Iterator[tuple[str, int, str]]:
    """Panel title, index and PromQL of every query; `values` replace the usual ones."""
    chosen = dashboards.VALUES if values is None else values
    for panel in dashboard.panels:
        for index, target in enumerate(panel["targets"]):
            expr = dashboards.VARIABLE.sub(
                lambda match: chosen[next(name for name in match.groups() if name)], target["expr"]
            )
            yield panel["title"], index, expr


def _target_label(dashboard: Dashboard, label: str) -> Iterator[Finding]:
    """The linter wants the matcher in this spelling: label=~"$label"."""
    for panel in dashboard.panels:
        for index, target in enumerate(panel["targets"]):
            # Inside quotes the variables do not disturb the parser; only ranges are replaced.
            expr = re.sub(r"\[\$__\w+", "[1m", target["expr"])
            if _parse_error(expr):
                continue
            for selector in dashboards.selectors(expr):
                found = [matcher for matcher in selector.matchers.matchers if matcher.name == label]
                if [(matcher.op, matcher.value) for matcher in found] != [
                    (promql_parser.MatchOp.Re, f"${label}")
                ]:
                    yield panel["title"], index, f"{selector} does not follow ${label}"


def _parse_error(expr: str) -> str | None:
    try:
        promql_parser.parse(expr)
    except ValueError as error:
        return str(error)
    return None


def _excluded(dashboard: Dashboard, finding: Finding, entries: list[Any]) -> bool:
    return any(
        entry["dashboard"] == dashboard.title
        and entry.get("panel", finding[0]) == finding[0]
        and entry.get("targetIdx", str(finding[1])) == str(finding[1])
        for entry in entries
    )
