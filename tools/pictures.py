"""Takes the pictures of docs/images from the running demo: `make pictures`. Look at each before a commit."""

import io
import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import jinja2
from markupsafe import Markup
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text
from tests.conftest import need_tool, wait_until
from tests.processes import ROOT, running

IMAGES = ROOT / "docs" / "images"
TERMINAL = Path(__file__).with_suffix(".html")

PROGRAM = [sys.executable, "-m", "asynq_exporter"]

#: Language -> what stands before the ending in the name of a picture.
LANGUAGES: Mapping[str, str] = {"en": "", "zh": ".zh"}

#: The one of the examples in the documentation; the demo says so where it is taken.
ADDRESS = "127.0.0.1:9876"
BASE = f"http://{ADDRESS}"
SCENARIO = "backlog"

#: In the metrics and on the page of the incident.
INCIDENT = "CRITICAL"
INCIDENT_SCRAPED = f'asynq_backpressure_state{{state="{INCIDENT}"}} 1'
INCIDENT_SECONDS = 120.0

#: The doctor's exit code for what is critical.
CRITICAL_CODE = 20

#: Pixels of a browser's window; of a page that is longer than it, the whole or the beginning is taken.
STATUS_WINDOW = (1440, 600)
API_WINDOW = (1280, 1000)

#: Of a terminal, and how many lines of a report are its beginning.
COLUMNS, LINES = 100, 36

#: The pages have few colours; a palette makes a quarter of the bytes.
COLOURS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The running demo."""

    #: What it printed so far.
    output: str
    redis_url: str


@contextmanager
def demo(folder: Path) -> Iterator[Demo]:
    """The demo in its incident, with the management API."""
    tokens = folder / "tokens"
    tokens.write_text("admin:" + "0" * 64 + "\n")
    log = folder / "log"
    options = [f"--scenario={SCENARIO}", f"--web.listen-address={ADDRESS}", f"--api.token-file={tokens}"]
    with running([*PROGRAM, "demo", *options], log) as alive:
        wait_until(
            lambda: alive() and INCIDENT_SCRAPED in scraped(),
            what="the incident is there",
            seconds=INCIDENT_SECONDS,
        )
        output = log.read_text(encoding="utf-8")
        yield Demo(output=output, redis_url=re.findall(r"unix://\S+", output)[0])


def scraped() -> str:
    """The metrics; empty while nobody listens."""
    try:
        with urlopen(f"{BASE}/metrics", timeout=10) as answer:
            text: str = answer.read().decode()
            return text
    except OSError:
        return ""


def take(browser: Browser, running_demo: Demo, folder: Path) -> None:
    """All pictures."""
    shown = running_demo.output.partition("\nts=")[0].rstrip()
    save(terminal(browser, f"asynq-exporter demo --scenario {SCENARIO}", shown, "en"), "demo.png")
    for language, ending in LANGUAGES.items():
        save(status(browser, f"{BASE}/?lang={language}"), f"status{ending}.png")
        save(screen(browser, f"{BASE}/api/v1/?lang={language}", API_WINDOW), f"api{ending}.png")
        command = ["doctor", "--redis.url", running_demo.redis_url, "--lang", language]
        begins = report(command, folder)
        save(
            terminal(browser, shlex.join(["asynq-exporter", *command]), begins, language),
            f"doctor{ending}.png",
        )


def report(command: list[str], folder: Path) -> str:
    """The beginning of the doctor's report, at a moment in which it finds the incident."""

    def found() -> str | None:
        code, text = printed(command, folder)
        return text if code == CRITICAL_CODE else None

    whole = wait_until(found, what="the doctor finds the incident", seconds=INCIDENT_SECONDS)
    return "\n".join(whole.splitlines()[:LINES])


def status(browser: Browser, url: str) -> bytes:
    """The whole status page, at a moment in which it shows the incident."""
    page = opened(browser, STATUS_WINDOW)

    def shown() -> bytes | None:
        page.goto(url)
        return page.screenshot(full_page=True) if INCIDENT in page.inner_text("body") else None

    taken = wait_until(shown, what="the page shows the incident", seconds=INCIDENT_SECONDS)
    page.close()
    return taken


def screen(browser: Browser, url: str, window: tuple[int, int]) -> bytes:
    """What a visitor of a page sees first."""
    page = opened(browser, window)
    page.goto(url)
    taken = page.screenshot()
    page.close()
    return taken


def opened(browser: Browser, window: tuple[int, int], *, scale: float = 1) -> Page:
    """A new page in a window of a size."""
    width, height = window
    return browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=scale)


def terminal(browser: Browser, command: str, output: str, language: str) -> bytes:
    """A command and what it printed, colours included."""
    template = jinja2.Environment(autoescape=True).from_string(TERMINAL.read_text(encoding="utf-8"))
    console = Console(record=True, width=2 * COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(output), soft_wrap=True)
    coloured = console.export_html(theme=MONOKAI, inline_styles=True, code_format="{code}")
    page = opened(browser, STATUS_WINDOW, scale=1.5)
    page.set_content(template.render(command=command, output=Markup(coloured), language=language))
    taken = page.locator("main").screenshot()
    page.close()
    return taken


def printed(command: list[str], folder: Path) -> tuple[int, str]:
    """The exit code of a command, and what it prints on a terminal."""
    ours, its = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    with subprocess.Popen(
        [*PROGRAM, *command], stdout=its, stderr=its, cwd=folder, env=environment
    ) as process:
        os.close(its)
        text = b"".join(chunks(ours)).decode().replace("\r\n", "\n")
    return process.returncode, text


def chunks(descriptor: int) -> Iterator[bytes]:
    """What comes from a terminal, until its other end is closed, which reads as an error."""
    try:
        while data := os.read(descriptor, 65536):
            yield data
    except OSError:
        os.close(descriptor)


def save(taken: bytes, name: str) -> None:
    """Keeps a picture, with few colours."""
    image = Image.open(io.BytesIO(taken)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)
    print(f"{name}  {image.width} x {image.height}, {(IMAGES / name).stat().st_size / 1000:.0f} kB")


def main() -> int:
    """Takes them all."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=need_tool("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        with demo(Path(name)) as running_demo:
            take(browser, running_demo, Path(name))
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
