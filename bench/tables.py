"""Tables as Markdown: written by the sections, read again by the goals."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A table that stands on a page."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def column(self, name: str) -> list[tuple[str, str]]:
        """First cell of each row, and the cell under a name; empty where the table has no such column."""
        if name not in self.head:
            return []
        place = self.head.index(name)
        return [(row[0], row[place]) for row in self.rows]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def read_tables(markdown: str) -> list[Table]:
    """The tables of a text, cells without their emphasis."""
    found: list[Table] = []
    block: list[list[str]] = []
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            block.append([cell.strip().strip("*") for cell in line.strip("|").split("|")])
        elif block:
            head, _, *rows = block
            found.append(Table(head, rows))
            block = []
    return found
