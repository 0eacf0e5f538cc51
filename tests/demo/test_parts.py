"""What the parts of the demo decide, without a Redis."""

import asyncio
from random import Random

import pytest
from redis.asyncio import Redis

from asynq_exporter.core import messages
from asynq_exporter.core.breakers import Breakers
from asynq_exporter.core.catalog import document
from asynq_exporter.core.policies.breaker import BreakerState
from asynq_exporter.demo import breakers, jobs
from asynq_exporter.demo.program import demo_settings, run
from asynq_exporter.demo.routine import every, side_by_side
from asynq_exporter.demo.scenarios import GOOD_DAY
from asynq_exporter.demo.scheduler import Period
from asynq_exporter.settings import Settings, StartupError, resolve


@pytest.mark.parametrize(
    ("elapsed", "down"), [(0, False), (120, True), (129, True), (130, False), (425, True)]
)
def test_dependency_has_its_bad_seconds(elapsed: float, down: bool) -> None:
    """Long enough to open its breaker, over before that tries again; and in every cycle."""
    (platform,) = [one for one in breakers.DEPENDENCIES if one.name == "video platform"]

    assert down is platform.is_down(elapsed, platform_down=False)
    assert platform.is_down(elapsed, platform_down=True)


async def test_breaker_of_a_dependency_opens(redis_client: Redis) -> None:
    """Calls that fail open the breaker that the exporter shows."""
    shared = Breakers(redis_client)
    for _ in range(6):
        await breakers.call(shared, breakers.DEPENDENCIES[0], down=True)

    assert (await shared.get("service", "service_1")).state is BreakerState.OPEN


@pytest.mark.parametrize(
    ("now", "expected"), [(0, 6 * 3600), (6 * 3600, 30 * 3600), (6 * 3600 - 1, 6 * 3600)]
)
def test_period_runs_at_its_offset(now: int, expected: int) -> None:
    """A daily task at six runs at six, and next the day after."""
    daily = Period(spec="0 6 * * *", kind="report:daily", every_seconds=86_400, offset_seconds=6 * 3600)

    assert daily.next_after(now) == expected


def test_backoff_doubles_up_to_its_limit() -> None:
    """The waiting times of guide 1.4."""
    assert [jobs.backoff(n, (3.0, 15.0)) for n in range(5)] == [3, 6, 12, 15, 15]
    assert jobs.backoff(10_000, (3.0, 15.0)) == 15


def test_next_poll_counts_up() -> None:
    """The IDs of guide 1.5: `job:{id}:0`, then `:1`; somebody else's ID has no next."""
    message = messages.make_task("task:process", task_id="job:task_a:0", queue="scheduled", max_retry=120)
    answers = [jobs.next_poll(message, Random(seed)) for seed in range(20)]
    polls = [answer for answer in answers if answer]

    assert {options["task_id"] for _, options in polls} == {"job:task_a:1"}
    assert len(polls) < len(answers)
    foreign = messages.make_task("task:process", task_id="mine", queue="scheduled")
    assert all(jobs.next_poll(foreign, Random(seed)) is None for seed in range(20))


@pytest.mark.parametrize("kind", jobs.KINDS.values(), ids=jobs.KINDS.keys())
def test_every_kind_makes_requests(kind: jobs.Kind) -> None:
    """Each kind makes a task for its queue, with and without its delay."""
    for make in (jobs.request, jobs.plain_request):
        task, options = make(kind, Random(1))
        assert (task.type, options["queue"]) == (kind.type, kind.queue)


def test_settings_of_the_user_keep_all_but_redis() -> None:
    """The demo's own Redis takes the place of the user's, secrets and TLS included."""
    given = resolve(
        flags={
            "web.listen-address": ["127.0.0.1:1"],
            "redis.url": ["rediss://u:p@h:1/2"],
            "redis.tls.insecure-skip-verify": ["true"],
        },
        environment={"ASYNQ_REDIS_PASSWORD": "secret"},
    ).settings

    changed = demo_settings(given, "unix:///tmp/x.sock?db=0")

    assert changed.web_listen_addresses == given.web_listen_addresses
    assert changed.redis_url.socket_path == "/tmp/x.sock"
    assert changed.redis_password is None
    assert not changed.redis_tls_insecure_skip_verify
    assert changed.collector_interval_seconds < given.collector_interval_seconds


def test_unknown_scenario_is_refused() -> None:
    """The sentence names those that exist."""
    with pytest.raises(StartupError, match="no scenario 'x'; choose one of normal, backlog"):
        run(Settings(), scenario="x")


def test_good_day_keeps_the_objective() -> None:
    """Chance alone must not burn an error budget of one percent."""
    assert GOOD_DAY.failures < (1 - document()["slo"]["objective"]) / 2


async def test_side_by_side_ends_all_when_one_fails() -> None:
    """A mistake in one part is raised, and the others do not go on."""
    ended = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def broken() -> None:
        await asyncio.sleep(0)
        raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError, match="a mistake"):
        await side_by_side([endless(), broken()])
    assert ended.is_set()


async def test_every_goes_on_after_errors_of_redis() -> None:
    """What Redis does to a routine does not end it."""
    turns = 0

    async def action() -> None:
        nonlocal turns
        turns += 1
        if turns == 3:
            raise RuntimeError("enough")
        raise ConnectionError

    with pytest.raises(RuntimeError, match="enough"):
        await every(0, action)
