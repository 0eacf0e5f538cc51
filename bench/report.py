"""A section of bench/README.md: how it is measured, and the text that its last run left in results/."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
README = FOLDER / "README.md"
RESULTS = FOLDER / "results"

INTRODUCTION = """\
# Benchmarks

`make bench` measures everything below against the real Go exporter (`x/metrics` of hibiken/asynq behind net/http), or Go's client
and server, on the same Redis, in one run and in turn: each round every contestant once, so that a machine that slows down slows all of them. On a
shared machine the ratios matter, not the milliseconds. `make bench ARGS='scrape crowd'` measures only those sections;
`make bench ARGS=--list` names them.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One thing that is measured."""

    name: str
    title: str
    #: What is measured and how, in Markdown.
    text: str
    #: Measures; the tables as Markdown.
    run: Callable[[], str]

    def write(self) -> str:
        """Measures and keeps the result; the text."""
        text = f"## {self.title}\n\n{self.text.strip()}\n\n{self.run().strip()}\n"
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{self.name}.md").write_text(text, encoding="utf-8")
        return text


def write_readme(sections: list[Section]) -> None:
    """Puts the page together from what was ever measured, in the order of the sections, and the goals."""
    files = [RESULTS / f"{name}.md" for name in (*(section.name for section in sections), "goals")]
    parts = [file.read_text(encoding="utf-8") for file in files if file.exists()]
    README.write_text("\n".join([INTRODUCTION, *parts]), encoding="utf-8")


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table as Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
