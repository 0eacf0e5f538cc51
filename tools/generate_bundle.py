"""Writes the generated half of the monitoring bundle: `python tools/generate_bundle.py [--check]`.

Evaluates `mixin.libsonnet` with go-jsonnet and writes every output through one writer, so that the bytes
do not depend on who generates them. With `--check` nothing is written; a stale file ends it with 1.
"""

import importlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import _gojsonnet
import yaml

ROOT = Path(__file__).resolve().parent.parent

HEADER = "# Generated from mixin.libsonnet by tools/generate_bundle.py; change the source, not this file.\n"

#: Order in which people read a rule; jsonnet sorts by name.
RULE_KEYS = ("alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations")
ANNOTATION_KEYS = ("summary", "description", "summary_zh", "description_zh")
GROUP_KEYS = ("name", "interval", "rules")


class _Dumper(yaml.SafeDumper):
    """Block style with lists indented under their key and long strings left on one line."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002
        super().increase_indent(flow=flow, indentless=False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def evaluate(expression: str, *, root: Path = ROOT) -> Any:
    """The value of a jsonnet expression in the repository, as Python data.

    Raises:
        RuntimeError: the evaluation failed; the message holds its trace.
    """
    libraries = [str(root), str(root / "vendor")]
    return json.loads(_gojsonnet.evaluate_snippet("generate_bundle", expression, jpathdir=libraries))


def rule_file(groups: Mapping[str, Any]) -> str:
    """A Prometheus rule file as text: keys in reading order, multi-line expressions as blocks."""
    readable = {"groups": [_group(group) for group in groups["groups"]]}
    return HEADER + yaml.dump(readable, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def rule_resource(groups: Iterable[Mapping[str, Any]]) -> str:
    """The same for Prometheus Operator, as the resource that it looks for."""
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "asynq", "labels": {"app.kubernetes.io/name": "asynq-exporter"}},
        "spec": {"groups": [_group(group) for group in groups]},
    }
    return HEADER + yaml.dump(resource, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def rules() -> dict[str, str]:
    """The alerts and recording rules: path below the root -> text."""
    alerts = evaluate("(import 'mixin.libsonnet').prometheusAlerts")
    recordings = evaluate("(import 'mixin.libsonnet').prometheusRules")
    return {
        "alerts/generated/alerts.yaml": rule_file(alerts),
        "alerts/generated/rules.yaml": rule_file(recordings),
        "deploy/kubernetes/monitoring/prometheusrule.yaml": rule_resource(
            [*alerts["groups"], *recordings["groups"]]
        ),
    }


def dashboards() -> dict[str, str]:
    """The dashboards, by a module of their own; none where grafonnet is not installed."""
    if not (ROOT / "vendor").is_dir():
        print("vendor/ is absent (jb install): dashboards are left as they are", file=sys.stderr)
        return {}
    # Imported here because it needs what vendor/ holds.
    sys.path.insert(0, str(Path(__file__).parent))
    outputs: dict[str, str] = importlib.import_module("generate_dashboards").outputs()
    return outputs


#: Every part of the bundle that is generated.
OUTPUTS: tuple[Callable[[], dict[str, str]], ...] = (rules, dashboards)


def main(arguments: list[str]) -> int:
    """Writes or, with `--check`, compares; returns the exit code."""
    stale = [
        path
        for output in OUTPUTS
        for path, text in output().items()
        if not _same(ROOT / path, text) and _write(path, text, check="--check" in arguments)
    ]
    for path in stale:
        print(f"stale: {path}; run tools/generate_bundle.py")
    return 1 if stale else 0


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def _write(path: str, text: str, *, check: bool) -> bool:
    """Writes a file that differs; returns whether it stays stale."""
    if not check:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")
        print(f"wrote {path}")
    return check


def _group(group: Mapping[str, Any]) -> dict[str, Any]:
    ordered = _ordered(group, GROUP_KEYS)
    ordered["rules"] = [_rule(rule) for rule in group["rules"]]
    return ordered


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    ordered = _ordered(rule, RULE_KEYS)
    if "annotations" in ordered:
        ordered["annotations"] = _ordered(ordered["annotations"], ANNOTATION_KEYS)
    # A block ends with its own line break.
    if "\n" in ordered["expr"]:
        ordered["expr"] = ordered["expr"].rstrip("\n") + "\n"
    return ordered


def _ordered(mapping: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    known = {key: mapping[key] for key in keys if key in mapping}
    return known | {key: mapping[key] for key in sorted(mapping) if key not in known}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
