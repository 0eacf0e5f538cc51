"""`asynq-exporter worker` as a process: what it serves, how it is steered, how it ends."""

import asyncio
import re
import shutil
import signal
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest
import trustme
from redis import Redis

from asynq_exporter.core import Client, Options, Task, catalog, keys
from asynq_exporter.core.control import WorkerControl
from asynq_exporter.core.policies import retry
from asynq_exporter.settings import SettingsError, resolve
from asynq_exporter.web.worker import server_config
from tests.conftest import RedisServer, wait_until
from tests.core.worker.serving import until
from tests.interop.exposition import scrape
from tests.interop.serving import serve
from tests.project.acl import WORKER_RULES
from tests.web.working import EXAMPLES, Worker, working

#: Holds each task until the key `gate` exists.
GATED = """
import asyncio, os
import redis.asyncio
gate = redis.asyncio.from_url(os.environ["APP_REDIS_URL"])

async def handle(attempt):
    await gate.rpush("begun", attempt.id)
    while not await gate.exists("gate"):
        await asyncio.sleep(0.02)
"""


@pytest.fixture
def gated(tmp_path: Path) -> Path:
    """A folder with a module whose handler waits."""
    (tmp_path / "tasks.py").write_text(GATED)
    return tmp_path


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A folder with the documented example module."""
    shutil.copy(EXAMPLES / "tasks.py", tmp_path)
    return tmp_path


def enqueue(redis: RedisServer, *requests: tuple[Task, Options]) -> None:
    """Enqueues, each by itself."""

    async def go() -> None:
        client = redis.async_client()
        for task, options in requests:
            await Client(client).enqueue(task, **options)
        await client.aclose()

    asyncio.run(go())


def is_shown(worker: Worker, redis: Redis, *, concurrency: int, status: str) -> bool:
    """Whether record and metrics of a worker say so."""
    found = worker.record(redis)
    page = scrape(f"{worker.url}/metrics")
    return (
        found is not None
        and (found.concurrency, found.status) == (concurrency, status)
        and page.value("asynq_worker_process_slots") == concurrency
        and page.value("asynq_worker_process_status", status=status) == 1
    )


@pytest.fixture
def redis(own_redis: RedisServer) -> Iterator[Redis]:
    """A client of the test's own Redis."""
    with own_redis.client() as client:
        yield client


def test_example_works(own_redis: RedisServer, redis: Redis, examples: Path) -> None:
    """The documented module: one order is done, one never can be, one is tried again; all is counted."""
    bodies = (b'{"image": "a.png", "user_id": 4}', b"nonsense", b'{"image": "a.broken", "user_id": 4}')
    requests: list[tuple[Task, Options]] = [
        (Task("image:resize", body), {"queue": "high"}) for body in bodies
    ]
    with working(own_redis, examples, APP_REDIS_URL=own_redis.url) as worker:
        enqueue(own_redis, *requests)
        attempts = "asynq_task_attempts_total"
        wait_until(
            lambda: scrape(f"{worker.url}/metrics").get(attempts, type="email:resized", outcome="succeeded"),
            what="the mail is sent",
        )
        wait_until(lambda: redis.zcard(keys.retry("high")), what="one waits for its retry")
        page = scrape(f"{worker.url}/metrics")

        outcomes = {o: page.value(attempts, type="image:resize", outcome=o) for o in ("succeeded", "failed")}
        assert {"succeeded": 1, "failed": 2} == outcomes
        assert 1 == redis.zcard(keys.archived("high"))
        assert {"histogram"} == {page.types[f"asynq_task_{n}_seconds"] for n in ("duration", "wait")}
        for name in ("duration", "wait"):
            assert 3 == page.value(f"asynq_task_{name}_seconds_count", type="image:resize")
            assert 3 == page.value(f"asynq_task_{name}_seconds_bucket", type="image:resize", le="+Inf")
        assert (200, True) == _of(worker.get("/-/ready"), "is ready")
        assert 404 == worker.get("/")[0]
        only = worker.get("/metrics?name[]=asynq_task_wait_seconds")[1]
        assert {"asynq_task_wait_seconds"} == set(re.findall("^# TYPE (\\S+)", only, re.MULTILINE))


def _of(answer: tuple[int, str], words: str) -> tuple[int, bool]:
    return answer[0], words in answer[1]


def test_signals_steer(own_redis: RedisServer, redis: Redis, gated: Path) -> None:
    """More and fewer slots, stop and go, each in the log, in the record and in the metrics."""
    flags = ("--concurrency=2",)
    with working(own_redis, gated, *flags, target="tasks:handle", APP_REDIS_URL=own_redis.url) as worker:
        send = worker.process.send_signal
        for name, change in (("SIGTTIN", 3), ("SIGTTOU", 2), ("SIGTTOU", 1)):
            send(signal.Signals[name])
            worker.says("[Asynq] Concurrency changed", by=name, concurrency=change)
        send(signal.SIGTTOU)
        worker.says("[Asynq] Concurrency is 1 already", by="SIGTTOU")
        send(signal.SIGTSTP)
        worker.says("[Asynq] Polling stopped", by="SIGTSTP")
        wait_until(lambda: is_shown(worker, redis, concurrency=1, status="stopped"), what="it is seen")
        assert 200 == worker.get("/-/ready")[0]
        enqueue(own_redis, (Task("t"), {"task_id": "1"}))
        # The forwarder goes on; it is the proof that some polls would have come by.
        enqueue(own_redis, (Task("t"), {"task_id": "2", "process_in_seconds": 0.2}))
        wait_until(lambda: redis.llen(keys.pending("default")) == 2, what="both are pending")
        assert not redis.exists("begun")
        send(signal.SIGCONT)
        worker.says("[Asynq] Polling resumed", by="SIGCONT")
        wait_until(lambda: redis.llen("begun") == 1, what="one is taken")
        redis.set("gate", 1)
    assert {"SIGTTIN", "SIGTTOU", "SIGTSTP", "SIGCONT", "SIGTERM"} == {
        line["signal"] for line in worker.lines() if line["event"] == "[Asynq] Signal received"
    }


def test_sighup_reads_the_file_again(own_redis: RedisServer, redis: Redis, gated: Path) -> None:
    """Concurrency and polling change at once, the rest is named, and a mistake changes nothing."""
    file = gated / "config.yml"
    file.write_text("concurrency: 3\n")
    flags = (f"--config.file={file}",)
    with working(own_redis, gated, *flags, target="tasks:handle", APP_REDIS_URL=own_redis.url) as worker:
        file.write_text("concurrency: 5\npolling: {enabled: false}\nlog: {level: warn}\n")
        worker.process.send_signal(signal.SIGHUP)
        worker.says("[Asynq] Concurrency changed", by="SIGHUP", concurrency=5)
        worker.says("[Asynq] Polling stopped", by="SIGHUP")
        worker.says("[Asynq] Configuration read again", needs_restart="log_level")
        file.write_text("concurrency: many\n")
        worker.process.send_signal(signal.SIGHUP)
        line = worker.says("[Asynq] Configuration cannot be read")
        assert f"{file}:1: concurrency" in line["error"]
        wait_until(lambda: is_shown(worker, redis, concurrency=5, status="stopped"), what="nothing changed")


@pytest.mark.parametrize(
    ("environment", "concurrency", "status"),
    [
        ({}, 10, "active"),
        ({"ASYNQ_CONCURRENCY": "30"}, 30, "active"),
        ({"ASYNQ_POLLING_ENABLED": "false"}, 10, "stopped"),
    ],
)
def test_environment_is_that_of_the_guide(
    own_redis: RedisServer,
    redis: Redis,
    examples: Path,
    environment: dict[str, str],
    concurrency: int,
    status: str,
) -> None:
    """Section 6.1; a worker that takes no tasks is alive all the same."""
    with working(own_redis, examples, APP_REDIS_URL=own_redis.url, **environment) as worker:
        wait_until(
            lambda: is_shown(worker, redis, concurrency=concurrency, status=status), what=f"it is {status}"
        )


def test_database_is_chosen_by_the_variable_of_the_guide(own_redis: RedisServer, examples: Path) -> None:
    """ASYNQ_REDIS_DB."""
    with (
        Redis(port=own_redis.port, db=3) as third,
        own_redis.client() as first,
        working(own_redis, examples, APP_REDIS_URL=own_redis.url, ASYNQ_REDIS_DB="3"),
    ):
        wait_until(lambda: third.exists(keys.SERVERS), what="it is in database 3")
        assert not first.exists(keys.SERVERS)


def test_shutdown_waits_for_what_runs(own_redis: RedisServer, redis: Redis, gated: Path) -> None:
    """The page answers until the end and says that it comes."""
    flags = ("--shutdown.timeout=1h",)
    with working(own_redis, gated, *flags, target="tasks:handle", APP_REDIS_URL=own_redis.url) as worker:
        enqueue(own_redis, (Task("t"), {"task_id": "1"}))
        wait_until(lambda: redis.exists("begun"), what="it has begun")
        worker.process.terminate()
        wait_until(lambda: worker.get("/-/ready")[0] == 503, what="it is not ready any more")
        assert 200 == worker.get("/-/healthy")[0]
        assert 1 == scrape(f"{worker.url}/metrics").value("asynq_worker_process_status", status="closed")
        redis.set("gate", 1)
        assert worker.process.wait(30) == 0
    worker.says("[Asynq] Task completed", task_id="1")
    assert not redis.exists(keys.SERVERS, keys.task("default", "1"))


def test_shutdown_puts_back_what_takes_too_long(own_redis: RedisServer, redis: Redis, gated: Path) -> None:
    """As the next to run."""
    flags = ("--shutdown.timeout=200ms",)
    with working(own_redis, gated, *flags, target="tasks:handle", APP_REDIS_URL=own_redis.url) as worker:
        enqueue(own_redis, (Task("t"), {"task_id": "1"}))
        wait_until(lambda: redis.exists("begun"), what="it has begun")
        assert worker.end() == 0
    worker.says("[Asynq] Task put back into its queue", task_id="1")
    assert [b"1"] == redis.lrange(keys.pending("default"), 0, -1)
    assert not redis.exists(keys.SERVERS, keys.active("default"))


def test_all_processes_follow_redis(
    own_redis: RedisServer, redis: Redis, examples: Path, tmp_path: Path
) -> None:
    """Two processes; what is asked holds for one that starts later, and ends when it is cleared."""

    async def ask(**fields: object) -> None:
        client = own_redis.async_client()
        control = WorkerControl(client)
        await (control.set(**fields) if fields else control.clear())  # type: ignore[arg-type]
        await client.aclose()

    def are(concurrency: int, status: str) -> None:
        for worker in workers:
            wait_until(
                lambda w=worker: is_shown(w, redis, concurrency=concurrency, status=status),  # type: ignore[misc]
                what=f"all are {status} with {concurrency}",
            )

    with working(own_redis, examples, APP_REDIS_URL=own_redis.url) as first:
        workers = [first]
        asyncio.run(ask(concurrency=4, polling=False))
        with working(own_redis, examples, "--concurrency=6", APP_REDIS_URL=own_redis.url) as second:
            workers.append(second)
            are(4, "stopped")
            assert not [line for line in second.lines() if "Polling system initialized" in line["event"]]
            asyncio.run(ask())
            second.says("[Asynq] Polling resumed", by="redis")
            second.says("[Asynq] Polling system initialized")
            second.says("[Asynq] Concurrency changed", by="redis", before=4, concurrency=6)


def test_redis_that_is_away_is_told(own_redis: RedisServer, examples: Path) -> None:
    """Healthy, not ready; and ready again."""
    with working(own_redis, examples, APP_REDIS_URL=own_redis.url) as worker:
        own_redis.kill()
        wait_until(lambda: worker.get("/-/ready")[0] == 503, what="it is not ready")
        assert 200 == worker.get("/-/healthy")[0]
        assert 200 == worker.get("/metrics")[0]
        worker.says("[Asynq] Redis error, trying again")
        own_redis.start_again()
        wait_until(lambda: worker.get("/-/ready")[0] == 200, what="it is ready again")


def test_published_rules_of_a_worker_are_enough(own_redis: RedisServer, redis: Redis, examples: Path) -> None:
    """A task done, one failed, one canceled, its timings shared, the worker ended: nothing was refused."""
    redis.execute_command("ACL", "SETUSER", "worker", "on", ">secret", *WORKER_RULES.split())  # type: ignore[no-untyped-call]
    url = f"redis://worker@127.0.0.1:{own_redis.port}/0"
    flags = (f"--redis.url={url}", "--task-timings.share", "--shutdown.timeout=0s")
    env = {"APP_REDIS_URL": own_redis.url, "ASYNQ_REDIS_PASSWORD": "secret"}
    (examples / "tasks.py").write_text(GATED)
    with working(own_redis, examples, *flags, target="tasks:handle", **env) as worker:
        enqueue(own_redis, (Task("t"), {"task_id": "canceled"}))
        wait_until(lambda: redis.llen("begun") == 1, what="it runs")
        wait_until(lambda: redis.pubsub_numsub(keys.CANCEL_CHANNEL)[0][1], what="the worker listens")
        redis.publish(keys.CANCEL_CHANNEL, "canceled")
        worker.says("[Asynq] Task failed", task_id="canceled", error="context canceled")
        enqueue(own_redis, (Task("t"), {"task_id": "put-back"}))
        wait_until(lambda: redis.llen("begun") == 2, what="another runs")
        wait_until(lambda: redis.exists(keys.TASK_TIMINGS), what="the timings are shared")
        assert worker.end() == 0
        worker.says("[Asynq] Task put back into its queue", task_id="put-back")
    assert [] == redis.acl_log()


def test_web_configuration_guards_the_worker_too(own_redis: RedisServer, examples: Path) -> None:
    """TLS and basic authentication, from the same file as for the exporter."""
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(examples / "both.pem")
    users = f"basic_auth_users:\n  anna: {bcrypt.hashpw(b'secret', bcrypt.gensalt(rounds=4)).decode()}\n"
    (examples / "web.yml").write_text(
        f"tls_server_config: {{cert_file: both.pem, key_file: both.pem}}\n{users}"
    )
    context = ssl.create_default_context()
    authority.configure_trust(context)
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context), urllib.request.HTTPBasicAuthHandler(passwords)
    )
    plain = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))

    with working(own_redis, examples, "--web.config.file=web.yml", APP_REDIS_URL=own_redis.url) as worker:
        url = worker.url.replace("http:", "https:")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            plain.open(f"{url}/metrics", timeout=30)
        passwords.add_password(None, url, "anna", "secret")
        with opener.open(f"{url}/metrics", timeout=30) as answer:
            assert b"asynq_worker_process_slots 10.0" in answer.read()


@pytest.mark.parametrize("name", ["long", "medium", "short", "default"])
def test_policy_of_the_guide_decides_the_delay(name: str) -> None:
    """Guide section 6.2, whatever the task and the error."""
    settings = resolve(flags={"retry.policy": [name]}).settings
    delay = server_config(settings, catalog.documented()).retry_delay
    policy = retry.documented()[name]
    assert [policy.delay_seconds(n) for n in range(4)] == [
        delay(n, ValueError(), Task("t")) for n in range(4)
    ]


def test_asynqs_own_delay_unless_asked() -> None:
    """Wire section 5.6: the fourth power, and chance."""
    delay = server_config(resolve().settings, catalog.documented()).retry_delay
    assert 15 <= delay(0, ValueError(), Task("t")) < 15 + 30
    assert 15 + 10**4 <= delay(10, ValueError(), Task("t"))


def test_queues_are_those_of_the_catalogue_that_are_wanted() -> None:
    """With their weights, in order; none at all is a mistake."""
    documented = catalog.documented()
    flags = {"queues.exclude": ["dead_.*"], "queues.strict": ["true"]}
    config = server_config(resolve(flags=flags).settings, documented)
    expected = {"critical": 10, "high": 6, "default": 4, "scheduled": 3, "low": 1}
    assert (expected, True) == (config.weights, config.strict_priority)
    with pytest.raises(SettingsError, match="no queue is left"):
        server_config(resolve(flags={"queues.include": ["nothing"]}).settings, documented)


async def test_worker_shares_with_the_exporter(own_redis: RedisServer, examples: Path) -> None:
    """What two workers have counted, one of them killed, is on the exporter's page, and never falls."""
    order = Task("email:welcome", b'{"user_id": 4}')
    name, labels = "asynq_task_attempts_total", {"type": "email:welcome", "outcome": "succeeded"}
    loop = asyncio.get_running_loop()

    async def is_shown_as(number: int) -> None:
        await until(
            lambda: loop.run_in_executor(
                None, lambda: scrape(f"{url}/metrics").get(name, **labels) == number
            ),
            what=f"{number} attempts are shown",
        )

    client = own_redis.async_client()
    env = {"APP_REDIS_URL": own_redis.url, "ASYNQ_TASK_TIMINGS_SHARE": "true"}
    with serve(own_redis, "--collector.task-timings", "--collector.interval=1s") as url:
        with working(own_redis, examples, **env) as worker:
            await Client(client).enqueue(order)
            await is_shown_as(1)
            worker.process.kill()
            worker.process.wait()
        with working(own_redis, examples, **env):
            await Client(client).enqueue(order)
            await is_shown_as(2)
        page = scrape(f"{url}/metrics")
        assert 2 == page.value("asynq_task_duration_seconds_count", type="email:welcome")
        assert 1 == page.value("asynq_exporter_collector_success", collector="task_timings")
    await client.aclose()
