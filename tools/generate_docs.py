"""Writes the pages that are made of declarations, and the head of all: `make docs`."""

import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tools import faults_page, man_page, translation

from asynq_exporter import __version__, cli_reference
from asynq_exporter.metrics import reference as metrics_reference
from asynq_exporter.settings import reference
from asynq_exporter.web.api import reference as api_reference

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

#: Installed with the program, so it lies beside the package.
MAN_PAGE = ROOT / "exporter" / "man" / "asynq-exporter.1"

CHINESE = ".zh-CN.md"

#: English page -> the function that makes it; the Chinese page is its translation.
TRANSLATED: Mapping[str, Callable[[], str]] = {
    "cli.md": cli_reference.page,
    "configuration.md": reference.page,
    "faults.md": faults_page.page,
    "metrics.md": metrics_reference.page,
}

#: Page -> the function that makes it, whose texts have both languages themselves.
OTHERS: Mapping[str, Callable[[], str]] = {
    "api.md": partial(api_reference.page, "en"),
    "api.zh-CN.md": partial(api_reference.page, "zh"),
}

#: Below the title of each page.
_HEAD = re.compile(r"asynq-exporter \d\S* · \[.*\]\(.*\)")


def pages() -> Mapping[Path, str]:
    """Every file that is made, or whose head is, with its text; raises TranslationError."""
    chinese = translation.load()
    texts = {page.name: page.read_text(encoding="utf-8") for page in DOCS.glob("*.md")}
    texts |= {name: page() for name, page in {**TRANSLATED, **OTHERS}.items()}
    texts |= {chinese_of(name): chinese.page(texts[name]) for name in TRANSLATED}
    chinese.check()
    return {DOCS / name: headed(name, text) for name, text in texts.items()} | {MAN_PAGE: man_page.page()}


def headed(name: str, text: str) -> str:
    """A page that has below its title the version it belongs to, and where the other language is."""
    other, says = (english_of(name), "English") if name.endswith(CHINESE) else (chinese_of(name), "中文")
    title, _, rest = text.partition("\n\n")
    first, _, others = rest.partition("\n\n")
    body = others if _HEAD.fullmatch(first) else rest
    return f"{title}\n\nasynq-exporter {__version__} · [{says}]({other})\n\n{body}"


def chinese_of(name: str) -> str:
    """The name of the Chinese page."""
    return english_of(name).removesuffix(".md") + CHINESE


def english_of(name: str) -> str:
    """The name of the English page."""
    return name.removesuffix(CHINESE).removesuffix(".md") + ".md"


def main() -> int:
    """Writes every page."""
    try:
        made = pages()
    except translation.TranslationError as exc:
        print(exc, file=sys.stderr)
        return 1
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
