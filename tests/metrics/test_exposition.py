"""The printer against prometheus_client, byte for byte."""

import math
import re
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from asynq_exporter.metrics.exposition import MAX_SINGLE_HEADS, Format, Printer, number
from asynq_exporter.metrics.family import (
    Block,
    Family,
    Metric,
    buckets,
    column,
    counter,
    gauge,
    histogram,
    single,
)
from asynq_exporter.metrics.process import Process

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63),
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(0, 3000),
    st.none(),
)


class Reference:
    """The same families for prometheus_client."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """The families that have samples."""
        for family in self._families:
            metric = family.metric
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            made = kind(metric.name, metric.help, labels=metric.labels)
            for block in family.blocks:
                for row, value in enumerate(block.values):
                    labels = dict(block.labels) | ({"queue": block.queues[row]} if block.queues else {})
                    if value is not None:
                        made.add_metric([labels[name] for name in metric.labels], value)
            if made.samples:
                yield made


def printed_by_prometheus_client(families: list[Family], format_: Format) -> str:
    """What prometheus_client makes of the families, without the end mark."""
    registry = CollectorRegistry()
    registry.register(Reference(families))
    if format_ is Format.OPENMETRICS:
        text: str = generate_openmetrics(registry).decode()  # type: ignore[no-untyped-call]
        return text.removesuffix("# EOF\n")
    return generate_latest(registry).decode()


@st.composite
def families(draw: st.DrawFn) -> list[Family]:
    """A few families of every shape."""
    queues = tuple(draw(st.lists(TEXT, min_size=1, max_size=5, unique=True)))
    rows = st.lists(NUMBERS, min_size=len(queues), max_size=len(queues))
    plain = column(gauge("a_tasks", draw(TEXT), "queue"), queues, draw(rows))
    counted = column(counter("b_total", draw(TEXT), "queue"), queues, draw(rows))
    labels = Metric("c", "gauge", "Has more labels.", ("queue", "zone", "area"))
    blocks = tuple(
        Block(draw(rows), queues, (("zone", zone), ("area", draw(TEXT))))
        for zone in draw(st.sets(TEXT, max_size=3))
    )
    alone = single(counter("d_total", "Alone."), draw(NUMBERS))
    return [plain, counted, Family(labels, blocks), alone]


@pytest.mark.parametrize("format_", Format)
@given(first=families(), second=families())
@settings(max_examples=150, deadline=None)
def test_prints_like_prometheus_client(format_: Format, first: list[Family], second: list[Family]) -> None:
    """Whatever names, labels and numbers: the same bytes, also from a printer that was used before."""
    printer = Printer(format_)

    for some in (first, second, second):
        assert printed_by_prometheus_client(some, format_) == printer.print(some).decode()


class Histograms:
    """One family of histograms for prometheus_client."""

    def __init__(self, found: dict[str, list[int]], total: float) -> None:
        self._found = found
        self._total = total

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The family, with the buckets added up."""
        made = HistogramMetricFamily("h_seconds", "Sizes.", labels=["type"])
        for name, counts in self._found.items():
            sums = [sum(counts[: i + 1]) for i in range(len(counts))]
            bounds = ["0.005", "1.0", "1800.0", "+Inf"]
            rows = list(zip(bounds, sums, strict=True))
            made.add_metric([name], rows, self._total)
        yield made


@pytest.mark.parametrize("format_", Format)
@given(
    found=st.dictionaries(
        TEXT, st.lists(st.integers(0, 2**40), min_size=4, max_size=4), min_size=1, max_size=3
    ),
    total=st.floats(0, 1e12),
)
@settings(max_examples=50, deadline=None)
def test_histogram_is_printed_like_prometheus_client(
    format_: Format, found: dict[str, list[int]], total: float
) -> None:
    """Buckets with what is below them, count and sum; the same bytes."""
    registry = CollectorRegistry()
    registry.register(Histograms(found, total))
    generate = generate_openmetrics if format_ is Format.OPENMETRICS else generate_latest
    blocks = [b for n, c in found.items() for b in buckets((("type", n),), (0.005, 1, 1800), c, total)]
    ours = Printer(format_).print([Family(histogram("h_seconds", "Sizes.", "type"), tuple(blocks))]).decode()

    assert generate(registry).decode().removesuffix("# EOF\n") == ours


@pytest.mark.parametrize("format_", Format)
def test_process_is_printed_like_prometheus_client(format_: Format) -> None:
    """All families of the process; the numbers that change by the moment left out."""
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    generate = generate_openmetrics if format_ is Format.OPENMETRICS else generate_latest
    theirs = generate(registry).decode().removesuffix("# EOF\n")
    ours = Printer(format_).print(Process().collect()).decode()

    def steady(page: str) -> list[str]:
        return [re.sub(r"^(\w+(\{generation=.*\})?) .*", r"\1", line) for line in page.splitlines()]

    assert steady(theirs) == steady(ours)
    assert len(ours.splitlines()) > 20


@given(
    before=st.lists(NUMBERS, min_size=3, max_size=3),
    after=st.lists(NUMBERS, min_size=3, max_size=3),
)
@settings(max_examples=300, deadline=None)
def test_kept_text_is_printed_for_the_same_numbers_only(
    before: list[float | None], after: list[float | None]
) -> None:
    """With the same queues and new numbers the new ones are printed, or nothing where one is unknown."""
    queues, metric = ("a", "b", "c"), gauge("a_tasks", "Some.", "queue")
    printer = Printer(Format.PROMETHEUS)
    printer.print([column(metric, queues, before)])

    text = printer.print([column(metric, queues, after)])

    # Zero has two signs that are equal; which of them is shown is all the same.
    expected = Printer(Format.PROMETHEUS).print([column(metric, queues, after)])
    assert text.replace(b" -0.0\n", b" 0.0\n") == expected.replace(b" -0.0\n", b" 0.0\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.0"),
        (True, "1.0"),
        (999_999, "999999.0"),
        (1_000_000, "1e+06"),
        (1_234_567, "1.234567e+06"),
        (2**53 + 1, "9.007199254740992e+15"),
        (10**16, "1e+16"),
        (12_345_678_901.5, "1.23456789015e+10"),
        (-5_000_000, "-5000000.0"),
        (0.1, "0.1"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_number_is_printed_as_go_does(value: float, text: str) -> None:
    """Go's exponents, not Python's."""
    assert text == number(value)


def test_family_without_samples_is_left_out() -> None:
    """A header without samples tells nobody anything."""
    assert Printer(Format.PROMETHEUS).print([single(gauge("a", "Nothing known."), None)]) == b""


def test_kept_lines_stay_bounded() -> None:
    """Labels that come and go do not pile up."""
    printer = Printer(Format.PROMETHEUS)
    metric = gauge("a", "Changing.", "queue", "type")

    for turn in range(2 * MAX_SINGLE_HEADS):
        printer.print([Family(metric, (Block((1,), ("q",), (("type", str(turn)),)),))])

    assert printer._lines == {}
