"""The dashboards as Grafana reads them: schema, grid, ids, texts in two languages, links, provisioning."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import Dashboard as Schema
from tools import generate_dashboards

from tests.bundle.dashboards import LANGUAGES, ROOT, Dashboard, all_dashboards, in_english

each_dashboard = pytest.mark.parametrize("dashboard", all_dashboards(), ids=str)

GRID_COLUMNS = 24
UIDS = {"asynq-overview", "asynq-queue", "asynq-workers", "asynq-health", "asynq-redis", "asynq-slo"}
#: Fields of the Prometheus plugin's annotations, which the schema of a dashboard leaves open.
OF_PLUGIN = re.compile(r"annotations\.list\[\d+\]\.(titleFormat|textFormat|useValueForTime)")
#: Texts that differ between languages, beside the names of the columns.
TRANSLATED = {"title", "description", "legendFormat", "displayName", "text", "name", "label", "titleFormat"}
CHINESE = re.compile(r"[\u4e00-\u9fff]")
#: Titles that are the same in both languages.
INTERNATIONAL = {"Redis", "Asynq / SLO"}
#: Where a panel may say in which way it shows something: place -> the schema's names.
ENUMS = {
    "options.tooltip.mode": common.TooltipDisplayMode,
    "options.tooltip.sort": common.SortOrder,
    "options.legend.displayMode": common.LegendDisplayMode,
    "options.legend.placement": common.LegendPlacement,
    "options.colorMode": common.BigValueColorMode,
    "options.graphMode": common.BigValueGraphMode,
    "options.textMode": common.BigValueTextMode,
    "options.justifyMode": common.BigValueJustifyMode,
    "options.orientation": common.VizOrientation,
    "options.cellHeight": common.TableCellHeight,
    "options.displayMode": common.BarGaugeDisplayMode,
    "options.valueMode": common.BarGaugeValueMode,
    "fieldConfig.defaults.custom.showPoints": common.VisibilityMode,
    "fieldConfig.defaults.custom.stacking.mode": common.StackingMode,
    "fieldConfig.defaults.custom.thresholdsStyle.mode": common.GraphThresholdsStyleMode,
}


@each_dashboard
def test_schema_knows_every_key(dashboard: Dashboard) -> None:
    """Nothing is lost on the way through Grafana's own types: what they do not know, Grafana ignores."""
    assert lost(dashboard.json) == []


@pytest.mark.parametrize(
    "place",
    ["refesh", "panels[1].lineWith", "panels[1].fieldConfig.defaults.units", "panels[1].gridPos.width"],
)
def test_schema_notices_a_misspelt_key(place: str) -> None:
    """The round trip finds what it is for."""
    broken = json.loads(json.dumps(in_english()[0].json))
    *path, key = re.findall(r"\w+", place)
    node = broken
    for step in path:
        node = node[int(step) if step.isdigit() else step]
    node[key] = 1
    assert lost(broken) == [place]


def lost(dashboard: Any) -> list[str]:
    """The places whose value does not survive the round trip through grafana-foundation-sdk."""
    plugins.register_default_plugins()
    back = json.loads(json.dumps(Schema.from_json(dashboard), cls=JSONEncoder))
    return [place for place in _differences(dashboard, back, "") if not OF_PLUGIN.fullmatch(place)]


@each_dashboard
def test_words_of_the_schema_are_spelt_right(dashboard: Dashboard) -> None:
    """The round trip accepts any value of an enumeration; Grafana falls back to a default in silence."""
    for panel in dashboard.panels:
        for place, enum in ENUMS.items():
            value = _at(panel, place)
            assert value is None or value in {member.value for member in enum}, f"{panel['title']}: {place}"


@each_dashboard
def test_frame_is_as_agreed(dashboard: Dashboard) -> None:
    """Uid, tags, refresh and time: set, stable, and not derived from the title."""
    frame = dashboard.json
    assert frame["uid"] == dashboard.file.removesuffix(".json")
    assert 8 <= len(frame["uid"]) <= 40
    assert frame["tags"] == ["asynq"]
    assert frame["description"]
    assert frame["graphTooltip"] == 1
    assert frame["refresh"] == "30s"
    assert frame["time"] == {"from": "now-3h", "to": "now"}
    assert 39 <= frame["schemaVersion"] <= 41
    assert not {"id", "version", "iteration", "__inputs"} & frame.keys()


def test_all_six_exist_in_every_language() -> None:
    """The six of the documentation, with their uids."""
    for language in LANGUAGES:
        found = [dashboard.json["uid"] for dashboard in all_dashboards() if dashboard.language == language]
        assert sorted(found) == sorted(UIDS)


def test_guide_panels_open_the_overview() -> None:
    """The four panels of section 2.4 of the guide come first, in its order and, in Chinese, in its words."""
    overview = {
        dashboard.language: dashboard
        for dashboard in all_dashboards()
        if dashboard.file == "asynq-overview.json"
    }
    assert [panel["title"] for panel in overview["zh"].panels[:4]] == [
        "队列大小趋势",
        "处理速率",
        "失败率",
        "Worker 状态",
    ]
    first = [[target["expr"] for target in panel["targets"]] for panel in overview["en"].panels[:4]]
    for metric, exprs in zip(
        ("asynq_queue_size", "rate(asynq_processed_total", "asynq_failed_total", "asynq_active_workers"),
        first,
        strict=True,
    ):
        assert any(metric in expr for expr in exprs)
    assert {panel["gridPos"]["y"] for panel in overview["en"].panels[:4]} == {1}


@each_dashboard
def test_panels_do_not_overlap(dashboard: Dashboard) -> None:
    """Every panel lies inside the grid, and no two share a cell."""
    boxes = [(panel["title"], panel["gridPos"]) for panel in dashboard.json["panels"]]
    for title, box in boxes:
        assert box["x"] >= 0, title
        assert box["x"] + box["w"] <= GRID_COLUMNS, title
        assert box["h"] >= 1, title
    for (title, one), (other_title, other) in combinations(boxes, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, f"{title} and {other_title}"


@each_dashboard
def test_lines_of_panels_are_full(dashboard: Dashboard) -> None:
    """No hole in the grid: the panels of a line share its height and fill its width."""
    for line in {panel["gridPos"]["y"] for panel in dashboard.panels}:
        boxes = [panel["gridPos"] for panel in dashboard.panels if panel["gridPos"]["y"] == line]
        assert sum(box["w"] for box in boxes) == GRID_COLUMNS, f"line {line}"
        assert len({box["h"] for box in boxes}) == 1, f"line {line}"


@each_dashboard
def test_ids_and_ref_ids_are_explicit_and_unique(dashboard: Dashboard) -> None:
    """Links to a panel hold; queries have names within their panel."""
    ids = [panel["id"] for panel in dashboard.everything]
    assert ids == list(range(1, len(ids) + 1))
    for panel in dashboard.panels:
        ref_ids = [target["refId"] for target in panel["targets"]]
        assert ref_ids == [chr(ord("A") + index) for index in range(len(ref_ids))], panel["title"]


@each_dashboard
def test_panels_say_what_is_normal_and_what_to_do(dashboard: Dashboard) -> None:
    """Three paragraphs: what is shown, what is normal, what to do otherwise."""
    normal, act = {"en": ("Normal", "If not"), "zh": ("正常", "处理")}[dashboard.language]
    for panel in dashboard.panels:
        what, second, third = panel["description"].split("\n\n")
        assert what.endswith((".", "。")), panel["title"]
        assert second.startswith(f"**{normal}**"), panel["title"]
        assert third.startswith(f"**{act}**"), panel["title"]
        assert panel["description"].endswith((".", "。")), panel["title"]


@each_dashboard
def test_titles_tell_panels_apart(dashboard: Dashboard) -> None:
    """No two graphs of a dashboard have one title; a number may repeat the title of its graph."""
    keys = [(panel["type"] == "stat", panel["type"] == "table", panel["title"]) for panel in dashboard.panels]
    assert len(keys) == len(set(keys))


@each_dashboard
def test_overrides_and_sorting_name_columns_that_exist(dashboard: Dashboard) -> None:
    """A renamed column or a dropped query would leave them without effect, silently."""
    for panel in dashboard.panels:
        ref_ids = {target["refId"] for target in panel["targets"]}
        columns = {
            name
            for change in panel.get("transformations", ())
            if change["id"] == "organize"
            for name in change["options"]["renameByName"].values()
        }
        for override in panel["fieldConfig"].get("overrides", ()):
            known = ref_ids if override["matcher"]["id"] == "byFrameRefID" else columns
            assert override["matcher"]["options"] in known, panel["title"]
        for sort in panel["options"].get("sortBy", ()):
            assert sort["displayName"] in columns, panel["title"]


@each_dashboard
def test_table_columns_belong_to_a_query(dashboard: Dashboard) -> None:
    """Every value column is that of a query, and the queries are instant tables."""
    for panel in dashboard.panels:
        if panel["type"] != "table":
            continue
        (names,) = [
            change["options"]["include"]["names"]
            for change in panel["transformations"]
            if change["id"] == "filterFieldsByName"
        ]
        values = {name for name in names if name.startswith("Value")}
        ref_ids = [target["refId"] for target in panel["targets"]]
        assert values <= ({"Value"} if len(ref_ids) == 1 else {f"Value #{ref_id}" for ref_id in ref_ids})
        assert all(target["format"] == "table" and target["instant"] for target in panel["targets"])


@each_dashboard
def test_thresholds_climb_from_the_base(dashboard: Dashboard) -> None:
    """The first step has no value, and the others rise."""
    for panel in dashboard.panels:
        for steps in _thresholds(panel):
            values = [step["value"] for step in steps]
            assert values[0] is None, panel["title"]
            assert values[1:] == sorted(set(values[1:])), panel["title"]


@each_dashboard
def test_links_lead_somewhere(dashboard: Dashboard) -> None:
    """Links between dashboards name a uid of ours and keep time range, job and cluster."""
    urls = [
        link["url"]
        for panel in dashboard.panels
        for override in panel["fieldConfig"].get("overrides", ())
        for prop in override["properties"]
        if prop["id"] == "links"
        for link in prop["value"]
    ]
    for url in urls:
        match = re.match(r"/d/([\w-]+)\?", url)
        assert match
        assert match[1] in UIDS
        for part in (
            "${datasource:queryparam}",
            "${cluster:queryparam}",
            "${job:queryparam}",
            "${__url_time_range}",
        ):
            assert part in url
        assert "var-queue=${__data.fields.queue:percentencode}" in url
    dropdown, *others = dashboard.json["links"]
    assert dropdown["type"] == "dashboards"
    assert dropdown["asDropdown"]
    assert dropdown["includeVars"]
    assert dropdown["keepTime"]
    assert all(link["type"] == "link" and link["url"].startswith("https://") for link in others)


def test_overview_table_opens_the_queue() -> None:
    """The name of a queue in the overview is a link to its dashboard."""
    (overview,) = [dashboard for dashboard in in_english() if dashboard.file == "asynq-overview.json"]
    (table,) = [panel for panel in overview.panels if panel["title"] == "Queues"]
    (override,) = [
        item for item in table["fieldConfig"]["overrides"] if item["matcher"]["options"] == "Queue"
    ]
    assert override["properties"][0]["value"][0]["url"].startswith("/d/asynq-queue?")


def test_annotations_show_alerts_and_restarts() -> None:
    """Firing alerts without the watchdog, which always fires; restarts of the exporter."""
    for dashboard in in_english():
        alerts, restarts = dashboard.annotations
        assert 'alertstate="firing"' in alerts.raw
        assert 'alertname!="AsynqWatchdog"' in alerts.raw
        assert "process_start_time_seconds" in restarts.raw


def test_languages_differ_in_words_only() -> None:
    """English and Chinese come from one source: same panels, queries, places; other texts."""
    for one in in_english():
        (other,) = [
            dashboard
            for dashboard in all_dashboards()
            if dashboard.language == "zh" and dashboard.file == one.file
        ]
        assert _shape(one.json) == _shape(other.json), one.file


@each_dashboard
def test_texts_are_in_the_language(dashboard: Dashboard) -> None:
    """Titles and descriptions of the Chinese are Chinese, those of the English are not."""
    texts = [dashboard.title, dashboard.json["description"]]
    texts += [
        panel[key] for panel in dashboard.everything for key in ("title", "description") if key in panel
    ]
    for text in texts:
        if dashboard.language == "en":
            assert not CHINESE.search(text), text
        else:
            assert CHINESE.search(text) or text in INTERNATIONAL, text


def test_no_text_is_left_over() -> None:
    """Every text in the sources is used: of each dashboard's panels and rows, and of the shared words."""
    folder = ROOT / "dashboards"
    code = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.libsonnet")}
    kit = "".join(path.read_text(encoding="utf-8") for path in (folder / "lib").glob("*.libsonnet"))
    for name in ("overview", "queue", "workers", "health", "redis", "slo"):
        texts = _evaluated(
            f"local t = (import 'dashboards/texts/{name}.libsonnet')((import 'config.libsonnet')._config);"
            " { t: std.objectFields(t.panels), 'texts.rows': std.objectFields(t.rows) }"
        )
        unused = {
            f"{group}.{key}"
            for group, keys in texts.items()
            for key in keys
            if not re.search(rf"\b{re.escape(group)}\.{key}\b", code[name])
        }
        assert not unused, f"texts/{name}.libsonnet: {sorted(unused)}"
    words = _evaluated(
        "local words = import 'dashboards/texts/words.libsonnet';"
        " std.mapWithKey(function(group, texts) std.objectFields(texts), words)"
    )
    everything = kit + "".join(code.values())
    # `c` is what the dashboards call the columns.
    short = {"columns": r"(?:columns|c)"}
    unused = {
        f"{group}.{key}"
        for group, keys in words.items()
        for key in keys
        if not re.search(rf"\b{short.get(group, group)}\.{key}\b", everything)
    }
    assert not unused, f"texts/words.libsonnet: {sorted(unused)}"


def test_data_sources_are_provisioned() -> None:
    """Prometheus under the uid that links use, and its Alertmanager; the interval is that of the scrapes."""
    sources = _provisioning("datasources")["datasources"]
    prometheus, alertmanager = sources
    assert (prometheus["type"], prometheus["uid"]) == ("prometheus", "prometheus")
    assert prometheus["isDefault"] is True
    assert prometheus["jsonData"]["timeInterval"] == _evaluated(
        "(import 'config.libsonnet')._config.scrapeInterval"
    )
    assert prometheus["jsonData"]["httpMethod"] == "POST"
    assert prometheus["jsonData"]["alertmanagerUid"] == alertmanager["uid"]
    assert (alertmanager["type"], alertmanager["jsonData"]["implementation"]) == (
        "alertmanager",
        "prometheus",
    )
    for source in sources:
        assert source["access"] == "proxy"
        assert source["editable"] is False
        assert re.fullmatch(r"http://[a-z]+:\d+", source["url"])
        assert not {"password", "basicAuthPassword", "secureJsonData"} & source.keys()


def test_dashboards_are_provisioned() -> None:
    """One folder, one language, no changes in the browser."""
    (provider,) = _provisioning("dashboards")["providers"]
    assert provider["type"] == "file"
    assert provider["folder"] == "Asynq"
    assert provider["allowUiUpdates"] is False
    assert provider["disableDeletion"] is True
    assert provider["updateIntervalSeconds"] == 30
    *_, folder, language = provider["options"]["path"].split("/")
    assert folder == "dashboards"
    assert language in LANGUAGES


def _provisioning(kind: str) -> Any:
    (file,) = (ROOT / "dashboards" / "provisioning" / kind).iterdir()
    loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert loaded["apiVersion"] == 1
    return loaded


def _evaluated(expression: str) -> Any:
    return generate_dashboards.evaluate(expression)


def _differences(one: Any, other: Any, place: str) -> Iterator[str]:
    match one, other:
        case dict(), dict():
            for key in one:
                inner = f"{place}.{key}".lstrip(".")
                if key in other:
                    yield from _differences(one[key], other[key], inner)
                else:
                    yield inner
        case list(), list() if len(one) == len(other):
            for index, (left, right) in enumerate(zip(one, other, strict=True)):
                yield from _differences(left, right, f"{place}[{index}]")
        case _:
            if one != other:
                yield place


def _at(panel: Any, place: str) -> Any:
    node = panel
    for step in place.split("."):
        node = node.get(step) if isinstance(node, dict) else None
    return node


def _thresholds(panel: Any) -> Iterator[list[Any]]:
    config = panel["fieldConfig"]
    if "thresholds" in config["defaults"]:
        yield config["defaults"]["thresholds"]["steps"]
    for override in config.get("overrides", ()):
        for prop in override["properties"]:
            if prop["id"] == "thresholds":
                yield prop["value"]["steps"]


def _shape(node: Any, *, key: str = "", column: bool = False) -> Any:
    """A dashboard without its words: texts become their kind, names of columns too."""
    if isinstance(node, dict):
        renamed = key == "renameByName"
        return {name: _shape(value, key=name, column=renamed) for name, value in node.items()}
    if isinstance(node, list):
        return [_shape(value, key=key) for value in node]
    by_name = key == "options" and isinstance(node, str)
    return str if isinstance(node, str) and (column or by_name or key in TRANSLATED) else node
