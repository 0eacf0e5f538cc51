"""Makes the Chinese page of an English one: heading, paragraph and cell are looked up in docs/texts/zh.

The tables there have English text -> Chinese text, so a sentence that changes in English asks for a new one
in Chinese, and one that nobody says any more is found. Examples, flags and names stay as they are.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

TABLES = Path(__file__).parents[1] / "docs" / "texts" / "zh"

#: What needs no translation: code, numbers, punctuation.
_CODE = re.compile(r"\[?`[^`]*`\]?(\(#[^)]*\))?")

_CELL_END = re.compile(r"(?<!\\)\|")


class TranslationError(Exception):
    """The tables do not fit the English pages; says which texts, and where they have to go."""


class Translation:
    """Says in Chinese what a page says in English, and remembers what it was asked."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Takes English text -> Chinese text."""
        self._texts = texts
        self._asked: set[str] = set()

    def page(self, markdown: str) -> str:
        """The Chinese page; what has no Chinese text stays English, and `check` tells of it."""
        return "\n".join(self._blocks(markdown.splitlines()))

    def check(self) -> None:
        """Raises TranslationError where the pages so far need texts that are missing, or not all of them."""
        missing, stale = self._asked - self._texts.keys(), self._texts.keys() - self._asked
        if missing or stale:
            raise TranslationError(
                f"{TABLES}: without Chinese text: {sorted(missing)}; not said in English: {sorted(stale)}"
            )

    def _blocks(self, lines: list[str]) -> Iterator[str]:
        """Lines of the page; those of a paragraph come together."""
        paragraph: list[str] = []
        is_code = False
        for line in [*lines, ""]:
            is_fence = line.startswith("```")
            if paragraph and (is_fence or not line or line.startswith(("- ", "|", "#"))):
                yield self._say(" ".join(paragraph))
                paragraph = []
            is_code ^= is_fence
            if is_code or is_fence or not line:
                yield line
            elif line.startswith("|"):
                yield self._row(line)
            elif line.startswith("#"):
                marks, _, title = line.partition(" ")
                yield f"{marks} {self._say(title)}"
            else:
                paragraph.append(line.strip())

    def _row(self, line: str) -> str:
        cells = [cell.strip() for cell in _CELL_END.split(line)[1:-1]]
        return line if set(line) <= set("|-") else f"| {' | '.join(map(self._say, cells))} |"

    def _say(self, text: str) -> str:
        if not re.search(r"[A-Za-z]", _CODE.sub("", text)):
            return text
        self._asked.add(text)
        return self._texts.get(text, text)


def load() -> Translation:
    """The translation with all tables; raises TranslationError where two of them have the same text."""
    texts: dict[str, str] = {}
    for table in sorted(TABLES.glob("*.json")):
        added = json.loads(table.read_text(encoding="utf-8"))
        if twice := texts.keys() & added.keys():
            raise TranslationError(f"{table}: also in another table: {sorted(twice)}")
        texts |= added
    return Translation(texts)
