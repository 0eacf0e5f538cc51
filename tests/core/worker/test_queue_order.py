"""In which order queues are tried: wire section 5.2."""

from collections import Counter
from random import Random

import pytest

from asynq_exporter.core import catalog
from asynq_exporter.core.worker.queue_order import QueueOrder, reduced, served

DOCUMENTED = {name: profile.weight for name, profile in catalog.documented().queues.items()}

#: The largest value of chi squared with five degrees of freedom that chance gives once in a thousand times.
CHI_SQUARED = 20.5


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"a": 2, "b": 1}, {"a": 2, "b": 1}),
        ({"a": 2, "b": 0, "c": -1}, {"a": 2}),
        ({"": 1, " \t": 2, "a": 1}, {"a": 1}),
        ({"b": 0}, {"default": 1}),
        ({}, {"default": 1}),
    ],
)
def test_queues_that_are_served(given: dict[str, int], kept: dict[str, int]) -> None:
    """Blank names and weights below 1 are left out; nothing left means the default queue."""
    assert served(given) == kept


@pytest.mark.parametrize(
    ("given", "divided"),
    [
        ({"a": 6, "b": 4, "c": 2}, {"a": 3, "b": 2, "c": 1}),
        ({"a": 7}, {"a": 1}),
        ({"a": 5, "b": 3}, {"a": 5, "b": 3}),
        ({"a": 10, "b": 10}, {"a": 1, "b": 1}),
    ],
)
def test_weights_are_divided_by_their_divisor(given: dict[str, int], divided: dict[str, int]) -> None:
    """So that a large common factor makes no large lottery."""
    assert reduced(given) == divided


@pytest.mark.parametrize("seed", range(5))
def test_strict_order_is_by_weight(seed: int) -> None:
    """Each poll has the same order, the heaviest queue first."""
    order = QueueOrder({"low": 1, "critical": 10, "high": 6}, strict=True, random=Random(seed))
    assert [order.next() for _ in range(3)] == [["critical", "high", "low"]] * 3


def test_one_queue_needs_no_chance() -> None:
    """A single queue is tried whatever its weight."""
    assert QueueOrder({"a": 4}, strict=False, random=Random(1)).next() == ["a"]


@pytest.mark.parametrize("seed", range(20))
def test_every_order_names_each_queue_once(seed: int) -> None:
    """Empty and paused queues fall through, so all of them must be there."""
    order = QueueOrder(DOCUMENTED, strict=False, random=Random(seed))
    assert sorted(order.next()) == sorted(DOCUMENTED)


def test_first_places_are_as_the_weights() -> None:
    """Of 10,000 polls the queues get shares of 10:6:4:3:1:1, within what chance allows."""
    order = QueueOrder(DOCUMENTED, strict=False, random=Random(7))
    firsts = Counter(order.next()[0] for _ in range(10_000))
    total = sum(DOCUMENTED.values())
    expected = {name: 10_000 * weight / total for name, weight in DOCUMENTED.items()}
    chi_squared = sum((firsts[name] - number) ** 2 / number for name, number in expected.items())
    assert sorted(DOCUMENTED.values(), reverse=True) == [10, 6, 4, 3, 1, 1]
    assert chi_squared < CHI_SQUARED, firsts


def test_second_places_are_as_the_rest_of_the_weights() -> None:
    """With the first queue empty the others share by their own weights."""
    order = QueueOrder({"a": 2, "b": 3, "c": 1}, strict=False, random=Random(7))
    seconds = Counter(second for first, second, _ in (order.next() for _ in range(8000)) if first == "a")
    assert seconds["b"] / seconds["c"] == pytest.approx(3, rel=0.15)
