"""The core is a library of its own."""

import subprocess
import sys

import asynq_exporter.core

CODE = """
import sys

WEB = ("aiohttp", "prometheus_client", "click", "pydantic", "yaml", "structlog", "jinja2", "bcrypt")

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in WEB:
            raise ImportError(f"the core imports {name}")

sys.meta_path.insert(0, Refuse())
import asynq_exporter.core
from asynq_exporter.core import *
Client, Task, Broker
"""


def test_core_needs_redis_and_protobuf_alone() -> None:
    """It imports where aiohttp, prometheus_client and the rest are not installed."""
    subprocess.run([sys.executable, "-W", "error", "-c", CODE], check=True)


def test_every_public_name_exists() -> None:
    """`__all__` promises nothing that is not there, and is in order."""
    names = asynq_exporter.core.__all__
    assert all(hasattr(asynq_exporter.core, name) for name in names)
    assert names == sorted(names)
