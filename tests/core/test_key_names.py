"""Key names are spelled in core/keys.py alone."""

import ast
import re
from pathlib import Path

import pytest

import asynq_exporter
from asynq_exporter.core import keys

PACKAGE = Path(asynq_exporter.__file__).parent
KEYS_MODULE = Path(keys.__file__)
SPELLED = re.compile(
    r"asynq:(?:\{|queues|servers|workers|schedulers|scheduler_history|cancel|sema|worker_control|task_timings)"
)


def spelled_keys(path: Path) -> list[str]:
    """The key names in the code of a file: strings of Python without docstrings, Lua without comments.

    A string with white space is prose; it may name a key to its reader.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".lua":
        code = "\n".join(line.split("--")[0] for line in text.splitlines())
        return SPELLED.findall(code)
    tree = ast.parse(text)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
        and not re.search(r"\s", node.value)
        and SPELLED.search(node.value)
    ]


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(PACKAGE.rglob("*")) if path.suffix in {".py", ".lua"} and path != KEYS_MODULE],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_no_other_file_spells_a_key(path: Path) -> None:
    """A key name outside keys.py would drift from it."""
    assert spelled_keys(path) == []


def test_search_finds_what_it_looks_for() -> None:
    """The search sees the keys of keys.py itself, or it would prove nothing."""
    assert len(spelled_keys(KEYS_MODULE)) >= 5


@pytest.mark.parametrize(
    ("key", "spelled"),
    [
        (keys.pending("q"), "asynq:{q}:pending"),
        (keys.active("q"), "asynq:{q}:active"),
        (keys.lease("q"), "asynq:{q}:lease"),
        (keys.scheduled("q"), "asynq:{q}:scheduled"),
        (keys.retry("q"), "asynq:{q}:retry"),
        (keys.archived("q"), "asynq:{q}:archived"),
        (keys.completed("q"), "asynq:{q}:completed"),
        (keys.task("q", "a:b"), "asynq:{q}:t:a:b"),
        (keys.groups("q"), "asynq:{q}:groups"),
        (keys.group("q", "g"), "asynq:{q}:g:g"),
        (keys.aggregation_set("q", "g", "s"), "asynq:{q}:g:g:s"),
        (keys.aggregation_sets("q"), "asynq:{q}:aggregation_sets"),
        (keys.paused("q"), "asynq:{q}:paused"),
        (keys.backpressure("q"), "asynq:{q}:backpressure"),
        (keys.processed("q"), "asynq:{q}:processed"),
        (keys.failed("q"), "asynq:{q}:failed"),
        (keys.processed_on("q", "2026-01-01"), "asynq:{q}:processed:2026-01-01"),
        (keys.failed_on("q", "2026-01-01"), "asynq:{q}:failed:2026-01-01"),
        (keys.server("h", 1, "s"), "asynq:servers:{h:1:s}"),
        (keys.workers("h", 1, "s"), "asynq:workers:{h:1:s}"),
        (keys.workers_of("asynq:servers:{h:1:s}"), "asynq:workers:{h:1:s}"),
        (keys.scheduler_entries("h:1:u"), "asynq:schedulers:{h:1:u}"),
        (keys.scheduler_history("e"), "asynq:scheduler_history:e"),
        (keys.task_timings_sent("s"), "asynq:task_timings:{sums}:s"),
    ],
)
def test_key_is_that_of_the_document(key: str, spelled: str) -> None:
    """Wire section 1."""
    assert key == spelled
