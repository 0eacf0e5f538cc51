"""The generated dashboards, as the tests read them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ROOT / "dashboards" / "generated"
LANGUAGES = ("en", "zh")

#: A variable of Grafana in any of its spellings. It begins with a letter: `$1` belongs to label_replace.
VARIABLE = re.compile(r"\$\{(\w+)(?::\w+)?\}|\$([A-Za-z_]\w*)|\[\[(\w+)\]\]")

#: What Grafana puts into a query when everything is chosen. Another variable fails the test.
VALUES: Mapping[str, str] = {
    "cluster": ".*",
    "job": ".+",
    "instance": ".+",
    "queue": ".+",
    "__rate_interval": "1m",
    "__range": "1h",
}


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel, or of a template variable."""

    dashboard: str
    #: Title of the panel, or name of the variable.
    panel: str
    kind: str
    ref_id: str
    #: As stored, with the variables of Grafana.
    raw: str
    instant: bool

    def __str__(self) -> str:
        return f"{self.dashboard} / {self.panel} / {self.ref_id}"

    @property
    def expr(self) -> str:
        """PromQL, variables replaced."""
        return substitute(self.raw)


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A generated dashboard."""

    language: str
    file: str
    json: Any

    def __str__(self) -> str:
        return f"{self.language}/{self.file}"

    @property
    def title(self) -> str:
        """Its title."""
        return str(self.json["title"])

    @property
    def panels(self) -> list[Any]:
        """All panels but rows, those of collapsed rows included."""
        return [panel for panel in self.everything if panel["type"] != "row"]

    @property
    def everything(self) -> list[Any]:
        """All panels and rows."""
        return [inner for panel in self.json["panels"] for inner in (panel, *panel.get("panels", ()))]

    @property
    def queries(self) -> list[Query]:
        """Every query of every panel."""
        return [
            Query(
                self.title,
                panel["title"],
                panel["type"],
                target["refId"],
                target["expr"],
                bool(target.get("instant")),
            )
            for panel in self.panels
            for target in panel["targets"]
        ]

    @property
    def variables(self) -> list[Any]:
        """The template variables."""
        return list(self.json["templating"]["list"])

    @property
    def query_variables(self) -> list[Any]:
        """The template variables that ask Prometheus."""
        return [item for item in self.variables if item["type"] == "query"]

    @property
    def all_queries(self) -> list[Query]:
        """Every query of panels and annotations."""
        return [*self.queries, *self.annotations]

    @property
    def annotations(self) -> list[Query]:
        """The queries of its annotations."""
        return [
            Query(self.title, annotation["name"], "annotation", "-", annotation["expr"], instant=False)
            for annotation in self.json["annotations"]["list"]
        ]


@cache
def all_dashboards() -> tuple[Dashboard, ...]:
    """All generated dashboards, both languages."""
    return tuple(
        Dashboard(language, path.name, json.loads(path.read_text(encoding="utf-8")))
        for language in LANGUAGES
        for path in sorted((GENERATED / language).glob("*.json"))
    )


def in_english() -> list[Dashboard]:
    """One language is enough where only queries matter."""
    return [dashboard for dashboard in all_dashboards() if dashboard.language == "en"]


def substitute(text: str) -> str:
    """PromQL as Prometheus gets it; KeyError names a variable that no dashboard has."""
    return VARIABLE.sub(lambda match: VALUES[next(name for name in match.groups() if name)], text)


def variable_selector(query: str) -> tuple[str, str]:
    """The metric selector and the label of a `label_values(selector, label)`."""
    match = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
    assert match, f"not label_values(selector, label): {query}"
    return match[1], match[2]


def nodes(expr: str) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Every node of an expression with its ancestors, the root first.

    Raises:
        ValueError: it does not parse.
    """
    return _walk(promql_parser.parse(expr), ())


def selectors(expr: str) -> list[Any]:
    """Every vector selector of an expression."""
    return [node for node, _ in nodes(expr) if isinstance(node, promql_parser.VectorSelector)]


def matchers(selector: Any) -> dict[str, str]:
    """Label -> value of the matchers of a selector."""
    return {matcher.name: matcher.value for matcher in selector.matchers.matchers}


def _walk(node: Any, ancestors: tuple[Any, ...]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    yield node, ancestors
    for child in _children(node):
        yield from _walk(child, (*ancestors, node))


def _children(node: Any) -> list[Any]:
    match node:
        case promql_parser.Call():
            return list(node.args)
        case promql_parser.BinaryExpr():
            return [node.lhs, node.rhs]
        case promql_parser.AggregateExpr():
            return [node.expr, *([] if node.param is None else [node.param])]
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
            return [node.expr]
        case promql_parser.MatrixSelector():
            return [node.vector_selector]
        case _:
            return []
