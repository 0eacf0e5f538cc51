"""Running demos: each test may start its own, and those of the scenarios start a few at a time."""

from collections.abc import Callable, Iterator

import pytest

from asynq_exporter.demo import SCENARIOS
from tests.conftest import need_tool
from tests.demo.running import Demo

StartDemo = Callable[..., Demo]


@pytest.fixture
def start_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartDemo]:
    """Starts demos that end with the test."""
    need_tool("redis-server")
    demos: list[Demo] = []

    def start(*flags: str, environment: dict[str, str] | None = None) -> Demo:
        # A short name: the path of a socket has little room.
        demos.append(Demo.start(tmp_path_factory.mktemp("d"), *flags, environment=environment))
        return demos[-1]

    yield start
    for demo in demos:
        demo.end()


class Demos:
    """A demo of every scenario; a few start side by side, for each takes its time."""

    AHEAD = 3

    def __init__(self, start: Callable[[str], Demo]) -> None:
        self._start = start
        self.started: dict[str, Demo] = {}

    def __getitem__(self, scenario: str) -> Demo:
        """That of a scenario; those that come next start too."""
        first = SCENARIOS.index(scenario)
        for name in SCENARIOS[first : first + self.AHEAD]:
            if name not in self.started:
                self.started[name] = self._start(name)
        return self.started[scenario]


@pytest.fixture(scope="session")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demos]:
    """The demos of the scenarios."""
    need_tool("redis-server")

    def start(name: str) -> Demo:
        return Demo.start(tmp_path_factory.mktemp("d"), "--scenario", name)

    started = Demos(start)
    yield started
    for demo in started.started.values():
        demo.end()
