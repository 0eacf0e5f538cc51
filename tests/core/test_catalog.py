"""The documented queues and the rules of a catalogue (guide 1.1, 2.3, 3.4, 4.2)."""

import re

import pytest

from asynq_exporter.core import catalog
from asynq_exporter.core.catalog import BackpressureState
from asynq_exporter.core.errors import CatalogError

#: name, weight, capacity, state, info, warning, critical; typed from the guide.
GUIDE = [
    ("critical", 10, 1_000, "pending", 10, 50, 100),
    ("high", 6, 5_000, "pending", 50, 200, 500),
    ("default", 4, 10_000, "pending", 100, 1_000, None),
    ("scheduled", 3, 50_000, "pending", 500, 2_000, 5_000),
    ("low", 1, 100_000, "pending", 50, 10_000, None),
    ("dead_letter", 1, 500, "archived", 0, 20, 50),
]


def test_the_six_queues_stand_in_the_guides_order() -> None:
    """Guide 1.1."""
    assert list(catalog.documented().queues) == [row[0] for row in GUIDE]


@pytest.mark.parametrize(("name", "weight", "capacity", "state", "info", "warning", "critical"), GUIDE)
def test_queue_has_the_guides_numbers(
    name: str, weight: int, capacity: int, state: str, info: int, warning: int, critical: int | None
) -> None:
    """Guide 1.1, 2.3 and 3.4 as one ladder."""
    profile = catalog.documented().queues[name]
    ladder = {"info": info, "warning": warning, "critical": critical}
    assert (profile.weight, profile.capacity) == (weight, capacity)
    assert profile.thresholds == {state: {k: v for k, v in ladder.items() if v is not None}}
    assert profile.purpose.keys() == profile.response.keys() == {"en", "zh"}


@pytest.mark.parametrize("row", GUIDE, ids=lambda row: row[0])
def test_capacity_is_what_would_be_derived(row: tuple[str, int, int, str, int, int, int | None]) -> None:
    """Ten times the highest threshold, so that an alert comes long before backpressure."""
    thresholds = catalog.documented().queues[row[0]].thresholds
    assert catalog.make_profile(thresholds=thresholds).capacity == row[2]


@pytest.mark.parametrize(
    ("utilization", "state"),
    [
        (0.0, BackpressureState.NORMAL),
        (0.699, BackpressureState.NORMAL),
        (0.7, BackpressureState.WARNING),
        (0.899, BackpressureState.WARNING),
        (0.9, BackpressureState.CRITICAL),
        (7.0, BackpressureState.CRITICAL),
    ],
)
def test_backpressure_climbs_at_70_and_90_percent(utilization: float, state: BackpressureState) -> None:
    """Guide 4.2."""
    assert catalog.documented().backpressure.state(utilization) is state


@pytest.mark.parametrize(
    ("profile", "complaint"),
    [
        ({"weight": 0, "capacity": 1}, "weight must be 1 or more"),
        ({"capacity": 0}, "capacity must be 1 or more"),
        ({}, "give a capacity"),
        ({"thresholds": {"pending": {"info": 0}}}, "give a capacity"),
        ({"thresholds": {"active": {"info": 1}}}, "not for 'active'"),
        ({"thresholds": {"pending": {"fatal": 1}}}, "unknown level 'fatal'"),
        ({"thresholds": {"pending": {"info": -1}}}, "0 or more"),
        ({"thresholds": {"pending": {"info": 5, "critical": 5}}}, "must climb"),
        ({"thresholds": {"pending": {"critical": 4, "warning": 5}}}, "must climb"),
    ],
)
def test_bad_profile_is_refused(profile: dict[str, object], complaint: str) -> None:
    """The error says what is wrong."""
    with pytest.raises(CatalogError, match=re.escape(complaint)):
        catalog.make_profile(**profile)  # type: ignore[arg-type]


def test_other_queues_keep_the_shared_numbers() -> None:
    """A site's own queues replace the documented ones, backpressure stays."""
    own = catalog.documented().with_queues({"mine": catalog.make_profile(capacity=5)})
    assert list(own.queues) == ["mine"]
    assert own.backpressure == catalog.documented().backpressure


def test_catalogue_cannot_be_changed() -> None:
    """It is shared by the whole process."""
    profile = catalog.documented().queues["critical"]
    with pytest.raises(TypeError):
        profile.thresholds["pending"]["info"] = 1  # type: ignore[index]
    with pytest.raises(TypeError):
        catalog.documented().queues["mine"] = profile  # type: ignore[index]
