"""In which order a worker looks into its queues (wire section 5.2); pure."""

import math
from collections.abc import Mapping
from random import Random

#: What a server serves that was given nothing it could serve.
DEFAULT_QUEUES: Mapping[str, int] = {"default": 1}


def served(queues: Mapping[str, int]) -> dict[str, int]:
    """The weights without blank names and those below 1; the default queue when nothing is left."""
    kept = {name: weight for name, weight in queues.items() if name.strip() and weight > 0}
    return kept or dict(DEFAULT_QUEUES)


def reduced(queues: Mapping[str, int]) -> dict[str, int]:
    """The weights divided by what divides them all."""
    divisor = math.gcd(*queues.values())
    return {name: weight // divisor for name, weight in queues.items()}


class QueueOrder:
    """Makes an order for each poll: strict by weight, or by chance with first places as the weights."""

    def __init__(self, queues: Mapping[str, int], *, strict: bool, random: Random) -> None:
        weights = reduced(queues)
        self._random = random
        self._is_fixed = strict or len(weights) == 1
        self._fixed = sorted(weights, key=lambda name: weights[name], reverse=True)
        self._tickets = [name for name, weight in weights.items() for _ in range(weight)]

    def next(self) -> list[str]:
        """The queues in the order to try them now."""
        if self._is_fixed:
            return self._fixed
        # A shuffle of one ticket per unit of weight, each queue at its first ticket.
        return list(dict.fromkeys(self._random.sample(self._tickets, len(self._tickets))))
