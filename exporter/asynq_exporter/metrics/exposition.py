"""Families as text: Prometheus 0.0.4 and OpenMetrics 1.0, byte for byte as prometheus_client prints them.

What is the same as in the last scrape is not printed again. The part of a line before the number does not
change while the set of queues stays the same, so it is made once and filled in by column.
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
    """The lines of a block of queues without their numbers."""

    queues: tuple[str, ...]
    #: The rows that have a number; all of them where it is None.
    rows: list[int] | None
    #: The lines of these rows with a place for each number.
    template: str


class Printer:
    """Prints families; keeps what did not change since the last scrape, and the unchanging parts of lines."""

    def __init__(self, format_: Format, *, label: Callable[[str], str] = str) -> None:
        """`label` turns a queue name into the text of its label."""
        self._openmetrics = format_ is Format.OPENMETRICS
        self._label = label
        #: Name of a metric -> what it was printed from last, and how it looked.
        self._printed: dict[str, tuple[Family, bytes]] = {}
        self._headers: dict[tuple[str, str], str] = {}
        self._single_heads: dict[tuple[str, str, Labels, tuple[str, ...] | None], str] = {}
        self._lines: dict[tuple[str, str, Labels], _Lines] = {}

    def print(self, families: Iterable[Family]) -> bytes:
        """The families as text in UTF-8, without the end mark of OpenMetrics."""
        return b"".join([self._family(family) for family in families])

    def _family(self, family: Family) -> bytes:
        name = family.metric.name
        printed = self._printed.get(name)
        if printed is not None and printed[0] == family:
            return printed[1]
        samples = "".join([self._block(family.metric, block) for block in family.blocks])
        text = f"{self._header(family.metric)}{samples}".encode() if samples else b""
        self._printed[name] = family, text
        return text

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
        assert block.queues is not None  # noqa: S101 -- only queues make more than one sample
        rows = None
        known: Sequence[int | float | None] = values
        if None in values:
            rows = [row for row, value in enumerate(values) if value is not None]
            known = [values[row] for row in rows]
        key = (metric.name, block.suffix, block.labels)
        lines = self._lines.get(key)
        same = lines is not None and (lines.queues is block.queues or lines.queues == block.queues)
        if lines is None or not same or lines.rows != rows:
            lines = self._lines[key] = _Lines(block.queues, rows, self._template(metric, block, rows))
        return lines.template % tuple(numbers(known))  # type: ignore[arg-type]  # none is None

    def _head_of(self, metric: Metric, block: Block) -> str:
        key = (metric.name, block.suffix, block.labels, block.queues)
        head = self._single_heads.get(key)
        if head is None:
            if len(self._single_heads) >= MAX_SINGLE_HEADS:
                self._single_heads.clear()
            head = self._head(metric, block, block.queues[0] if block.queues else None)
            self._single_heads[key] = head
        return head

    def _template(self, metric: Metric, block: Block, rows: list[int] | None) -> str:
        queues = block.queues or ()
        named = queues if rows is None else [queues[row] for row in rows]
        heads = [self._head(metric, block, queue).replace("%", "%%") for queue in named]
        return "".join([f"{head}%s\n" for head in heads])

    def _head(self, metric: Metric, block: Block, queue: str | None) -> str:
        """The beginning of a line, up to the number."""
        labels = [(label, escape(value)) for label, value in block.labels]
        if queue is not None:
            labels.append(("queue", escape(self._label(queue))))
        name = metric.name + block.suffix
        if not labels:
            return f"{name} "
        inside = ",".join([f'{key}="{value}"' for key, value in sorted(labels)])
        return f"{name}{{{inside}}} "


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
