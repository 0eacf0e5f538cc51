"""The status page, read as text and in a real browser."""

from typing import TYPE_CHECKING

import pytest

from asynq_exporter.core import keys
from asynq_exporter.web.status import duration, grouped, reached, size
from tests.conftest import RedisServer, need_tool
from tests.web.conftest import Serve, Site

if TYPE_CHECKING:
    import redis


async def test_page_shows_queues_levels_and_links(site: Site, redis_sync: "redis.Redis") -> None:
    """Queues with state, thresholds and backpressure; links to the other pages; no worker is said so."""
    redis_sync.lpush(keys.pending("critical"), *range(60))
    redis_sync.zadd(keys.archived("dead_letter"), {"a": 1})

    html = (await site.get("/")).text

    for piece in ("critical", "&gt; 10 / 50 / 100", "warning", "info", "/metrics/upstream", "/-/ready"):
        assert piece in html
    assert "No worker is alive" in html


async def test_page_speaks_chinese(site: Site) -> None:
    """By the browser's wish, and by choice, which wins."""
    wished = await site.get("/", Accept_Language="zh-CN,zh;q=0.9,en;q=0.8")
    chosen = await site.get("/?lang=en", Accept_Language="zh-CN")

    assert "待消费" in wished.text
    assert '<html lang="zh">' in wished.text
    assert "Pending" in chosen.text


async def test_page_says_that_redis_is_away(own_redis: RedisServer, serve: Serve) -> None:
    """Without Redis the page still comes, with the address and the reason."""
    own_redis.kill()
    async with serve(own_redis) as site:
        answer = await site.get("/")

    assert 200 == answer.status
    assert "Redis does not answer" in answer.text
    assert f"127.0.0.1:{own_redis.port}" in answer.text


async def test_endless_names_do_not_fill_the_page(site: Site, redis_sync: "redis.Redis") -> None:
    """A queue name of a megabyte costs nobody anything, and shows as a queue that was left out."""
    redis_sync.sadd(keys.QUEUES, "x" * 1_000_000, "fine")

    status, metrics = await site.get("/"), await site.get("/metrics")

    assert "fine" in status.text
    for answer in (status, metrics):
        assert "xxx" not in answer.text
    assert 1 == metrics.sample('asynq_exporter_queues{result="cut"}')


async def test_hostile_names_are_only_text(site: Site, redis_sync: "redis.Redis") -> None:
    """A queue name cannot become markup, and the page runs no script at all."""
    redis_sync.sadd(keys.QUEUES, "<script>alert(1)</script>", b"\xff<b>")
    redis_sync.set(keys.pending("<script>alert(1)</script>"), "wrong type")

    answer = await site.get("/")

    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "nosniff" == answer.headers["X-Content-Type-Options"]
    assert "asynq-exporter" == answer.headers["Server"]


#: What of the page lies outside of the window or can only be scrolled to, as text.
HIDDEN = """[...document.querySelectorAll('body *')]
    .filter(e => e.getBoundingClientRect().right > innerWidth
        || e.clientWidth && e.scrollWidth > e.clientWidth + 1)
    .map(e => `${e.tagName} ${e.innerText}`)"""


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [1440, 1280, 768, 390])
async def test_page_in_a_browser(site: Site, redis_sync: "redis.Redis", width: int, language: str) -> None:
    """Chromium shows all of it without an error or a scroll to the side, on a desk and on a phone."""
    from playwright.async_api import async_playwright

    redis_sync.lpush(keys.pending("critical"), *range(950))
    redis_sync.sadd(keys.QUEUES, "a-long-name" * 15)
    redis_sync.set(keys.processed("default"), 1_234_567_890)
    redis_sync.set(keys.failed("default"), 123_456_789)
    redis_sync.set(keys.paused("default"), 1)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=need_tool("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        view = await browser.new_page(viewport={"width": width, "height": 900})
        errors: list[str] = []
        view.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        view.on("pageerror", lambda error: errors.append(str(error)))
        await view.goto(f"{site.base}/?lang={language}")

        rows = await view.locator("tbody tr").count()
        first = " ".join((await view.locator("tbody tr").first.inner_text()).split())
        page = await view.inner_text("body")
        cells = view.locator("tbody td")
        shown = [await cell.is_visible() for cell in await cells.all()]
        hidden = await view.evaluate(HIDDEN)
        width_of_all = await view.evaluate("document.documentElement.scrollWidth")
        await browser.close()

    assert (7, []) == (rows, errors)
    assert {"en": "critical Pending > 10 / 50", "zh": "严重 待消费 > 10 / 50"}[language] in first
    assert "1,234,567,890" in page
    assert [True] * 7 * 12 == shown
    assert (width, []) == (width_of_all, hidden)


@pytest.mark.parametrize(
    ("value", "level"),
    [
        (None, "unknown"),
        (0, "ok"),
        (10, "ok"),
        (11, "info"),
        (50, "info"),
        (51, "warning"),
        (101, "critical"),
    ],
)
def test_level_is_above_its_threshold(value: float | None, level: str) -> None:
    """A threshold is exceeded, not met."""
    assert level == reached(value, {"info": 10, "warning": 50, "critical": 100})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 s"),
        (0.25, "250 ms"),
        (59.9, "59 s"),
        (61, "1 m 1 s"),
        (3600, "1 h"),
        (90_000, "1 d 1 h"),
    ],
)
def test_duration_for_people(seconds: float | None, text: str) -> None:
    """Two units at most."""
    assert text == duration(seconds)


def test_numbers_for_people() -> None:
    """Thousands apart, bytes in powers of 1024, unknown as a dash."""
    assert ("1,234,567", "–") == (grouped(1_234_567), grouped(None))
    assert ("512 B", "1.5 KiB", "2.0 TiB", "–") == (size(512), size(1536), size(2 * 1024**4), size(None))
