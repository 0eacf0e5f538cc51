"""The `process_*` and `python_*` families, as prometheus_client collects them everywhere."""

from collections.abc import Iterable
from functools import cache
from typing import cast

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from asynq_exporter.metrics.family import Block, Family, Kind, Metric


class Process:
    """This process, as a set of families."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)

    def collect(self) -> Iterable[Family]:
        """The families of this moment."""
        for found in self._registry.collect():
            # A counter is named by its family there and by its samples here.
            name = f"{found.name}_total" if found.type == "counter" else found.name
            blocks = [Block((sample.value,), labels=tuple(sample.labels.items())) for sample in found.samples]
            yield Family(_metric(name, found.type, found.documentation), tuple(blocks))


@cache
def _metric(name: str, kind: str, help_: str) -> Metric:
    return Metric(name, cast("Kind", kind), help_)
