"""Makes docs/faults.md of the suite: what is done is a test's name, what is expected its docstring."""

import ast
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "tests" / "faults"

INTRODUCTION = """\
# Faults

What is done to a running exporter by `make test ARGS=tests/faults`, with a real Redis behind a bad network,
and what has to happen. In every case the process goes on, `/metrics` answers 200 within the time of the
scrape, and no log has a traceback. Each row is a test of that suite, which CI runs; the page is made from it
by `make docs`, and another test compares.
"""


def page() -> str:
    """The page."""
    return "\n".join([INTRODUCTION, *(_section(file) for file in sorted(FOLDER.glob("test_*.py")))])


def _section(file: Path) -> str:
    module = ast.parse(file.read_text(encoding="utf-8"))
    rows = [
        f"| {_words(node.name)} | {(ast.get_docstring(node) or '').strip()} |"
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    title = (ast.get_docstring(module) or "").splitlines()[0].rstrip(".")
    return "\n".join([f"## {title}\n", "| fault | what has to happen |", "|---|---|", *rows, ""])


def _words(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ").capitalize()
