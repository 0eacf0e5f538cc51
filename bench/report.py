"""A section of bench/README.md: how it is measured, and the text that its last run left in results/."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import goals, picture
from bench.tables import table

__all__ = ["Section", "SkippedError", "page", "table", "write_readme"]

FOLDER = Path(__file__).parent
README = FOLDER / "README.md"
RESULTS = FOLDER / "results"
PICTURE = RESULTS / "scrape.svg"

INTRODUCTION = """\
# Benchmarks

`make bench` measures everything below against the real Go exporter (`x/metrics` of hibiken/asynq behind net/http), or Go's client
and server, on the same Redis, in one run and in turn: each round every contestant once, so that a machine that slows down slows all of them. On a
shared machine the ratios matter, not the milliseconds. `make bench ARGS='scrape crowd'` measures only those sections;
`make bench ARGS=--list` names them, and `make bench ARGS=--page` puts this page together anew without measuring. Needed are Go, a C
compiler and redis-server; redis_exporter is measured where it is found.
"""


class SkippedError(Exception):
    """A section cannot be measured on this machine; the message says what is missing."""


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
    """Puts the page and its picture together."""
    results = read_results(sections)
    README.write_text(page(results), encoding="utf-8")
    PICTURE.write_text(picture.draw(results["scrape"]), encoding="utf-8")


def read_results(sections: list[Section]) -> dict[str, str]:
    """What was ever measured: the text of each section by its name, in their order."""
    files = [RESULTS / f"{section.name}.md" for section in sections]
    return {file.stem: file.read_text(encoding="utf-8") for file in files if file.exists()}


def page(results: Mapping[str, str]) -> str:
    """The texts of the sections, and which goals they reach."""
    image = f"![{picture.TITLE}]({PICTURE.relative_to(FOLDER)})\n"
    return "\n".join([INTRODUCTION, image, *results.values(), goals.text(results)])
