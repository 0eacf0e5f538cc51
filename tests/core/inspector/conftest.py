"""An Inspector beside the broker, on the same client and clock."""

import pytest

from asynq_exporter.core import Broker, FixedClock
from asynq_exporter.core.inspector import Inspector


@pytest.fixture
def inspector(broker: Broker, clock: FixedClock) -> Inspector:
    """An Inspector on an empty database, in both protocols of Redis."""
    return Inspector(broker._redis, clock)
