"""A runbook for each alert and an alert for each runbook, in both languages."""

import re
from pathlib import Path

import pytest

from asynq_exporter import metrics
from asynq_exporter.cli import program
from asynq_exporter.settings import OPTIONS
from tests.bundle.rules import ROOT, groups, names

FOLDER = ROOT / "alerts" / "runbooks"
HEADINGS = {
    "en": ["Meaning", "Impact", "Diagnosis", "Remedy"],
    "zh": ["含义", "影响", "排查", "处理"],
}
PAGES = [("en", page) for page in sorted(FOLDER.glob("*.md"))] + [
    ("zh", page) for page in sorted((FOLDER / "zh").glob("*.md"))
]


def test_alerts_and_runbooks_are_one_to_one() -> None:
    """No alert without a page in each language, no page without its alert."""
    for language in HEADINGS:
        assert names() == {page.stem for found, page in PAGES if found == language}


@pytest.mark.parametrize(("language", "page"), PAGES, ids=lambda value: getattr(value, "stem", value))
def test_runbook_has_its_parts(language: str, page: Path) -> None:
    """Title, a link to the other language, four headings each with something, and a command to run."""
    text = page.read_text("utf-8")

    assert text.startswith(f"# {page.stem}\n")
    assert HEADINGS[language] == re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert all(len(part.strip()) > 6 for part in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:])
    assert "```" in text
    (link,) = re.findall(r"\]\(([^)]+\.md)\)", text)
    assert (page.parent / link).exists()


@pytest.mark.parametrize(("language", "page"), PAGES, ids=lambda value: getattr(value, "stem", value))
def test_runbook_names_only_what_exists(language: str, page: Path) -> None:
    """Metrics, alerts and flags that a page mentions exist."""
    text = page.read_text("utf-8")
    recorded = {rule["record"] for group in groups("rules") for rule in group["rules"]}
    known = {metric.name for metric in metrics.METRICS} | recorded
    flags = {option.flag for option in OPTIONS.values()} | set(program.commands)

    for name in re.findall(r"`(asynq_[a-z_]+)[`{=\[]", text):
        assert name in known, f"{page.stem} ({language}): {name}"
    for name in re.findall(r"\bAsynq[A-Z]\w+", text):
        assert name in names() or name in {"Asynqmon"}, f"{page.stem} ({language}): {name}"
    for name in re.findall(r"`--(?:no-)?((?:redis|web|queues|collector|scan|log)\.[a-z.-]+)", text):
        assert name in flags, f"{page.stem} ({language}): --{name}"
