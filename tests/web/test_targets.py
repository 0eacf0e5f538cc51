"""Several Redis in one exporter, over HTTP."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession

from asynq_exporter import connect
from asynq_exporter.cli.configured import configure
from asynq_exporter.core import keys
from asynq_exporter.settings import SettingsError
from asynq_exporter.web import server
from asynq_exporter.web.app import create_app
from tests.conftest import RedisServer, free_port, start_redis
from tests.web.conftest import Site


@asynccontextmanager
async def serving(folder: Path, text: str, **environment: str) -> AsyncIterator[Site]:
    """The application as a config file describes it."""
    port = free_port()
    (folder / "config.yml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        flags = {
            "config_file": (str(folder / "config.yml"),),
            "web_listen_addresses": (f"127.0.0.1:{port}",),
        }
        resolved, catalog = configure(flags)
    source = connect.make_source(resolved.settings)
    app = create_app(resolved.settings, catalog, source, targets=resolved.targets)
    runner = await server.start(app, resolved.settings)
    async with ClientSession(auto_decompress=False) as session:
        try:
            yield Site(f"http://127.0.0.1:{port}", session)
        finally:
            await runner.cleanup()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[list[RedisServer]]:
    """Two servers of this test alone; the second wants a password."""
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    servers = [start_redis(tmp_path / "first"), start_redis(tmp_path / "second", password="hunter2")]
    yield servers
    for each in servers:
        each.kill()


def described(two: list[RedisServer], *, more: str = "") -> str:
    """A config file with both."""
    first, second = two
    return (
        f"redis: {{url: '{first.url}'}}\ncollector: {{interval: 1s}}\n{more}"
        f"targets:\n"
        f"  first: {{redis: {{url: '{first.url}'}}, labels: {{env: test}}}}\n"
        f"  second: {{redis: {{url: '{second.url}'}}, queues: {{profiles: {{mine: {{capacity: 9}}}}}}}}\n"
    )


PASSWORD = {"ASYNQ_TARGET_SECOND_REDIS_PASSWORD": "hunter2"}


async def test_each_target_has_its_own_numbers(two: list[RedisServer], tmp_path: Path) -> None:
    """Its Redis, its password, its queues; formats as on /metrics; the process' own metrics only there."""
    for number, redis in enumerate(two):
        with redis.client() as client:
            client.sadd(keys.QUEUES, "mine")
            client.rpush(keys.pending("mine"), *range(number + 1))
    async with serving(tmp_path, described(two), **PASSWORD) as site:
        answers = [await site.get(f"/probe?target={name}") for name in ("first", "second")]
        main = await site.get("/metrics")
        openmetrics = await site.get(
            "/probe?target=first", Accept="application/openmetrics-text", Accept_Encoding="gzip"
        )

    assert [1, 2] == [answer.sample('asynq_pending_tasks{queue="mine"}') for answer in answers]
    assert [1, 1] == [answer.sample("asynq_up") for answer in answers]
    assert ["critical" in answer.text for answer in answers] == [True, False]
    assert 1 == main.sample('asynq_pending_tasks{queue="mine"}')
    assert "process_open_fds" in main.text
    assert "process_open_fds" not in answers[0].text
    assert openmetrics.text.endswith("# EOF\n")
    assert openmetrics.headers["Content-Type"].startswith("application/openmetrics-text")


async def test_only_names_can_be_asked_for(two: list[RedisServer], tmp_path: Path) -> None:
    """An unknown name is 404 and says which there are; a URL is a name like any other; none is 400."""
    async with serving(tmp_path, described(two)) as site:
        unknown = await site.get("/probe?target=third")
        url = await site.get(f"/probe?target={two[0].url}")
        none = await site.get("/probe")
        long = await site.get(f"/probe?target={'x' * 3000}")

    assert [404, 404, 400, 404] == [answer.status for answer in (unknown, url, none, long)]
    assert "No target 'third'; there are: first, second\n" == unknown.text
    assert "/probe?target=NAME" in none.text
    assert len(long.text) < 200


async def test_a_hung_target_slows_no_other(two: list[RedisServer], tmp_path: Path) -> None:
    """While one does not answer, others are scraped many times; it says asynq_up 0 within its time."""
    async with serving(tmp_path, described(two), **PASSWORD) as site:
        await site.get("/probe?target=second")
        two[1].hang()
        try:
            started = time.monotonic()
            hung = asyncio.create_task(
                site.get("/probe?target=second", X_Prometheus_Scrape_Timeout_Seconds="20")
            )
            others = [await site.get("/probe?target=first") for _ in range(5)]
            still = not hung.done()
            hurried = await site.get("/probe?target=second", X_Prometheus_Scrape_Timeout_Seconds="1")
            within = time.monotonic() - started
        finally:
            two[1].resume()
        late = await hung

    assert still
    assert [1] * 5 == [answer.sample("asynq_up") for answer in others]
    assert (200, 0) == (hurried.status, hurried.sample("asynq_up"))
    assert within < 19
    assert 1 == late.sample("asynq_up")


async def test_a_target_that_is_away_is_down_alone(two: list[RedisServer], tmp_path: Path) -> None:
    """A wrong password is one target's matter, and shows nowhere."""
    wrong = {"ASYNQ_TARGET_SECOND_REDIS_PASSWORD": "hunter3"}
    async with serving(tmp_path, described(two), **wrong) as site:
        answers = [await site.get(f"/probe?target={name}") for name in ("first", "second")]

    assert [1, 0] == [answer.sample("asynq_up") for answer in answers]
    assert 200 == answers[1].status
    assert "hunter" not in answers[1].text


async def test_targets_are_connected_when_asked_for(two: list[RedisServer], tmp_path: Path) -> None:
    """Before the first probe nobody knocks at a target; then its background collectors run too."""
    async with serving(tmp_path, described(two), **PASSWORD) as site:
        await sampled(site, "/metrics")  # by now all that runs by itself has run
        before = clients(two[1])
        await site.get("/probe?target=second")
        during = clients(two[1])
        await sampled(site, "/probe?target=second")
    after = clients(two[1])

    assert (0, 0) == (before, after)
    assert during >= 1


async def sampled(site: Site, page: str) -> None:
    """Waits until a page has what background collectors found."""
    async with asyncio.timeout(30):
        while 'collector_success{collector="memory"} 1.0' not in (await site.get(page)).text:
            await asyncio.sleep(0.05)


def clients(redis: RedisServer) -> int:
    """Connections of the exporter to a server."""
    with redis.client() as client:
        return sum(each["name"] == connect.CLIENT_NAME for each in client.client_list())


async def test_many_scrapers_share_a_pass(two: list[RedisServer], tmp_path: Path) -> None:
    """Single flight for each target by itself."""
    async with serving(tmp_path, described(two, more="scan: {cache-ttl: 0s}\n"), **PASSWORD) as site:
        await site.get("/probe?target=second")
        with two[1].client() as client:
            client.config_resetstat()
        await asyncio.gather(*(site.get("/probe?target=second") for _ in range(30)))
        with two[1].client() as client:
            calls = client.info("commandstats")["cmdstat_smembers"]["calls"]

    assert calls < 15


async def test_without_a_redis_of_its_own_the_first_target_is_it(
    two: list[RedisServer], tmp_path: Path
) -> None:
    """So that /metrics, the status page and readiness mean something."""
    text = f"targets:\n  one: {{redis: {{url: '{two[0].url}'}}}}\n"
    async with serving(tmp_path, text) as site:
        ready = await site.get("/-/ready")
        metrics = await site.get("/metrics")

    assert 200 == ready.status
    assert 1 == metrics.sample("asynq_up")


async def test_a_file_that_a_target_lacks_stops_the_start(two: list[RedisServer], tmp_path: Path) -> None:
    """With the name of the target."""
    url = two[0].url
    text = f"redis: {{url: '{url}'}}\ntargets: {{one: {{redis: {{url: '{url}', password-file: missing}}}}}}\n"

    with pytest.raises(SettingsError, match=r"^targets\.one: --redis\.password-file: .*missing"):
        async with serving(tmp_path, text):
            pass


async def test_targets_are_listed_for_prometheus(two: list[RedisServer], tmp_path: Path) -> None:
    """In the form of http_sd: the address that was asked, what a scrape needs, and the labels."""
    async with serving(tmp_path, described(two)) as site:
        answer = await site.get("/targets")
        address = site.base.removeprefix("http://")

    assert "application/json; charset=utf-8" == answer.headers["Content-Type"]
    common = {"__metrics_path__": "/probe"}
    assert [
        {
            "targets": [address],
            "labels": {**common, "__param_target": "first", "cluster": "first", "env": "test"},
        },
        {"targets": [address], "labels": {**common, "__param_target": "second", "cluster": "second"}},
    ] == json.loads(answer.body)
