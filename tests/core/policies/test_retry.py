"""The retry policies of guide 1.4 and 6.2, with the numbers typed here."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynq_exporter.core.policies import retry
from asynq_exporter.core.policies.retry import AsynqDelayPolicy, DelayPolicy


@pytest.mark.parametrize(
    ("platform_class", "delays"),
    [
        ("long", [10, 20, 30, 30]),
        ("medium", [5, 10, 20, 20]),
        ("short", [3, 6, 12, 15]),
        ("default", [10, 20, 30, 30]),
        ("never heard of", [10, 20, 30, 30]),
    ],
)
def test_delay_doubles_up_to_its_bound(platform_class: str, delays: list[float]) -> None:
    """From the initial delay, doubled, to the maximum."""
    policy = retry.for_class(platform_class)

    assert delays == [policy.delay_seconds(retried) for retried in range(4)]
    assert delays[-1] == policy.delay_seconds(10_000)


def test_120_retries_are_the_end() -> None:
    """The task goes into the archive afterwards."""
    for policy in retry.documented().values():
        assert (False, True) == (policy.is_exhausted(119), policy.is_exhausted(120))


@pytest.mark.parametrize(("retried", "least", "most"), [(0, 15, 44), (1, 16, 74), (5, 640, 814)])
def test_asynqs_own_delay(retried: int, least: int, most: int) -> None:
    """The bounds that the wire document computes."""
    assert least == retry.asynq_delay_seconds(retried, jitter=0)
    assert most == retry.asynq_delay_seconds(retried, jitter=29)


@given(retried=st.integers(0, 25), seed=st.integers())
def test_asynqs_own_policy_draws_its_jitter(retried: int, seed: int) -> None:
    """Between the bounds of the formula, and the same again from the same randomness."""
    policies: list[DelayPolicy] = [AsynqDelayPolicy(random=Random(seed)) for _ in range(2)]
    first, second = (policy.delay_seconds(retried) for policy in policies)

    assert first == second
    assert (
        retry.asynq_delay_seconds(retried, jitter=0) <= first <= retry.asynq_delay_seconds(retried, jitter=29)
    )
    assert 0 == (first - retry.asynq_delay_seconds(retried, jitter=0)) % (retried + 1)


@given(retried=st.integers(-1, 10**9), name=st.sampled_from(sorted(retry.documented())))
def test_delay_never_leaves_its_bounds(retried: int, name: str) -> None:
    """And never shrinks."""
    policy = retry.documented()[name]

    assert policy.initial_seconds <= policy.delay_seconds(retried) <= policy.max_seconds
    assert policy.delay_seconds(retried) <= policy.delay_seconds(retried + 1)
