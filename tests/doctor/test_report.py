"""The report as people and programs get it."""

import json
import re
import unicodedata

import jsonschema_rs
import pytest

from asynq_exporter.doctor import document, layout, text
from asynq_exporter.doctor.case import Case
from asynq_exporter.doctor.checks import NAMES
from asynq_exporter.doctor.commands import Place
from asynq_exporter.doctor.report import examine
from asynq_exporter.doctor.sample import SeenTask
from asynq_exporter.doctor.wording import LANGUAGES
from tests.doctor.cases import case, queue_case, queues, with_samples
from tests.doctor.table import TABLE

PLACE = Place(redis_url="redis://***@h:6379/0")


def shown(made: Case, *, language: str = "en", columns: int = 80, colour: bool = False) -> str:
    """The report for people."""
    style = text.Style(language=language, columns=columns, colour=colour)
    return text.render(examine(made), PLACE, style)


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", TABLE)
def test_lines_fit(name: str, language: str, columns: int) -> None:
    """No line is wider than the terminal, but those of commands, which are to be copied whole."""
    for line in shown(TABLE[name][0], language=language, columns=columns).splitlines():
        if not line.startswith("    $") and not line.startswith("      "):
            assert layout.width(line) <= columns, line


def test_parts_stand_in_order() -> None:
    """The worst first, each with its parts, what is fine, and one line that sums up."""
    tasks = (SeenTask(task_id="t-1", task_type="mail", error="code 7", last_failed_at_seconds=1),)
    report = shown(with_samples(queue_case(retry=60, paused=1, pending=3), retry=tasks)).splitlines()
    heads = [line.split()[0] for line in report if re.match(r"[A-Z]{2,}|  [A-Z]", line)]

    assert heads == [
        *("WARNING", "Evidence", "Cause", "Remedy", "Runbook"),
        *("WARNING", "Evidence", "Errors", "Types", "Cause", "Remedy", "Runbook"),
        "OK",
    ]
    assert any("1 × code <n>" in line for line in report)
    assert any("e.g. t-1 (mail)" in line for line in report)
    assert "0 critical, 2 warning, 0 info; 35 of 37 checks fine, 0 not possible" == report[-1]


def test_colour_is_only_colour() -> None:
    """Without it the same characters stand in the same places."""
    made = TABLE["task-retries.many"][0]
    coloured = shown(made, colour=True)

    assert "\x1b[1;33m" in coloured
    assert shown(made) == re.sub(r"\x1b\[[\d;]*m", "", coloured)


def test_healthy_report_says_so() -> None:
    """One line that calms down."""
    assert "Nothing to worry about: 37 of 37 checks fine" in shown(case()).splitlines()[-1]
    assert "没有需要担心的问题" in shown(case(), language="zh").splitlines()[-1]


def test_many_queues_do_not_flood_the_screen() -> None:
    """Five of a kind are shown, the rest is named; the causes are told once."""
    made = case(last={"queues": queues(**{f"q{n:02}": {"paused": 1, "pending": 3} for n in range(30)})})
    report = shown(made)

    assert 5 == report.count("is paused while tasks wait  ")
    assert "The same of 25 more: q05, q06" in report
    assert 4 == report.count("Cause      as above")
    assert 30 == json.loads(document.render(examine(made), PLACE, "en"))["summary"]["warning"]


def test_hostile_names_do_not_reach_the_terminal() -> None:
    """Queues, types, IDs and errors are names that strangers choose."""
    evil = "\x1b[2J\nroot# \u202e"
    tasks = (SeenTask(task_id=evil, task_type=evil, error=evil),)
    numbers = {"default": {"retry": 60}, evil: {"paused": 1, "workers": 0}}
    made = with_samples(case(last={"queues": queues(**numbers)}), retry=tasks)
    report = shown(made)

    assert not [c for c in report if c != "\n" and not c.isprintable()]
    assert not [line for line in report.splitlines() if line.startswith("root#")]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", TABLE)
def test_document_keeps_its_schema(name: str, language: str) -> None:
    """Whatever is found, and in either language."""
    made = json.loads(document.render(examine(TABLE[name][0]), PLACE, language))

    jsonschema_rs.validator_for(document.schema()).validate(made)
    assert name in {finding["id"] for finding in made["findings"]}


def test_schema_is_strict() -> None:
    """A field that nobody described is refused, so the schema cannot fall behind."""
    made = document.document(examine(case()), PLACE, "en")

    assert not jsonschema_rs.validator_for(document.schema()).is_valid(made | {"surprise": 1})
    assert not jsonschema_rs.validator_for(document.schema()).is_valid(made | {"exit_code": 3})


def test_document_says_what_the_text_says() -> None:
    """Numbers as numbers, and the same in both."""
    made = json.loads(document.render(examine(TABLE["queue-backlog.growing"][0]), PLACE, "en"))
    (finding,) = [f for f in made["findings"] if f["check"] == "queue-backlog"]

    assert (1_500, 60.0) == (finding["values"]["pending"], finding["values"]["in_per_second"])
    assert "default" == finding["queue"]
    assert list(NAMES) == [check["check"] for check in made["checks"]]
    assert "redis://***@h:6379/0" == made["redis"]


@pytest.mark.parametrize(
    ("words", "columns", "lines"),
    [
        ("aaa bbb ccc", 7, ["aaa bbb", "ccc"]),
        ("aaaaaaaaaa b", 4, ["aaaaaaaaaa", "b"]),
        ("任务堆积。", 6, ["任务堆", "积。"]),
        ("任务堆积。", 8, ["任务堆", "积。"]),
        ("队列 default 满", 9, ["队列", "default", "满"]),
        ("", 9, [""]),
    ],
)
def test_text_is_wrapped(words: str, columns: int, lines: list[str]) -> None:
    """At spaces and between Chinese characters, and no line begins with a full stop."""
    assert lines == layout.wrap(words, columns)


def test_width_counts_columns() -> None:
    """A Chinese character takes two, a combining one none."""
    assert 6 == layout.width("任a务b")
    assert 1 == layout.width(unicodedata.normalize("NFD", "é"))
    assert "任…" == layout.cut("任务堆积", 4)
