"""Metrics of the live worker processes; their identities change at every restart and are never labels."""

from collections import Counter
from collections.abc import Iterable

from asynq_exporter.metrics.family import Family, by_label, gauge, single
from asynq_exporter.scan.snapshot import Snapshot

#: What asynq reports (wire section 2.2); anything else counts as `other`, so that labels stay bounded.
STATUSES = ("new", "active", "stopped", "closed")
OTHER = "other"

ACTIVE = gauge("asynq_active_workers", "Live worker processes.")
SERVERS = gauge("asynq_worker_servers", "Live worker processes by reported status.", "status")
CONCURRENCY = gauge("asynq_worker_concurrency", "Processing slots of all live worker processes.")
BUSY = gauge("asynq_busy_workers", "Processing slots in use, as of the last heartbeats.")

METRICS = (ACTIVE, SERVERS, CONCURRENCY, BUSY)


def collect(snapshot: Snapshot) -> Iterable[Family]:
    """The families of the workers; none while Redis or its registry cannot be read."""
    if not snapshot.up or not snapshot.parts["workers"].success:
        return
    statuses = Counter(server.status if server.status in STATUSES else OTHER for server in snapshot.servers)
    yield single(ACTIVE, len(snapshot.servers))
    yield by_label(SERVERS, {status: statuses[status] for status in (*STATUSES, OTHER)})
    yield single(CONCURRENCY, sum(server.concurrency for server in snapshot.servers))
    yield single(BUSY, sum(server.busy for server in snapshot.servers))
