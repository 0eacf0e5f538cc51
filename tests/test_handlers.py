"""MODULE:ATTRIBUTE: what is found, and what is said when there is nothing."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from asynq_exporter import handlers
from asynq_exporter.core.worker import Mux
from asynq_exporter.settings import SettingsError
from tests.test_cli import assert_one_line, run

MODULE = """
import functools
from asynq_exporter.core.worker import Mux

mux = Mux()

async def handle(attempt): ...

def blocking(attempt): ...

class Handler:
    async def __call__(self, attempt): ...

class Inner:
    handler = Handler()

partial = functools.partial(handle)
number = 4
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with modules good and bad; nothing of them stays behind."""
    files = {
        "jobs.py": MODULE,
        "broken.py": "x = 1\n1 / 0\n",
        "wrong.py": "def f(:\n",
        "needy.py": "import surely_not_installed\n",
        "leaving.py": "raise SystemExit('no')\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    path = sys.path[:]
    yield tmp_path
    sys.path[:] = path
    for name in files:
        sys.modules.pop(name.removesuffix(".py"), None)


@pytest.mark.parametrize("name", ["mux", "handle", "Inner.handler", "partial"])
def test_what_can_handle_is_found(folder: Path, name: str) -> None:
    """A mux, a function, an attribute of an attribute, something that was wrapped."""
    assert callable(handlers.load(f"jobs:{name}", folder=folder))


def test_module_of_the_folder_goes_before(folder: Path) -> None:
    """Whatever is installed under the same name."""
    assert isinstance(handlers.load("jobs:mux", folder=folder), Mux)
    assert sys.modules["jobs"].__file__ == str(folder / "jobs.py")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("jobs", ["jobs", "MODULE:ATTRIBUTE"]),
        ("jobs:", ["MODULE:ATTRIBUTE"]),
        (":mux", ["MODULE:ATTRIBUTE"]),
        ("jobs.py:mux", ["no module 'jobs.py'", "install"]),
        ("./jobs:mux", ["MODULE:ATTRIBUTE"]),
        ("nothing_there:mux", ["no module 'nothing_there'", "change into the folder"]),
        ("jobs:muxx", ["jobs has no 'muxx'", "did you mean mux"]),
        ("jobs:zzzzzz", ["jobs has no 'zzzzzz'", "define it there"]),
        ("jobs:Inner.nothing", ["jobs.Inner has no 'nothing'"]),
        ("jobs:blocking", ["function that is not async", "async def"]),
        ("jobs:Handler", ["type that is not async"]),
        ("jobs:number", ["int that is not async"]),
        ("broken:mux", ["broken.py:2", "ZeroDivisionError: division by zero"]),
        ("wrong:mux", ["wrong.py:1", "SyntaxError"]),
        ("needy:mux", ["surely_not_installed", "install what it needs"]),
        ("leaving:mux", ["leaving.py:1", "SystemExit: no"]),
    ],
)
def test_what_cannot_is_one_sentence(folder: Path, target: str, words: list[str]) -> None:
    """With the place and the remedy."""
    with pytest.raises(SettingsError) as caught:
        handlers.load(target, folder=folder)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing_there:mux"], ["no module 'nothing_there'"]),
        (["tasks"], ["MODULE:ATTRIBUTE"]),
        ([], ["MODULE:ATTRIBUTE"]),
        (["tests.test_handlers:folder", "--concurrency=0"], ["--concurrency", "1 to"]),
        (["asyncio:sleep", "--queues.include=nothing"], ["no queue is left", "critical"]),
        (["asyncio:sleep", "--retry.policy=quick"], ["--retry.policy", "medium"]),
        (["asyncio:sleep", "--queues.max=7"], ["--queues.max"]),
    ],
)
def test_program_says_it_in_one_line(arguments: list[str], words: list[str]) -> None:
    """Exit code 2."""
    assert_one_line(run("worker", *arguments), 2, *words)


def test_bad_variable_of_the_guide_is_named() -> None:
    """By the name that the guide gives it."""
    assert_one_line(
        run("worker", "asyncio:sleep", ASYNQ_POLLING_ENABLED="perhaps"), 2, "ASYNQ_POLLING_ENABLED"
    )
