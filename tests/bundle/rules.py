"""The generated rules, and a way to try them with promtool."""

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import need_tool

ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "alerts" / "generated"

#: Labels that Prometheus adds to every series of the exporter.
TARGET = 'cluster="c", job="app-asynq", instance="one:9876"'

Json = Any


@cache
def groups(name: str) -> Sequence[Json]:
    """The groups of `alerts` or `rules`."""
    loaded: Json = yaml.safe_load((GENERATED / f"{name}.yaml").read_text("utf-8"))
    return tuple(loaded["groups"])


@cache
def alerts() -> Sequence[Json]:
    """Every alerting rule; one alert may have several."""
    return tuple(rule for group in groups("alerts") for rule in group["rules"])


def names() -> set[str]:
    """The names of all alerts."""
    return {rule["alert"] for rule in alerts()}


def series(metric: str, values: str, **labels: str) -> dict[str, str]:
    """An input series of one target."""
    more = "".join(f', {name}="{value}"' for name, value in labels.items())
    return {"series": f"{metric}{{{TARGET}{more}}}", "values": values}


@dataclass(frozen=True, slots=True)
class Try:
    """What is expected of an expression at a time, in minutes."""

    at: float
    expr: str
    #: Labels as text -> value.
    expected: Mapping[str, float]


def firing(alert: str, at: float, expected: Mapping[str, float], by: str = "severity") -> Try:
    """How many instances of an alert fire, by a label."""
    return Try(at, f'count by ({by}) (ALERTS{{alertname="{alert}", alertstate="firing"}})', expected)


def promtool_test(
    folder: Path, inputs: Iterable[Mapping[str, str]], tries: Iterable[Try], *, interval: str = "1m"
) -> None:
    """Runs one promtool unit test on the generated rules; fails with what promtool says."""
    file = {
        "rule_files": [str(GENERATED / "alerts.yaml"), str(GENERATED / "rules.yaml")],
        "evaluation_interval": interval,
        # Alerts read recordings: those come first, the five-minute ones before what is made of them.
        "group_eval_order": [group["name"] for group in (*groups("rules"), *groups("alerts"))],
        "tests": [
            {
                "interval": interval,
                "input_series": list(inputs),
                "promql_expr_test": [
                    {
                        "expr": each.expr,
                        "eval_time": f"{round(each.at * 60)}s",
                        "exp_samples": [
                            {"labels": labels, "value": value} for labels, value in each.expected.items()
                        ],
                    }
                    for each in tries
                ],
            }
        ],
    }
    path = folder / "test.yaml"
    path.write_text(yaml.safe_dump(file), encoding="utf-8")
    done = subprocess.run(
        [need_tool("promtool"), "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
