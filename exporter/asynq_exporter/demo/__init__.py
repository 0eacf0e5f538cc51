"""The demo: an embedded Redis, a small company's workload on it, and the exporter that watches both."""

from asynq_exporter.demo.program import run
from asynq_exporter.demo.scenarios import SCENARIOS

__all__ = ["SCENARIOS", "run"]
