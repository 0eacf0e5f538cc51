"""Documentation can fail: generated pages equal their source, links lead somewhere, numbers stand once."""

import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from asynq_exporter import cli_reference
from asynq_exporter.metrics import reference as metrics_reference
from asynq_exporter.settings import OPTIONS, reference
from asynq_exporter.web.api import reference as api_reference

ROOT = Path(__file__).parents[2]

PAGES = sorted(
    p for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")]
)


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("cli.md", cli_reference.page),
        ("configuration.md", reference.page),
        ("metrics.md", metrics_reference.page),
        ("api.md", partial(api_reference.page, "en")),
        ("api.zh-CN.md", partial(api_reference.page, "zh")),
    ],
    ids=["cli", "configuration", "metrics", "api", "api in Chinese"],
)
def test_generated_page_is_current(name: str, page: object) -> None:
    """`make docs` writes exactly what is committed."""
    assert page() == (ROOT / "docs" / name).read_text("utf-8")  # type: ignore[operator]


def test_every_option_is_documented() -> None:
    """Flag and environment name of each option are on the page."""
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")

    assert [] == [o.name for o in OPTIONS.values() if f"`{o.environment}`" not in text]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    """A link to a file of the repository names one that exists."""
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text("utf-8"))

    assert [] == [target for target in targets if not (page.parent / target).exists()]


def test_make_lists_its_targets() -> None:
    """`make` without a target says what there is."""
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)

    for target in ("demo", "test", "lint", "bundle", "bench", "docs"):
        assert f"make {target}" in done.stdout


def test_core_is_importable_alone() -> None:
    """Who embeds the core pays for redis and protobuf only."""
    code = "import asynq_exporter.core, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = set(done.stdout.split())
    assert not loaded & {"aiohttp", "prometheus_client", "click", "pydantic", "yaml", "structlog", "jinja2"}


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        (r"\"asynq:", {"core/keys.py"}),
        (r"\btime\.time\(|datetime\.now\(", {"core/clock.py"}),
        (r"\bos\.environ|\bsys\.argv", {"cli/configured.py", "cli/doctor.py"}),
    ],
    ids=["key names", "wall clock", "argv and environ"],
)
def test_each_has_its_one_place(pattern: str, allowed: set[str]) -> None:
    """Key names, the clock, argv and environ are spelled in one module each."""
    package = ROOT / "exporter" / "asynq_exporter"
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if re.search(pattern, re.sub(r"\"\"\".*?\"\"\"|#.*", "", path.read_text("utf-8"), flags=re.DOTALL))
    }

    assert set() == {path for path in found if path not in allowed}
