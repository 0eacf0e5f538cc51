"""Metrics as a scraper sees them: fetched, parsed, one value for each name and set of labels."""

import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

SCRAPE_SECONDS = 120

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """One answer: its status, and its samples and types whose names begin with `asynq_`."""

    status: int
    samples: Mapping[tuple[str, Labels], float]
    #: Family, named as in the TYPE line but without `_total` of counters -> type.
    types: Mapping[str, str]

    def value(self, name: str, **labels: str) -> float:
        """A sample; KeyError when it is not there."""
        return self.samples[name, frozenset(labels.items())]

    def get(self, name: str, **labels: str) -> float | None:
        """A sample, or None."""
        return self.samples.get((name, frozenset(labels.items())))

    def by_label(self, name: str, label: str) -> dict[str, float]:
        """All samples of a name by the value of one label."""
        return {dict(labels)[label]: value for (one, labels), value in self.samples.items() if one == name}


def scrape(url: str) -> Scrape:
    """Fetches and parses a page of metrics."""
    with urllib.request.urlopen(url, timeout=SCRAPE_SECONDS) as answer:
        text, status = answer.read().decode(), answer.status
    families = [f for f in text_string_to_metric_families(text) if f.name.startswith("asynq_")]
    samples: dict[tuple[str, Labels], float] = {}
    for family in families:
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in samples, f"{key} stands twice in {url}"
            samples[key] = sample.value
    return Scrape(status=status, samples=samples, types={f.name: f.type for f in families})
