"""What the parts of the demo decide, without a Redis."""

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from random import Random
from typing import cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from asynq_exporter.core import messages
from asynq_exporter.core.breakers import Breakers
from asynq_exporter.core.catalog import document
from asynq_exporter.core.client import Client, Task
from asynq_exporter.core.clock import SystemClock
from asynq_exporter.core.errors import CircuitOpenError
from asynq_exporter.core.policies.breaker import BreakerState
from asynq_exporter.core.worker import Attempt, Server, ServerConfig
from asynq_exporter.core.worker.attempt import ResultWriter
from asynq_exporter.demo import handlers, jobs, services, workers
from asynq_exporter.demo.handlers import JobFailedError
from asynq_exporter.demo.process import Process
from asynq_exporter.demo.program import demo_settings, run
from asynq_exporter.demo.redis_server import EmbeddedRedis
from asynq_exporter.demo.routine import every, side_by_side, to_the_end
from asynq_exporter.demo.scenarios import GOOD_DAY, Conditions, Stage
from asynq_exporter.demo.services import ServiceDownError
from asynq_exporter.settings import Settings, StartupError, resolve
from tests.conftest import need_tool


def attempt_at(task_type: str, *, headers: Mapping[str, str] | None = None) -> Attempt:
    """An attempt at a task that no server took."""
    message = messages.make_task(task_type, task_id="t", queue="default", headers=headers or {})
    return Attempt(message, deadline_ns=0, clock=SystemClock(), results=cast("ResultWriter", None))


@pytest.mark.parametrize(
    ("elapsed", "down"), [(0, False), (120, True), (129, True), (130, False), (425, True)]
)
def test_dependency_has_its_bad_seconds(elapsed: float, down: bool) -> None:
    """Long enough to open its breaker, over before that tries again; and in every cycle."""
    platform = services.DEPENDENCIES["task:process"]

    assert down is platform.is_down(elapsed, platform_down=False)
    assert platform.is_down(elapsed, platform_down=True)
    assert not services.DEPENDENCIES["payment:callback"].is_down(elapsed, platform_down=True)


async def test_breaker_guards_what_a_task_calls(redis_client: Redis) -> None:
    """Five calls that fail open the breaker, the sixth is not made; no task fails for it, and others work."""
    stage, breakers, worked = Stage(Conditions(platform_down=True)), Breakers(redis_client), []

    async def handler(attempt: Attempt) -> None:
        worked.append(attempt.type)

    handle = services.called_first(breakers, stage)(handler)
    for error in [ServiceDownError] * 5 + [CircuitOpenError]:
        with pytest.raises(error) as caught:
            await handle(attempt_at("task:process"))
        assert not handlers.is_failure(caught.value)
    await handle(attempt_at("email:send"))

    assert (await breakers.get("platform", "video platform")).state is BreakerState.OPEN
    assert worked == ["email:send"]


async def test_handlers_fail_as_the_conditions_say(redis_client: Redis) -> None:
    """Always, never, and always for a doomed task."""
    stage = Stage(Conditions(failures=1.0, durations=0.0))
    mux = handlers.make_mux(Client(redis_client), Breakers(redis_client), stage, Random(1))

    with pytest.raises(JobFailedError):
        await mux(attempt_at("cache:warm"))
    stage.change(Conditions(failures=0.0, durations=0.0))
    await mux(attempt_at("cache:warm"))
    with pytest.raises(JobFailedError) as caught:
        await mux(attempt_at("cache:warm", headers={jobs.DOOMED: "yes"}))
    assert handlers.is_failure(caught.value)


def test_retries_follow_the_policies() -> None:
    """The waiting times of guide 1.4, also for tasks of strangers; longer where the conditions say so."""
    stage = Stage()
    delay = workers.server_config(stage, Random(1), number=0).retry_delay

    def delays(task_type: str) -> list[float]:
        return [delay(retried, JobFailedError(), Task(task_type)) for retried in range(4)]

    assert delays("email:send") == [3, 6, 12, 15]
    assert delays("webhook:deliver") == [5, 10, 20, 20]
    assert delays("video:transcode") == delays("mine") == [10, 20, 30, 30]
    stage.change(Conditions(patience=2.0))
    assert delays("email:send") == [6, 12, 24, 30]


def test_conditions_configure_a_process() -> None:
    """No forwarder, no recoverer, no polling where the conditions want none."""

    def config(now: Conditions) -> ServerConfig:
        return workers.server_config(Stage(now), Random(1), number=2)

    assert config(Conditions()).polling
    assert config(Conditions()).host == "app-server-2"
    assert not config(Conditions(fetching=False)).polling
    assert config(Conditions(forwarding=False)).forward_seconds == workers.NEVER_SECONDS
    assert config(Conditions(recovering=False)).recover_grace_seconds == workers.NEVER_SECONDS


def test_next_poll_counts_up() -> None:
    """The IDs of guide 1.5: `job:{id}:0`, then `:1`; somebody else's ID has no next."""
    task = Task("task:process")
    answers = [jobs.next_poll(task, "job:task_a:0", Random(seed)) for seed in range(20)]
    polls = [options for answer in answers if answer for options in answer[1:]]

    assert {options["task_id"] for options in polls} == {"job:task_a:1"}
    assert {options["process_in_seconds"] for options in polls} == {3.0}
    assert len(polls) < len(answers)
    assert all(jobs.next_poll(task, "mine", Random(seed)) is None for seed in range(20))


async def test_digest_takes_whatever_there_is() -> None:
    """A visitor's task in a group is no obstacle."""
    task, _ = await jobs.digest(
        "customer:1", [Task("notification:add", b'{"text":"x"}'), Task("mine", b"\xff")]
    )

    assert task.type == "notification:digest"


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


async def test_side_by_side_leaves_nobody_behind() -> None:
    """Cancelled again and again, it waits for those that take their time to end."""
    go_on, ended = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await to_the_end(go_on.wait())
            ended.set()

    task = asyncio.create_task(side_by_side([slow()]))
    for _ in range(5):
        await asyncio.sleep(0)
        task.cancel()
    go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await task
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


async def test_to_the_end_is_not_interrupted() -> None:
    """However often it is cancelled; the cancellation is not lost."""
    go_on, ended = asyncio.Event(), asyncio.Event()

    async def action() -> None:
        await go_on.wait()
        ended.set()

    task = asyncio.create_task(to_the_end(action()))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


#: Far more than a process that is cut off takes.
PATIENCE_SECONDS = 20


class LateCaller:
    """A program that begins to call a Redis just when its process is cut off from it."""

    def __init__(self, redis: EmbeddedRedis, process: Process) -> None:
        self._redis = redis
        self._process = process

    async def start(self) -> None:
        """Nothing to do."""

    async def shutdown(self) -> None:
        """Waits for the answer to a call over a connection that was not there yet when all were cut."""
        pool = self._process.redis.connection_pool
        pool.connection_kwargs["path"] = str(self._redis.socket_path)
        # The cut is already on its way.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with contextlib.suppress(RedisError):
            await self._process.redis.ping()


async def test_process_is_cut_off_from_a_hung_redis() -> None:
    """Whatever it was just connecting: nobody waits for the answer."""
    need_tool("redis-server")
    redis = await EmbeddedRedis.open()
    try:
        process = Process(redis, "late")
        await process.start(cast("Server", LateCaller(redis, process)))
        (server,) = (made for made in [redis._process] if made)
        server.send_signal(signal.SIGSTOP)

        ending = asyncio.create_task(process.kill())
        ended, _ = await asyncio.wait({ending}, timeout=PATIENCE_SECONDS)
        server.send_signal(signal.SIGCONT)
        await ending
        assert {ending} == ended
    finally:
        await redis.close()
