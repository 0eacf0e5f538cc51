"""Prometheus exporter, queue core and console for the Asynq task queue.

The floors, from the top; imports go down only:
    cli       the command line: serve, demo, doctor
    web       HTTP: /metrics, probes, status page
    metrics   Snapshot -> metric families, pure
    doctor    Snapshots -> findings, causes, remedies; beside metrics
    scan      one read-only pass over Redis -> one frozen Snapshot
    core      the queue itself: keys, states, messages, broker, client
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("asynq-exporter")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0.0.0"
