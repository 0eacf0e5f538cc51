"""Running demos: each test may start its own, and those of the scenarios start together."""

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


@pytest.fixture(scope="session")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Demo]]:
    """A demo of every scenario; side by side, for each takes its time."""
    need_tool("redis-server")
    started = {
        name: Demo.start(tmp_path_factory.mktemp("d"), "--scenario", name, "--log.level", "debug")
        for name in SCENARIOS
    }
    yield started
    for demo in started.values():
        demo.end()
