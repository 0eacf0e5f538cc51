"""The committed dashboards are those of the source: by hash everywhere, by evaluation where grafonnet is."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from tools import generate_dashboards

from tests.bundle.dashboards import GENERATED, ROOT
from tests.conftest import need_tool

HINT = "run `make bundle`"
FORMAT = ("-n", "2", "--max-blank-lines", "2", "--string-style", "s", "--comment-style", "s")
#: What one configuration gives, as the mixin hands it out.
EXPRESSION = "(import 'dashboards/dashboards.libsonnet')((import 'config.libsonnet')._config%s)"

ROWS = "(import 'dashboards/lib/layout.libsonnet').rows(%s)"


def manifest() -> dict[str, dict[str, str]]:
    """The committed manifest."""
    loaded: dict[str, dict[str, str]] = json.loads((GENERATED / "manifest.json").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture
def vendor() -> Path:
    """The folder with grafonnet, which is not committed and which CI does not have."""
    folder = ROOT / "vendor"
    if not (folder / "github.com/grafana/grafonnet").is_dir():
        pytest.skip("grafonnet is not installed (jb install); the manifest is what counts here")
    return folder


def test_manifest_names_every_source_as_it_is() -> None:
    """A source that changed without the dashboards being generated again is noticed without grafonnet."""
    recorded, present = manifest()["sources"], generate_dashboards.source_hashes()
    changed = {path for path in recorded.keys() | present.keys() if recorded.get(path) != present.get(path)}
    assert not changed, f"stale dashboards, changed since: {sorted(changed)}; {HINT}"


def test_manifest_names_every_output_as_it_is() -> None:
    """A generated file that was edited by hand, lost or added is noticed without grafonnet."""
    present = {
        path.relative_to(ROOT).as_posix(): path
        for path in GENERATED.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    recorded = manifest()["outputs"]
    assert present.keys() == recorded.keys(), HINT
    texts = {name: path.read_text(encoding="utf-8") for name, path in present.items()}
    assert json.loads(generate_dashboards.manifest(texts))["outputs"] == recorded, HINT


def test_every_jsonnet_file_is_a_source() -> None:
    """No file lies below dashboards/ that no dashboard needs."""
    written = {path.relative_to(ROOT).as_posix() for path in (ROOT / "dashboards").rglob("*.libsonnet")}
    assert written - manifest()["sources"].keys() == set()


@pytest.mark.usefixtures("vendor")
def test_generation_gives_the_committed_files() -> None:
    """Where grafonnet is installed, generating again changes nothing."""
    outputs = generate_dashboards.outputs()
    stale = [path for path, text in outputs.items() if _committed(path) != text]
    assert not stale, f"stale: {stale}; {HINT}"


def test_both_evaluators_agree(vendor: Path, tmp_path: Path) -> None:
    """The jsonnet command line, C++ in Debian, gives the dashboards that go-jsonnet gives."""
    source = tmp_path / "dashboards.jsonnet"
    source.write_text(EXPRESSION % "", encoding="utf-8")
    command = [need_tool("jsonnet"), "-J", str(ROOT), "-J", str(vendor), "-m", str(tmp_path), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    for path in sorted((GENERATED / "en").glob("*.json")):
        other = json.loads((tmp_path / path.name).read_text(encoding="utf-8"))
        assert generate_dashboards.dashboard_text(other) == path.read_text(encoding="utf-8"), path.name


@pytest.mark.usefixtures("vendor")
def test_configuration_reaches_the_dashboards() -> None:
    """Numbers, uids, tags and clusters come from the configuration; no dashboard has its own."""
    changes = (
        " + { alerts+: { AsynqRetryHigh+: { threshold: 4711 } }, clusters: ['c1', 'c2'],"
        " uids+: { overview: 'my-overview' }, dashboardTags: ['mine'], asynqmonUrl: 'https://asynqmon' }"
    )
    dashboards = generate_dashboards.evaluate(EXPRESSION % changes)
    overview = dashboards["asynq-overview.json"]
    assert overview["uid"] == "my-overview"
    assert overview["tags"] == ["mine"]
    assert overview["links"][0]["tags"] == ["mine"]
    assert overview["links"][-1]["url"] == "https://asynqmon"
    cluster = next(item for item in overview["templating"]["list"] if item["name"] == "cluster")
    assert cluster.get("hide", 0) == 0
    retry = next(panel for panel in overview["panels"] if panel["title"] == "In retry")
    assert retry["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]["value"] == 4712
    assert "4711" in retry["description"]


@pytest.mark.usefixtures("vendor")
@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        (EXPRESSION % " + { dashboardLanguage: 'fr' }", "dashboardLanguage is 'fr'"),
        ("(import 'dashboards/lib/panels.libsonnet').stat({ title: 't' }, 's', [{}])", "needs a description"),
        ("(import 'dashboards/lib/panels.libsonnet').stat({ description: 'd' }, 's', [{}])", "needs a title"),
        (
            "(import 'dashboards/lib/panels.libsonnet').stat({ title: 't', description: 'd' }, '', [{}])",
            "needs a unit",
        ),
        (
            "(import 'dashboards/lib/panels.libsonnet').stat({ title: 't', description: 'd' }, 's', [])",
            "has no query",
        ),
        (ROWS % "[{ title: 'r', panels: [[{ title: 'p' }, 25, 1]] }]", "25 wide"),
        ("(import 'dashboards/lib/text.libsonnet')('en')({ en: 'only English' })", "neither"),
    ],
)
def test_incomplete_panels_do_not_evaluate(expression: str, sentence: str) -> None:
    """A panel without title, description, unit or query fails with a sentence, and so does half a text."""
    with pytest.raises(RuntimeError, match=re.escape(sentence)):
        generate_dashboards.evaluate(expression)


def test_layout_flows_and_wraps() -> None:
    """Panels flow left to right, wrap at 24 columns; a collapsed row holds its panels and takes one line."""
    cells = "[[{ n: 1 }, 12, 4], [{ n: 2 }, 12, 6], [{ n: 3 }, 6, 3]]"
    rows = generate_dashboards.evaluate(
        ROWS % f"[{{ title: 'a', panels: {cells} }}, {{ title: 'b', collapsed: true, panels: {cells} }},"
        " { title: 'c', panels: [] }]"
    )
    places = {
        item["id"]: tuple(item["gridPos"][key] for key in "xywh")
        for row in rows
        for item in (row, *row.get("panels", ()))
    }
    assert places == {
        1: (0, 0, 24, 1),
        2: (0, 1, 12, 4),
        3: (12, 1, 12, 6),
        4: (0, 7, 6, 3),
        5: (0, 10, 24, 1),
        6: (0, 11, 12, 4),
        7: (12, 11, 12, 6),
        8: (0, 17, 6, 3),
        9: (0, 11, 24, 1),
    }


def test_sources_are_formatted() -> None:
    """Jsonnetfmt changes nothing."""
    files = [ROOT / "g.libsonnet", *sorted((ROOT / "dashboards").rglob("*.libsonnet"))]
    command = [need_tool("jsonnetfmt"), *FORMAT, "--test", "--", *map(str, files)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _committed(path: str) -> str | None:
    file = ROOT / path
    return file.read_text(encoding="utf-8") if file.exists() else None
