"""The picture of the page: what a scrape takes by the number of queues, from the table of the last run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bench.tables import read_tables

TITLE = "A scrape by the number of queues"

#: Column of the table of the section `scrape` -> its colour.
LINES = {
    "Go scrape": "#d6336c",
    "Go-like, stats only": "#f08c00",
    "our scrape": "#1971c2",
    "limit": "#868e96",
}

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 70, 180, 44, 46

#: What two labels at the right stay apart.
LINE_HEIGHT = 16


@dataclass(frozen=True, slots=True)
class Scale:
    """Milliseconds from bottom to top, by powers of ten."""

    low: int
    high: int

    def y(self, milliseconds: float) -> float:
        """Where a number of milliseconds lies."""
        share = (math.log10(milliseconds) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def draw(results: str) -> str:
    """The picture as SVG, from the text of the section."""
    first = next(each for each in read_tables(results) if set(LINES) <= set(each.head))
    sizes = [row[0] for row in first.rows]
    lines = {name: [float(cell.split()[0]) for _, cell in first.column(name)] for name in LINES}
    flat = [value for values in lines.values() for value in values]
    scale = Scale(math.floor(math.log10(min(flat))), math.ceil(math.log10(max(flat))))
    places = [LEFT + n * (WIDTH - LEFT - RIGHT) / max(len(sizes) - 1, 1) for n in range(len(sizes))]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">',
        f"<title>{TITLE}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(LEFT, 22, f"{TITLE} (milliseconds, each step ten times as long)", weight="bold"),
        *_grid(scale, sizes, places),
        *(_line(values, places, scale, LINES[name]) for name, values in lines.items()),
        *_labels(lines, scale),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _grid(scale: Scale, sizes: Sequence[str], places: Sequence[float]) -> list[str]:
    parts = []
    for power in range(scale.low, scale.high + 1):
        y = scale.y(10**power)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#dee2e6"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{10.0**power:,g}", anchor="end"))
    for size, x in zip(sizes, places, strict=True):
        parts.append(_text(x, HEIGHT - BOTTOM + 20, size, anchor="middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "queues", anchor="middle"))
    return parts


def _line(values: Sequence[float], places: Sequence[float], scale: Scale, colour: str) -> str:
    points = " ".join(f"{x:.1f},{scale.y(value):.1f}" for x, value in zip(places, values, strict=True))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>'


def _labels(lines: dict[str, list[float]], scale: Scale) -> list[str]:
    """Names at the ends of the lines, from the top, pushed down where two would meet."""
    parts, last = [], -math.inf
    for name, values in sorted(lines.items(), key=lambda line: -line[1][-1]):
        last = max(scale.y(values[-1]) + 4, last + LINE_HEIGHT)
        parts.append(_text(WIDTH - RIGHT + 8, last, name, colour=LINES[name]))
    return parts


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", colour: str = "#212529", weight: str = "normal"
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}" font-weight="{weight}">{escape(text)}</text>'
