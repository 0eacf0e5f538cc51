"""The queries of the dashboards: PromQL that Prometheus accepts, over metrics that the exporter serves."""

import subprocess
from pathlib import Path

import promql_parser
import pytest
import yaml

from asynq_exporter import metrics
from asynq_exporter.metrics import records
from asynq_exporter.metrics.family import Metric
from tests.bundle import dashboards
from tests.bundle.dashboards import ROOT, Dashboard, in_english
from tests.conftest import need_tool

#: Labels that Prometheus attaches to a target.
TARGET_LABELS = {"cluster", "job", "instance"}
#: Series of Prometheus itself, with their own labels.
OF_PROMETHEUS: dict[str, set[str]] = {
    "up": set(),
    "scrape_duration_seconds": set(),
    "scrape_samples_scraped": set(),
    "ALERTS": {"alertname", "alertstate", "severity", "queue"},
    "ALERTS_FOR_STATE": {"alertname", "severity", "queue"},
}
#: Of prometheus_client, about every Python process.
OF_PROCESS = {"process_start_time_seconds", "process_resident_memory_bytes", "process_cpu_seconds_total"}
#: What looks at a range of a gauge; anything else here is for counters.
GAUGE_FUNCTIONS = {"deriv", "changes"}
#: Of the exporter, on no dashboard, and why.
NOT_SHOWN = {
    "asynq_queue_capacity": "the utilisation is drawn instead",
    "asynq_exporter_scan_duration_seconds": "scrape_duration_seconds is what Prometheus waits for",
    "asynq_api_requests_total": "the management API is off unless it is configured",
    "asynq_api_writes_total": "likewise; the audit log tells more",
    **dict.fromkeys(
        (metric.name for metric in records.METRICS), "there are task records only where a database is named"
    ),
    "asynq_exporter_collector_last_success_timestamp_seconds": "the collectors' success is drawn instead",
}

each_dashboard = pytest.mark.parametrize("dashboard", in_english(), ids=str)


def recorded() -> dict[str, set[str]]:
    """Recording rules -> labels, from the generated file."""
    groups = yaml.safe_load((ROOT / "alerts/generated/rules.yaml").read_text(encoding="utf-8"))["groups"]
    return {rule["record"]: {"queue"} for group in groups for rule in group["rules"]}


def samples_of(metric: Metric) -> dict[str, set[str]]:
    """Names of the samples of a metric -> their labels."""
    labels = set(metric.labels)
    if metric.kind != "histogram":
        return {metric.name: labels}
    return {
        f"{metric.name}_bucket": labels | {"le"},
        f"{metric.name}_sum": labels,
        f"{metric.name}_count": labels,
    }


def served() -> dict[str, set[str]]:
    """Metric -> labels beside those of the target: of the exporter, Prometheus and the recording rules."""
    ours: dict[str, set[str]] = {}
    for metric in metrics.METRICS:
        ours |= samples_of(metric)
    return ours | recorded() | OF_PROMETHEUS | {name: set() for name in OF_PROCESS}


@each_dashboard
def test_queries_use_metrics_and_labels_that_exist(dashboard: Dashboard) -> None:
    """Every selector names a metric that is served, and only labels of that metric."""
    known = served()
    for query in dashboard.all_queries:
        for selector in dashboards.selectors(query.expr):
            assert selector.name in known, f"{query}: nobody serves {selector.name}"
            unknown = dashboards.matchers(selector).keys() - known[selector.name] - TARGET_LABELS
            assert not unknown, f"{query}: {selector.name} has no label {unknown}"


@each_dashboard
def test_queries_group_by_labels_that_exist(dashboard: Dashboard) -> None:
    """What an aggregation keeps is a label of a metric below it: a typing error would collapse all series."""
    known = served()
    for query in dashboard.all_queries:
        for node, _ in dashboards.nodes(query.expr):
            if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
                below = set().union(*(known[selector.name] for selector in dashboards.selectors(str(node))))
                unknown = set(node.modifier.labels) - below - TARGET_LABELS
                assert not unknown, f"{query}: grouped by {unknown}"


@each_dashboard
def test_queries_treat_counters_and_gauges_as_such(dashboard: Dashboard) -> None:
    """Rates of counters alone; slopes and changes of gauges alone."""
    kinds = {metric.name: metric.kind for metric in metrics.METRICS}
    for query in dashboard.all_queries:
        for node, ancestors in dashboards.nodes(query.expr):
            if isinstance(node, promql_parser.MatrixSelector) and node.vector_selector.name in kinds:
                expected = "gauge" if ancestors[-1].func.name in GAUGE_FUNCTIONS else "counter"
                assert kinds[node.vector_selector.name] == expected, f"{query}: {ancestors[-1]}"


@each_dashboard
def test_queries_count_nothing_twice(dashboard: Dashboard) -> None:
    """Two replicas of the exporter serve the same Redis: nothing is summed over instances.

    The nearest aggregation above a selector is max, min or count by something; a sum only stands above that.
    """
    for query in dashboard.all_queries:
        for node, ancestors in dashboards.nodes(query.expr):
            if isinstance(node, promql_parser.VectorSelector) and "ALERTS" not in str(node):
                nearest = [item for item in ancestors if isinstance(item, promql_parser.AggregateExpr)][-1]
                assert str(nearest.op) in {"max", "min", "count"}, f"{query}: {nearest}"


@each_dashboard
def test_queries_follow_the_variables(dashboard: Dashboard) -> None:
    """Every selector follows cluster and job, and queue where the metric has one."""
    known = served()
    for query in dashboard.all_queries:
        # Inside quotes the variables do not disturb the parser; only ranges are replaced.
        text = query.raw.replace("[$__rate_interval]", "[1m]").replace("[$__range]", "[1h]")
        for selector in dashboards.selectors(text):
            matched = {(matcher.name, matcher.value) for matcher in selector.matchers.matchers}
            assert ("cluster", "$cluster") in matched, f"{query}: {selector}"
            assert matched & {("job", "$job"), ("job", "$job|")}, f"{query}: {selector}"
            if "queue" in known[selector.name] and not selector.name.startswith("ALERTS"):
                assert ("queue", "$queue") in matched, f"{query}: {selector}"


@each_dashboard
def test_variables_ask_for_labels_that_exist(dashboard: Dashboard) -> None:
    """Template variables take their values from a metric that is served, under their own name."""
    for item in dashboard.query_variables:
        selector, label = dashboards.variable_selector(item["query"])
        (parsed,) = dashboards.selectors(dashboards.substitute(selector))
        assert label == item["name"]
        assert label in served()[parsed.name] | TARGET_LABELS, item["name"]


@each_dashboard
def test_variables_are_chained(dashboard: Dashboard) -> None:
    """Data source, cluster, job, instance, queue: each follows those before it."""
    names = [item["name"] for item in dashboard.variables]
    assert names == [name for name in ("datasource", "cluster", "job", "instance", "queue") if name in names]
    assert {"datasource", "cluster", "job", "queue"} <= set(names)
    for position, item in enumerate(dashboard.variables[1:], start=1):
        assert item["datasource"]["uid"] == "${datasource}"
        used = dashboards.VARIABLE.findall(item["query"])
        assert [next(filter(None, groups)) for groups in used] == names[1:position], item["name"]


@pytest.mark.parametrize("language", [name for name in dashboards.LANGUAGES if name != "en"])
def test_queries_are_the_same_in_every_language(language: str) -> None:
    """What is tested in English holds for the others."""
    translated = [dashboard for dashboard in dashboards.all_dashboards() if dashboard.language == language]
    for one, other in zip(in_english(), translated, strict=True):
        assert [query.raw for query in one.all_queries] == [query.raw for query in other.all_queries]


def test_promtool_accepts_every_query(tmp_path: Path) -> None:
    """Prometheus itself parses them all: as recording rules."""
    queries = [query for dashboard in in_english() for query in dashboard.all_queries]
    rules = [{"record": f"panel:query:{number}", "expr": query.expr} for number, query in enumerate(queries)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run(
        [need_tool("promtool"), "check", "rules", str(file)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(queries)} rules found" in done.stdout


def test_every_metric_is_shown_somewhere() -> None:
    """What the exporter serves is on a dashboard; the exceptions are named with their reason."""
    shown = {
        selector.name
        for dashboard in in_english()
        for query in dashboard.all_queries
        for selector in dashboards.selectors(query.expr)
    }
    hidden = {metric.name for metric in metrics.METRICS if not shown & samples_of(metric).keys()}
    assert hidden == NOT_SHOWN.keys()
