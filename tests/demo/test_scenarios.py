"""Every incident shows in the metrics, ends on request, and leaves nothing."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from asynq_exporter.demo import SCENARIOS
from tests.demo.conftest import Demos
from tests.interop.exposition import Scrape

Condition = Callable[[Scrape], bool]


def above(name: str, limit: float, **labels: str) -> Condition:
    """Whether a sample is above a limit."""
    return lambda page: (page.get(name, **labels) or 0) > limit


def below(name: str, limit: float, **labels: str) -> Condition:
    """Whether a sample is there and below a limit."""
    return lambda page: (value := page.get(name, **labels)) is not None and value < limit


def breaker(state: str) -> Condition:
    """Whether the platform's circuit breaker is in a state."""
    labels = frozenset({"scope": "platform", "name": "video platform", "state": state}.items())
    return lambda page: page.samples.get(("asynq_circuit_breaker_state", labels)) == 1


def both(first: Condition, second: Condition) -> Condition:
    """Whether two conditions hold at once."""
    return lambda page: first(page) and second(page)


def stands_still(page: Scrape) -> bool:
    """Whether workers live, tasks wait and none is active but those that nobody holds."""
    active, pending = (page.by_label(f"asynq_{state}_tasks", "queue") for state in ("active", "pending"))
    orphans = 2
    return (
        page.get("asynq_active_workers") == 3
        and sum(active.values()) <= orphans
        and sum(pending.values()) > 20
    )


@dataclass(frozen=True, slots=True)
class Expected:
    """What the metrics show during an incident, and after it."""

    during: Condition
    after: Condition
    #: What the log says meanwhile, in the guide's words.
    said: str = ""


EXPECTED = {
    "backlog": Expected(
        both(
            both(
                above("asynq_pending_tasks", 2000, queue="default"),
                above("asynq_pending_tasks", 2000, queue="scheduled"),
            ),
            above("asynq_queue_backpressure_state", 0, queue="default", state="CRITICAL"),
        ),
        # It takes tasks again; the rest of them takes a busy machine its time.
        both(
            below("asynq_queue_backpressure_state", 1, queue="default", state="CRITICAL"),
            below("asynq_pending_tasks", 8500, queue="default"),
        ),
        said="[Backpressure] default: WARNING -> CRITICAL",
    ),
    "no-workers": Expected(
        both(below("asynq_active_workers", 1), above("asynq_pending_tasks", 20, queue="default")),
        both(above("asynq_active_workers", 2), below("asynq_pending_tasks", 20, queue="default")),
    ),
    "dead-letter-flood": Expected(
        both(
            above("asynq_dead_tasks", 50, queue="dead_letter"),
            above("asynq_dead_tasks_last_hour", 10, queue="default"),
        ),
        below("asynq_dead_tasks", 20, queue="dead_letter"),
    ),
    "redis-down": Expected(
        both(below("asynq_up", 1), lambda page: page.get("asynq_queue_size", queue="default") is None),
        # More than any restart from nothing would have: the data came back.
        both(above("asynq_up", 0), above("asynq_processed_total", 10_000, queue="default")),
    ),
    "stalled": Expected(stands_still, below("asynq_pending_tasks", 20, queue="default")),
    "orphans": Expected(
        both(
            above("asynq_orphaned_tasks", 10, queue="default", reason="lease_expired"),
            above("asynq_orphaned_tasks", 4, queue="high", reason="no_lease"),
        ),
        # The others wait for the recoverer, which gives a worker half a minute.
        below("asynq_orphaned_tasks", 1, queue="high", reason="no_lease"),
    ),
    "retry-storm": Expected(
        both(
            above("asynq_retry_tasks", 50, queue="default"),
            breaker("OPEN"),
        ),
        breaker("CLOSED"),
        said="[CircuitBreaker] video platform: CLOSED -> OPEN",
    ),
    "paused": Expected(
        both(
            above("asynq_queue_paused", 0, queue="default"), above("asynq_pending_tasks", 20, queue="default")
        ),
        both(
            below("asynq_queue_paused", 1, queue="default"), below("asynq_pending_tasks", 20, queue="default")
        ),
    ),
    "forwarder-stopped": Expected(
        both(
            above("asynq_forwarding_delay_seconds", 60, queue="scheduled"),
            above("asynq_scheduled_overdue_tasks", 20, queue="scheduled"),
        ),
        below("asynq_forwarding_delay_seconds", 10, queue="scheduled"),
    ),
    "scheduler-gone": Expected(below("asynq_schedulers", 1), above("asynq_schedulers", 0)),
    "saturated": Expected(
        both(
            above("asynq_busy_workers", 27),
            above("asynq_pending_tasks", 5, queue="default"),
        ),
        # Long tasks end in their own time.
        above("asynq_up", 0),
    ),
}


def test_every_scenario_is_tested() -> None:
    """A new scenario needs a line above."""
    assert set(EXPECTED) == set(SCENARIOS) - {"normal"}


@pytest.mark.parametrize("name", EXPECTED)
def test_scenario_shows_and_ends(name: str, demos: Demos) -> None:
    """The incident shows in the metrics, SIGUSR1 ends it, and stopping leaves nothing behind."""
    demo = demos[name].wait_serving()

    demo.wait_for(EXPECTED[name].during, what=f"the metrics show {name}")
    demo.wait_said(EXPECTED[name].said, where=demo.err)
    assert "The incident begins" in demo.out.read_text()

    demo.toggle()
    demo.wait_for(EXPECTED[name].after, what=f"the metrics show the end of {name}")
    demo.stop()
