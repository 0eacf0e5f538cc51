"""Several things timed in turn, so that a machine that slows down slows all of them."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from bench.contestants import Once


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds by contestant, one for each round."""

    seconds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        """Of one contestant."""
        return statistics.median(self.seconds[name])

    def ratio(self, above: str, below: str) -> float:
        """The median of the ratios taken round by round."""
        pairs = zip(self.seconds[above], self.seconds[below], strict=True)
        return statistics.median(a / b for a, b in pairs)


def in_turn(once: Mapping[str, Once], rounds: int) -> Times:
    """Runs each contestant once a round, after a round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in once}
    for turn in range(rounds + 1):
        for name, run in once.items():
            took = run()
            if turn:
                seconds[name].append(took)
    return Times(seconds)
