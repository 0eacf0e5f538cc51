"""Families as text: Prometheus 0.0.4 and OpenMetrics 1.0, byte for byte as prometheus_client prints them.

The part of a line before the number does not change while the set of queues stays the same, so it is made
once and filled in by column.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from asynq_exporter.metrics.family import Block, Family, Metric

#: Numbers that are met most often, printed.
SMALL = tuple(f"{number}.0" for number in range(1024))

#: Lines of single samples kept; their labels may come and go, as task types do. The histograms of a hundred
#: types, which come together, fit twice.
MAX_SINGLE_HEADS = 8192

#: From here on prometheus_client, like Go, writes an exponent.
EXPONENT_FROM = 1_000_000


Labels = tuple[tuple[str, str], ...]


class Format(Enum):
    """A text format, with its content type."""

    PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(slots=True)
class _Lines:
    """The unchanging parts of the lines of a block."""

    queues: tuple[str, ...] | None
    #: Beginning of each line, up to the number.
    heads: list[str]
    #: All of them with a place for each number.
    template: str
    #: What was printed last, and of which numbers: most do not change between two scrapes.
    values: Sequence[int | float | None] = ()
    text: str = ""


class Printer:
    """Prints families; keeps the unchanging parts of lines between scrapes."""

    def __init__(self, format_: Format, *, label: Callable[[str], str] = str) -> None:
        """`label` turns a queue name into the text of its label."""
        self._openmetrics = format_ is Format.OPENMETRICS
        self._label = label
        self._headers: dict[tuple[str, str], str] = {}
        self._single_heads: dict[tuple[str, str, Labels, tuple[str, ...] | None], str] = {}
        self._lines: dict[tuple[str, str, Labels], _Lines] = {}

    def print(self, families: Iterable[Family]) -> str:
        """The families as text, without the end mark of OpenMetrics."""
        parts: list[str] = []
        for family in families:
            if samples := [text for block in family.blocks if (text := self._block(family.metric, block))]:
                parts.append(self._header(family.metric))
                parts += samples
        return "".join(parts)

    def _header(self, metric: Metric) -> str:
        key = (metric.name, metric.help)
        header = self._headers.get(key)
        if header is None:
            # OpenMetrics names the family of a counter without `_total`.
            name = metric.name.removesuffix("_total") if self._counter_in_openmetrics(metric) else metric.name
            text = metric.help.replace("\\", r"\\").replace("\n", r"\n")
            if self._openmetrics:
                text = text.replace('"', r"\"")
            header = f"# HELP {name} {text}\n# TYPE {name} {metric.kind}\n"
            self._headers[key] = header
        return header

    def _counter_in_openmetrics(self, metric: Metric) -> bool:
        return self._openmetrics and metric.kind == "counter"

    def _block(self, metric: Metric, block: Block) -> str:
        values = block.values
        if len(values) == 1:
            return "" if values[0] is None else f"{self._head_of(metric, block)}{number(values[0])}\n"
        lines = self._lines_of(metric, block)
        if lines.values != values:
            lines.values, lines.text = values, _fill(lines, values)
        return lines.text

    def _head_of(self, metric: Metric, block: Block) -> str:
        key = (metric.name, block.suffix, block.labels, block.queues)
        head = self._single_heads.get(key)
        if head is None:
            if len(self._single_heads) >= MAX_SINGLE_HEADS:
                self._single_heads.clear()
            (head,) = self._heads(metric, block)
            self._single_heads[key] = head
        return head

    def _lines_of(self, metric: Metric, block: Block) -> _Lines:
        key = (metric.name, block.suffix, block.labels)
        lines = self._lines.get(key)
        if lines is None or lines.queues is not block.queues:
            lines = self._lines[key] = self._make_lines(metric, block)
        return lines

    def _make_lines(self, metric: Metric, block: Block) -> _Lines:
        heads = list(self._heads(metric, block))
        return _Lines(block.queues, heads, "".join([head.replace("%", "%%") + "%s\n" for head in heads]))

    def _heads(self, metric: Metric, block: Block) -> Iterable[str]:
        name = metric.name + block.suffix
        fixed = [(label, escape(value)) for label, value in block.labels]
        if block.queues is None:
            yield _head(name, fixed)
            return
        for queue in block.queues:
            yield _head(name, [*fixed, ("queue", escape(self._label(queue)))])


def _fill(lines: _Lines, values: Sequence[int | float | None]) -> str:
    if None in values:
        pairs = zip(lines.heads, values, strict=True)
        return "".join([f"{head}{number(value)}\n" for head, value in pairs if value is not None])
    return lines.template % tuple(numbers(values))  # type: ignore[arg-type]  # none is None


def escape(value: str) -> str:
    """A label value between its quotes."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def numbers(values: Sequence[int | float]) -> list[str]:
    """Numbers as text."""
    small, top = SMALL, len(SMALL)
    return [small[value] if type(value) is int and 0 <= value < top else number(value) for value in values]


def number(value: float) -> str:
    """A number as Go prints it, in the manner of prometheus_client."""
    if type(value) is int and -EXPONENT_FROM < value < EXPONENT_FROM:
        return f"{value}.0"
    text = repr(float(value))
    if text == "inf":
        return "+Inf"
    if text == "-inf":
        return "-Inf"
    if text == "nan":
        return "NaN"
    point = text.find(".")
    if value > 0 and point > 6:  # Go switches to an exponent here
        mantissa = f"{text[0]}.{text[1:point]}{text[point + 1 :]}".rstrip("0.")
        return f"{mantissa}e+{point - 1:02d}"
    return text


def _head(name: str, labels: list[tuple[str, str]]) -> str:
    if not labels:
        return f"{name} "
    inside = ",".join([f'{key}="{value}"' for key, value in sorted(labels)])
    return f"{name}{{{inside}}} "
