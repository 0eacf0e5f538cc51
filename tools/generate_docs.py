"""Writes the reference pages from the declarations they describe: `make docs`."""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tools import faults_page

from asynq_exporter import cli_reference
from asynq_exporter.metrics import reference as metrics_reference
from asynq_exporter.settings import reference
from asynq_exporter.web.api import reference as api_reference

ROOT = Path(__file__).parents[1]

#: Page below the root -> the function that makes it.
PAGES: Mapping[str, Callable[[], str]] = {
    "docs/cli.md": cli_reference.page,
    "docs/configuration.md": reference.page,
    "docs/faults.md": faults_page.page,
    "docs/metrics.md": metrics_reference.page,
    "docs/api.md": partial(api_reference.page, "en"),
    "docs/api.zh-CN.md": partial(api_reference.page, "zh"),
}


def main() -> int:
    """Writes every page."""
    for name, page in PAGES.items():
        (ROOT / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
