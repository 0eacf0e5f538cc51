"""The pages for Prometheus over HTTP."""

import asyncio
import gzip
import subprocess
from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import make_mocked_request
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from asynq_exporter.core import keys
from asynq_exporter.metrics.exposition import Format
from asynq_exporter.settings import resolve
from asynq_exporter.web.metrics import (
    MAX_TIMEOUT_SECONDS,
    TIMEOUT_HEADER,
    accepts_gzip,
    deadline,
    negotiate,
)
from tests.conftest import RedisServer, need_tool
from tests.web.conftest import Serve, Site

if TYPE_CHECKING:
    import redis

PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def parse_text(text: str) -> list[Metric]:
    """The families of a page in Prometheus' text format."""
    return list(text_families(text))


def parse_openmetrics(text: str) -> list[Metric]:
    """The families of a page in OpenMetrics."""
    return list(openmetrics_families(text))  # type: ignore[no-untyped-call]


async def test_page_is_clean_for_promtool(site: Site, redis_sync: "redis.Redis") -> None:
    """`promtool check metrics` finds nothing, with awkward names in the labels."""
    redis_sync.sadd(keys.QUEUES, 'a"b\\c\nd', "日本", b"\xff")
    redis_sync.lpush(keys.pending("日本"), "t")
    answer = await site.get("/metrics")

    checked = subprocess.run(
        [need_tool("promtool"), "check", "metrics"], input=answer.body, capture_output=True, check=False
    )

    assert (0, b"", b"") == (checked.returncode, checked.stdout, checked.stderr)
    assert 1 == answer.sample('asynq_pending_tasks{queue="日本"}')


async def test_text_is_the_default(site: Site) -> None:
    """Without a wish the page is Prometheus' text, with the content type Prometheus 3 insists on."""
    answer = await site.get("/metrics")

    assert "text/plain; version=0.0.4; charset=utf-8" == answer.headers["Content-Type"]
    assert {"asynq_up", "python_info", "process_open_fds"} < {f.name for f in parse_text(answer.text)}


async def test_openmetrics_on_request(site: Site, redis_sync: "redis.Redis") -> None:
    """What Prometheus asks for first is OpenMetrics, and it is sound."""
    redis_sync.set(keys.processed("low"), 7)

    answer = await site.get("/metrics", Accept=PROMETHEUS_3)

    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")
    families = {family.name: family for family in parse_openmetrics(answer.text)}
    assert "counter" == families["asynq_processed"].type
    assert 7 == answer.sample('asynq_processed_total{queue="low"}')


async def test_gzip_on_request(site: Site) -> None:
    """Compressed for those who take it."""
    packed = await site.get("/metrics", Accept_Encoding="gzip, deflate")
    plain = await site.get("/metrics", Accept_Encoding="gzip;q=0")

    assert "gzip" == packed.headers["Content-Encoding"]
    assert "Content-Encoding" not in plain.headers
    assert "asynq_up 1.0" in packed.text
    assert len(gzip.compress(packed.body, 1)) < len(packed.body) / 4


async def test_names_select_families(site: Site) -> None:
    """name[] keeps the families named by sample or, for counters, by family; the process' own too."""
    path = "/metrics?name[]=asynq_up&name[]=asynq_processed_total&name[]=process_open_fds"

    text = await site.get(path)
    openmetrics = await site.get("/metrics?name[]=asynq_processed", Accept="application/openmetrics-text")

    assert {"asynq_up", "asynq_processed", "process_open_fds"} == {f.name for f in parse_text(text.text)}
    assert {"asynq_processed"} == {f.name for f in parse_openmetrics(openmetrics.text)}


async def test_scrapes_are_counted(site: Site) -> None:
    """Each scrape counts by its result, this one included."""
    await site.get("/metrics")

    answer = await site.get("/metrics")

    assert 2 == answer.sample('asynq_exporter_scrapes_total{result="full"}')
    assert 0 == answer.sample('asynq_exporter_scrapes_total{result="down"}')


async def test_background_samples_arrive(site: Site, redis_sync: "redis.Redis") -> None:
    """Memory shows as soon as its collector has run, and says when."""
    for _ in range(200):
        answer = await site.get("/metrics")
        if "asynq_queue_memory_bytes{" in answer.text:
            break
        await asyncio.sleep(0.02)

    assert 0 == answer.sample('asynq_queue_memory_bytes{queue="low"}')
    assert answer.sample('asynq_exporter_collector_last_success_timestamp_seconds{collector="memory"}') > 1e9


async def test_redis_away_hung_and_back(own_redis: RedisServer, serve: Serve) -> None:
    """Killed, hung, started again: always 200 within the scraper's time, and whole at the next scrape."""
    loop = asyncio.get_running_loop()
    hurry = {"X_Prometheus_Scrape_Timeout_Seconds": "1"}
    async with serve(own_redis, collector_memory="false", collector_types="false") as site:
        whole = await site.get("/metrics", **hurry)
        own_redis.hang()
        started = loop.time()
        hung = await site.get("/metrics", **hurry)
        took = loop.time() - started
        own_redis.resume()
        resumed = await site.get("/metrics", **hurry)
        own_redis.kill()
        killed = await site.get("/metrics", **hurry)
        ready = await site.get("/-/ready", **hurry)
        alive = await site.get("/-/healthy", **hurry)
        own_redis.start_again()
        back = await site.get("/metrics", **hurry)

    assert took < 1
    assert [1, 0, 1, 0, 1] == [a.sample("asynq_up") for a in (whole, hung, resumed, killed, back)]
    assert {200} == {a.status for a in (whole, hung, resumed, killed, back)}
    for answer in (hung, killed):
        assert 0 == answer.sample("asynq_system_health")
        assert "{queue=" not in answer.text
        assert "asynq_exporter_build_info" in answer.text
    assert (503, 200) == (ready.status, alive.status)
    assert "Redis does not answer" in ready.text


async def test_stranger_in_a_hurry_fails_no_scrape(own_redis: RedisServer, serve: Serve) -> None:
    """Nor does one who has all the time in the world keep a scan under way for ever."""
    settings = resolve().settings
    eternal = make_mocked_request("GET", "/metrics", headers={TIMEOUT_HEADER: "1e300"})

    assert deadline(eternal, settings) <= MAX_TIMEOUT_SECONDS
    async with serve(own_redis) as site:
        own_redis.hang()
        stranger = asyncio.create_task(site.get("/metrics", X_Prometheus_Scrape_Timeout_Seconds="0.001"))
        await asyncio.sleep(0)
        patient = asyncio.create_task(site.get("/metrics", X_Prometheus_Scrape_Timeout_Seconds="30"))
        assert 0 == (await stranger).sample("asynq_up")
        own_redis.resume()

        assert 1 == (await patient).sample("asynq_up")


async def test_redis_absent_at_start(own_redis: RedisServer, serve: Serve) -> None:
    """The exporter starts without Redis, and needs no restart when it comes."""
    own_redis.kill()
    async with serve(own_redis) as site:
        before = await site.get("/metrics")
        own_redis.start_again()
        after = await site.get("/metrics")

    assert [0, 1] == [before.sample("asynq_up"), after.sample("asynq_up")]


async def test_queue_patterns_and_ceiling(
    redis_server: RedisServer, redis_sync: "redis.Redis", serve: Serve
) -> None:
    """Excluded queues have no samples, and the page says how many were left out and cut."""
    redis_sync.sadd(keys.QUEUES, *[f"tenant-{i}" for i in range(10)])
    async with serve(redis_server, queues_exclude="tenant-[0-4]", queues_max="8") as site:
        answer = await site.get("/metrics")

    assert "tenant-0" not in answer.text
    assert 'queue="critical"' in answer.text
    assert (8, 5, 3) == tuple(
        answer.sample(f'asynq_exporter_queues{{result="{result}"}}') for result in ("read", "excluded", "cut")
    )


async def test_telemetry_path_is_configurable(redis_server: RedisServer, serve: Serve) -> None:
    """The metrics may live elsewhere."""
    async with serve(redis_server, web_telemetry__path="/asynq") as site:
        assert (200, 404) == ((await site.get("/asynq")).status, (await site.get("/metrics")).status)
        assert 'href="/asynq"' in (await site.get("/")).text


async def test_many_scrapers_cost_one_scan(
    redis_server: RedisServer, redis_sync: "redis.Redis", serve: Serve
) -> None:
    """Scrapes at the same time share a scan."""
    async with serve(
        redis_server, collector_memory="false", collector_groups="false", collector_types="false"
    ) as site:
        await site.get("/metrics")
        redis_sync.config_resetstat()
        await asyncio.gather(*[site.get("/metrics") for _ in range(30)])
        calls = redis_sync.info("commandstats")

    assert calls["cmdstat_smembers"]["calls"] < 15


@pytest.mark.parametrize(
    ("accept", "format_"),
    [
        ("", Format.PROMETHEUS),
        ("*/*", Format.PROMETHEUS),
        ("text/html", Format.PROMETHEUS),
        ("text/plain;version=0.0.4", Format.PROMETHEUS),
        ("application/openmetrics-text", Format.OPENMETRICS),
        ("application/openmetrics-text;q=0", Format.PROMETHEUS),
        ("application/openmetrics-text;q=0.1,text/plain;q=0.9", Format.PROMETHEUS),
        ("application/openmetrics-text;q=oops", Format.PROMETHEUS),
        (PROMETHEUS_3, Format.OPENMETRICS),
    ],
)
def test_format_follows_the_weights(accept: str, format_: Format) -> None:
    """The format liked best, and text in doubt."""
    assert format_ is negotiate(accept)


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("", False),
        ("gzip", True),
        ("identity, *;q=0", False),
        ("*", True),
        ("gzip;q=0, *", False),
        ("br", False),
    ],
)
def test_gzip_follows_the_header(header: str, taken: bool) -> None:
    """Only those who take gzip get it."""
    assert taken is accepts_gzip(header)


@pytest.mark.parametrize("text", ["", "abc", "-1", "nan", "inf", "0", "1e309"])
async def test_nonsense_timeout_is_ignored(site: Site, text: str) -> None:
    """A header that is no time does no harm."""
    answer = await site.get("/metrics", X_Prometheus_Scrape_Timeout_Seconds=text)

    assert 1 == answer.sample("asynq_up")


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/-/", "/..%2f..%2fetc/passwd"])
async def test_unknown_pages_are_404(site: Site, path: str) -> None:
    """Nothing else is served."""
    assert 404 == (await site.get(path)).status
