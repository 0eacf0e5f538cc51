"""The page for people, in text and in a real browser, and where the API meets the other pages."""

import base64
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import bcrypt
import pytest

from asynq_exporter.web.api.endpoints import ENDPOINTS
from asynq_exporter.web.api.fields import path_of
from asynq_exporter.web.api.page import texts
from tests.conftest import RedisServer, free_port, need_tool, wait_until
from tests.processes import running
from tests.test_cli import run
from tests.web.api.conftest import TOKEN_FILE, TOKENS, Api, ServeApi


async def test_page_has_every_endpoint(api: Api) -> None:
    """In both languages, without a token, and with nothing from elsewhere."""
    pages = [await api.get(f"/api/v1/?lang={language}", role="", prefix="") for language in ("en", "zh")]

    for page, word in zip(pages, ("Management API", "管理 API"), strict=True):
        assert 200 == page.status
        assert word in page.text
        assert "<script" not in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        for endpoint in ENDPOINTS:
            assert path_of(endpoint) in page.text
            assert f'id="{endpoint.name}"' in page.text
    assert "获取队列统计信息" in pages[1].text


def test_both_languages_have_the_same_texts() -> None:
    """Nothing is forgotten in one of them."""
    assert texts()["en"].keys() == texts()["zh"].keys()
    for endpoint in ENDPOINTS:
        assert {"en", "zh"} == set(endpoint.says)


async def test_read_only_is_said(redis_server: RedisServer, serve_api: ServeApi) -> None:
    """On the page, before somebody tries."""
    async with serve_api(redis_server, api_read__only="true") as api:
        page = await api.get("/api/v1/", role="", prefix="")

    assert "ASYNQ_READONLY" in page.text


async def test_status_page_leads_there(api: Api) -> None:
    """A link, while the API is on."""
    assert '<a href="/api/v1/">' in (await api.get("/", role="", prefix="")).text


@pytest.mark.parametrize("width", [1280, 390])
async def test_page_in_a_browser(api: Api, width: int) -> None:
    """Chromium shows it without an error and within its window, on a desk and on a phone."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=need_tool("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        view = await browser.new_page(viewport={"width": width, "height": 900})
        errors: list[str] = []
        view.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        await view.goto(api.base + "/api/v1/")
        sections = await view.locator("section").count()
        shown = await view.evaluate("document.documentElement.scrollWidth")
        await browser.close()

    assert (len(ENDPOINTS), []) == (sections, errors)
    assert shown <= width


@contextmanager
def serving_behind_users(redis: RedisServer, folder: Path, *flags: str) -> Iterator[str]:
    """The exporter as a process, where even the probes ask for a user."""
    port = free_port()
    command = [sys.executable, "-m", "asynq_exporter", "serve", f"--redis.url={redis.url}", *flags]
    with running([*command, f"--web.listen-address=127.0.0.1:{port}"], folder / "log") as alive:
        wait_until(lambda: alive() and _listens(port), what="the exporter listens")
        yield f"http://127.0.0.1:{port}"


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


async def test_beside_basic_authentication(own_redis: RedisServer, tmp_path: Path) -> None:
    """The web configuration's users guard all pages but the endpoints, which have tokens in that header."""
    (tmp_path / "tokens").write_text(TOKEN_FILE)
    password = bcrypt.hashpw(b"secret", bcrypt.gensalt(rounds=4)).decode()
    (tmp_path / "web.yml").write_text(f"basic_auth_users:\n  anna: {password}\n")
    flags = (f"--api.token-file={tmp_path / 'tokens'}", f"--web.config.file={tmp_path / 'web.yml'}")
    bearer = {"Authorization": f"Bearer {TOKENS['viewer']}"}
    basic = {"Authorization": "Basic " + base64.b64encode(b"anna:secret").decode()}

    async def status(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> int:
        async with session.get(url, headers=headers) as response:
            return response.status

    with serving_behind_users(own_redis, tmp_path, *flags) as base:
        async with aiohttp.ClientSession() as session:
            found = {
                path: [await status(session, base + path, headers) for headers in ({}, bearer, basic)]
                for path in ("/metrics", "/api/v1/", "/api/v1/openapi.json", "/api/v1/queue/stats")
            }

    assert {
        "/metrics": [401, 401, 200],
        "/api/v1/": [401, 401, 200],
        "/api/v1/openapi.json": [401, 401, 200],
        "/api/v1/queue/stats": [401, 200, 401],
    } == found


def test_config_check_reads_the_tokens(tmp_path: Path) -> None:
    """A mistake in the file shows before the start, with its line; the token does not."""
    path = tmp_path / "tokens"
    path.write_text("viewer:short\n")
    wrong = run("config", "check", "--api.token-file", str(path))
    path.write_text(TOKEN_FILE)
    right = run("config", "check", "--api.token-file", str(path))
    alone = run("config", "check", "--api.redis-password-file", str(path))

    assert (2, 0, 2) == (wrong.returncode, right.returncode, alone.returncode)
    assert f"{path}:1: a token has" in wrong.stderr
    assert "short" not in wrong.stderr
    assert TOKENS["admin"] not in right.stdout
    assert "api.redis-username" in alone.stderr


def test_help_names_the_options() -> None:
    """In a group of their own, with the guide's environment names."""
    done = run("serve", "--help")

    group = done.stdout.split("\nAPI:")[1]
    for word in ("--api.token-file", "ASYNQ_ADMIN_TOKEN_FILE", "ASYNQ_READONLY", "--api.payloads"):
        assert word in group
