"""What was promised, judged by the tables that the last runs left."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.tables import Table, read_tables, table

TEXT = """
## Goals

What was promised, and what the tables above say of it. "stretch" is what was hoped for beyond the goal.
"""

#: The ratio to a table's first row up to which something counts as flat.
FLAT = 1.2

FIRST_NUMBER = re.compile(r"\d[\d,]*\.?\d*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A promise, and where the number stands that tells whether it is kept."""

    what: str
    #: A section, and a column of one of its tables.
    section: str
    column: str
    #: First cell of the table's head, where several tables have that column.
    of: str = ""
    #: First cells of the rows that count; empty: all.
    rows: Sequence[str] = ()
    #: One limit for all rows, or one for each.
    limits: Sequence[float]
    stretch: Sequence[float] = ()
    #: Whether more is better.
    at_least: bool = False

    def found(self, results: Mapping[str, str]) -> list[tuple[str, str]]:
        """First cell and cell of each row that counts; none when that was not measured."""
        tables = read_tables(results.get(self.section, ""))
        for each in tables:
            if self.column in each.head and self.of in ("", each.head[0]):
                return _chosen(each, self)
        return []

    def missed(self, cells: Sequence[tuple[str, str]], limits: Sequence[float]) -> list[str]:
        """First cells of the rows that are beyond the limits."""
        each = limits if len(limits) == len(cells) else [limits[0]] * len(cells)
        return [
            row for (row, cell), limit in zip(cells, each, strict=True) if not self._kept(number(cell), limit)
        ]

    def _kept(self, value: float, limit: float) -> bool:
        return value >= limit if self.at_least else value <= limit


def _chosen(each: Table, goal: Goal) -> list[tuple[str, str]]:
    cells = each.column(goal.column)
    if not goal.rows:
        return cells
    chosen = [cell for cell in cells if cell[0] in goal.rows]
    # A part of what was promised shows nothing.
    return chosen if len(chosen) == len(goal.rows) else []


def number(cell: str) -> float:
    """The first number in a cell.

    Raises:
        ValueError: there is none.
    """
    match = FIRST_NUMBER.search(cell)
    if match is None:
        raise ValueError(f"no number in the cell {cell!r}")
    return float(match[0].replace(",", ""))


def verdict(goal: Goal, cells: Sequence[tuple[str, str]]) -> str:
    """Whether the goal is reached, and else where it is not."""
    if not cells:
        return "not measured"
    if missed := goal.missed(cells, goal.limits):
        return "**no**" if len(missed) == len(cells) else f"**not at {', '.join(missed)}**"
    if goal.stretch and not goal.missed(cells, goal.stretch):
        return "yes, stretch"
    return "yes"


def text(results: Mapping[str, str]) -> str:
    """The section of the page, from the texts of the others by name."""
    rows = []
    for goal in GOALS:
        cells = goal.found(results)
        values = ", ".join(cell for _, cell in cells) or "-"
        sign = "≥" if goal.at_least else "≤"
        limits, stretch = (
            f"{sign} {', '.join(f'{limit:g}' for limit in each)}" if each else ""
            for each in (goal.limits, goal.stretch)
        )
        rows.append([goal.what, limits, stretch, values, verdict(goal, cells)])
    return f"{TEXT.lstrip()}\n{table(['what', 'goal', 'stretch', 'found', 'reached'], rows)}\n"


SIZES = ("6", "100", "1,000", "5,000")
MANY = SIZES[1:]

GOALS = [
    Goal(
        what="scan / limit; 100, 1,000, 5,000 queues",
        section="scrape",
        column="scan / limit",
        rows=MANY,
        limits=[1.6],
        stretch=[1.25],
    ),
    Goal(
        what="whole scrape / limit; 6, 100, 1,000, 5,000 queues",
        section="scrape",
        column="our scrape / limit",
        rows=SIZES,
        limits=[5, 2.5, 1.5, 1.5],
        stretch=[4, 2, 1.3, 1.3],
    ),
    Goal(
        what="Go exporter / whole scrape; 100, 1,000, 5,000 queues",
        section="scrape",
        column="Go scrape / our scrape",
        rows=MANY,
        limits=[10],
        stretch=[20],
        at_least=True,
    ),
    Goal(
        what="Go-like, stats only / whole scrape; 100, 1,000, 5,000 queues",
        section="scrape",
        column="Go-like, stats only / our scrape",
        rows=MANY,
        limits=[4],
        stretch=[8],
        at_least=True,
    ),
    Goal(
        what="Go exporter / whole scrape; 6 queues",
        section="scrape",
        column="Go scrape / our scrape",
        rows=["6"],
        limits=[3],
        stretch=[6],
        at_least=True,
    ),
    Goal(
        what="Redis CPU, Go-like / ours; 6, 100, 1,000, 5,000 queues",
        section="scrape",
        column="Go-like / ours",
        rows=SIZES,
        limits=[15],
        stretch=[25],
        at_least=True,
    ),
    Goal(
        what="Redis CPU, Go-like, stats only / ours; 6, 100, 1,000, 5,000 queues",
        section="scrape",
        column="Go-like, stats only / ours",
        rows=SIZES,
        limits=[5],
        stretch=[8],
        at_least=True,
    ),
    Goal(
        what="PING p99 of a neighbour during our scrapes, milliseconds",
        section="neighbour",
        column="p99",
        rows=["our scrapes"],
        limits=[0.7],
        stretch=[0.5],
    ),
    Goal(
        what="printing, prometheus_client / ours",
        section="printing",
        column="prometheus_client / ours",
        limits=[25],
        stretch=[40],
        at_least=True,
    ),
    Goal(
        what="p99 of 50 scrapers / p50 of one; 1,000 queues",
        section="crowd",
        column="ours, p99 / p50 of one",
        rows=["50"],
        limits=[2.5],
        stretch=[1.5],
    ),
    Goal(
        what="growth, 10,000,000 tasks / 10",
        section="growth",
        of="tasks",
        column="ratio",
        rows=["10,000,000"],
        limits=[FLAT],
    ),
    Goal(
        what="growth, 1,000,000 groups / none",
        section="growth",
        of="groups",
        column="ratio",
        rows=["1,000,000"],
        limits=[FLAT],
    ),
    Goal(
        what="resident memory, MB; 6, 1,000, 5,000 queues",
        section="footprint",
        column="our memory",
        rows=["6", "1,000", "5,000"],
        limits=[50, 60, 90],
        stretch=[40, 45, 70],
    ),
    Goal(
        what="memory after 10,000 scrapes / after 1,000",
        section="endurance",
        column="memory, ratio to 1,000",
        rows=["10,000"],
        limits=[1.05],
        stretch=[1.02],
    ),
    Goal(
        what="soak of 20 minutes, promises broken",
        section="soak",
        column="found",
        rows=["promises broken"],
        limits=[0],
    ),
]
