"""Metrics of the system as a whole: is it up, is it healthy, is it full."""

from collections.abc import Iterable

from asynq_exporter.core.catalog import BackpressureState
from asynq_exporter.metrics.family import Block, Family, by_label, gauge, one_of, single
from asynq_exporter.scan.snapshot import Snapshot

BREAKER_STATES = ("CLOSED", "OPEN", "HALF_OPEN")

UP = gauge("asynq_up", "Whether the last scan of Redis succeeded.")
HEALTH = gauge(
    "asynq_system_health",
    "1 when Redis answers, at least one worker lives and backpressure is not CRITICAL.",
)
CHECK = gauge("asynq_health_check", "The parts of the health: 1 is good.", "check")
BACKPRESSURE = gauge(
    "asynq_backpressure_state", "1 for the current backpressure state: that of the fullest queue.", "state"
)
BREAKER = gauge(
    "asynq_circuit_breaker_state",
    "1 for the current state of a circuit breaker.",
    "scope",
    "name",
    "state",
)

METRICS = (UP, HEALTH, CHECK, BACKPRESSURE, BREAKER)


def collect(snapshot: Snapshot) -> Iterable[Family]:
    """The families of the system."""
    yield single(UP, int(snapshot.up))
    yield single(HEALTH, int(snapshot.healthy))
    yield by_label(CHECK, {name: int(good) for name, good in snapshot.checks.items()})
    if snapshot.up:
        yield one_of(BACKPRESSURE, tuple(BackpressureState), snapshot.backpressure)
        yield Family(
            BREAKER,
            tuple(
                Block(
                    (int(breaker.state == state),),
                    labels=(("scope", breaker.scope), ("name", breaker.name), ("state", state)),
                )
                for breaker in snapshot.breakers
                for state in BREAKER_STATES
            ),
        )
