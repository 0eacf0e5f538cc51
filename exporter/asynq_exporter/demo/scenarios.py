"""The named incidents: each is a small change to the conditions under which the workload runs."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

#: The exporter shows a good day for this long before the incident begins.
LEAD_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How things are for now; the defaults are a good day."""

    #: Factors on how often tasks arrive and on how long they take.
    arrivals: float = 1.0
    durations: float = 1.0
    #: Share of attempts that fail. An objective of 99 % has to be kept on a good day.
    failures: float = 0.002
    #: Factor on the waiting time before a retry.
    patience: float = 1.0
    redis: bool = True
    workers: bool = True
    #: Whether workers take tasks; their heartbeats go on.
    fetching: bool = True
    #: Whether due tasks are moved to pending, and lost ones are recovered.
    forwarding: bool = True
    recovering: bool = True
    scheduling: bool = True
    #: Queues that stay paused.
    paused: tuple[str, ...] = ()
    #: Queues, and up to how many tasks, or archived ones, they are quickly filled.
    backlog: tuple[tuple[str, int], ...] = ()
    dead_letters: tuple[tuple[str, int], ...] = ()
    #: Active tasks whose lease is over, and those without one.
    lost: int = 0
    leaseless: int = 0
    #: Scheduled tasks that have been due for minutes.
    overdue: int = 0
    #: Whether the platform behind the circuit breakers is down.
    platform_down: bool = False


#: A good day, and one on which workers catch up with what an incident left behind.
GOOD_DAY = Conditions()
CATCHING_UP = Conditions(durations=0.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """An incident: what people are told of it, and the conditions during and after it."""

    summary: str
    during: Conditions = GOOD_DAY
    after: Conditions = GOOD_DAY


TABLE: Mapping[str, Scenario] = MappingProxyType(
    {
        "normal": Scenario(summary="a good day"),
        "backlog": Scenario(
            summary="tasks arrive faster than slow workers take them; a full queue refuses them",
            # Of the 10,000 that `default` is meant to hold: with 90 % it is CRITICAL and refuses more.
            during=Conditions(durations=6.0, backlog=(("default", 9000), ("scheduled", 2500))),
            after=CATCHING_UP,
        ),
        "no-workers": Scenario(
            summary="every worker process dies with its tasks",
            during=Conditions(workers=False),
            after=CATCHING_UP,
        ),
        "dead-letter-flood": Scenario(
            summary="tasks fail for good; hundreds are archived",
            during=Conditions(
                durations=0.5, dead_letters=(("dead_letter", 300), ("default", 150), ("high", 60))
            ),
        ),
        "redis-down": Scenario(
            summary="Redis stops; its data comes back with it", during=Conditions(redis=False)
        ),
        "stalled": Scenario(
            summary="workers live but take no task", during=Conditions(fetching=False), after=CATCHING_UP
        ),
        "orphans": Scenario(
            summary="tasks stay active that no worker holds any more, and nobody recovers them",
            during=Conditions(recovering=False, lost=12, leaseless=5),
        ),
        "retry-storm": Scenario(
            summary="a platform is down: most attempts fail and wait for a retry",
            during=Conditions(arrivals=1.5, failures=0.85, patience=5.0, platform_down=True),
        ),
        "paused": Scenario(
            summary="somebody paused queue default and forgot it",
            during=Conditions(paused=("default",)),
            after=CATCHING_UP,
        ),
        "forwarder-stopped": Scenario(
            summary="tasks become due and nobody moves them to pending",
            during=Conditions(forwarding=False, overdue=25),
        ),
        "scheduler-gone": Scenario(
            summary="the scheduler of periodic tasks ends", during=Conditions(scheduling=False)
        ),
        "saturated": Scenario(
            summary="tasks take so long that every slot is in use", during=Conditions(durations=60.0)
        ),
    }
)

#: Their names, as the command line takes them.
SCENARIOS: tuple[str, ...] = tuple(TABLE)


class Stage:
    """The conditions that hold now; parts of the demo look at them or wait for their change."""

    def __init__(self, conditions: Conditions = GOOD_DAY) -> None:
        self.now = conditions
        self._changed = asyncio.Event()

    def change(self, conditions: Conditions) -> None:
        """Lets other conditions hold from now on."""
        self.now = conditions
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def until(self, wanted: Callable[[Conditions], bool]) -> None:
        """Waits for conditions of a kind."""
        while not wanted(self.now):
            await self._changed.wait()


async def direct(
    scenario: Scenario, stage: Stage, toggle: asyncio.Event, tell: Callable[[str], None]
) -> None:
    """Begins the incident a while after the first toggle; each further one ends it, or begins it anew."""
    if scenario.during == GOOD_DAY:
        return
    await toggle.wait()
    await asyncio.sleep(LEAD_SECONDS)
    while True:
        stage.change(scenario.during)
        tell(f"The incident begins: {scenario.summary}.")
        toggle.clear()
        await toggle.wait()
        stage.change(scenario.after)
        tell("The incident ends.")
        toggle.clear()
        await toggle.wait()
