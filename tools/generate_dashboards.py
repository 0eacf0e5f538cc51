"""Generates the dashboards in English and Chinese; `tools/generate_bundle.py` writes them.

They are evaluated with go-jsonnet and grafonnet (`jb install`, below vendor/). The manifest records the
hashes of all sources and outputs, so that a stale dashboard is noticed where grafonnet is absent.
"""

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import _gojsonnet
import yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "dashboards/generated"
LANGUAGES = ("en", "zh")

#: Where the evaluation starts; all that they import, except from vendor/, is a source.
ENTRIES = ("config.libsonnet", "dashboards/dashboards.libsonnet")

_EVALUATION = """
local config = (import 'config.libsonnet') { _config+:: { dashboardLanguage: '%s' } };
local dashboards = (import 'dashboards/dashboards.libsonnet')(config._config);
{ dashboards: dashboards, lint: dashboards.lint }
"""

_IMPORT = re.compile(r"\bimport(?:str)?\s+'([^']+)'")
_LINT_HEADER = "# Generated from dashboards/lint.libsonnet; read by Grafana's dashboard-linter.\n"


def outputs(*, root: Path = ROOT) -> dict[str, str]:
    """Every generated file of the dashboards: path below the root -> text.

    Raises:
        RuntimeError: the evaluation failed, grafonnet may be missing; the message holds the trace.
    """
    files: dict[str, str] = {}
    for language in LANGUAGES:
        result = evaluate(_EVALUATION % language, root=root)
        for name, dashboard in result["dashboards"].items():
            files[f"{FOLDER}/{language}/{name}"] = dashboard_text(dashboard)
        lint = yaml.safe_dump(result["lint"], allow_unicode=True, width=10_000)
        files[f"{FOLDER}/{language}/.lint"] = _LINT_HEADER + lint
    files[f"{FOLDER}/manifest.json"] = manifest(files, root=root)
    return files


def evaluate(expression: str, *, root: Path = ROOT) -> Any:
    """The value of a jsonnet expression in the repository, as Python data."""
    libraries = [str(root), str(root / "vendor")]
    return json.loads(_gojsonnet.evaluate_snippet("generate_dashboards", expression, jpathdir=libraries))


def dashboard_text(dashboard: Any) -> str:
    """The one form in which a dashboard is stored."""
    return json.dumps(dashboard, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def manifest(files: dict[str, str], *, root: Path = ROOT) -> str:
    """SHA-256 of every source and of every output, as JSON."""
    return dashboard_text(
        {
            "sources": source_hashes(root=root),
            "outputs": {path: _sha256(text.encode()) for path, text in files.items()},
        },
    )


def source_hashes(*, root: Path = ROOT) -> dict[str, str]:
    """SHA-256 of every source; grafonnet is not one, its version stands in g.libsonnet."""
    return {path: _sha256((root / path).read_bytes()) for path in sources(root=root)}


def sources(*, root: Path = ROOT) -> list[str]:
    """The entries and, transitively, what they import; sorted paths below the root."""
    found: set[str] = set()
    waiting = list(ENTRIES)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        if path.endswith(".libsonnet"):
            text = (root / path).read_text(encoding="utf-8")
            waiting += [_resolve(path, name, root=root) for name in _imports(text) if not _is_library(name)]
    return sorted(found)


def main() -> int:
    """Writes all files; `tools/generate_bundle.py` does the same for the whole bundle."""
    for path, text in outputs().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")
    return 0


def _imports(text: str) -> list[str]:
    code = (line for line in text.splitlines() if not line.lstrip().startswith("//"))
    return [name for line in code for name in _IMPORT.findall(line)]


def _is_library(name: str) -> bool:
    return name.startswith("github.com/")


def _resolve(importer: str, name: str, *, root: Path) -> str:
    return (root / importer).parent.joinpath(name).resolve().relative_to(root).as_posix()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
