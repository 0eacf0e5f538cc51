"""Metrics of the Redis behind the queues."""

from collections.abc import Iterable

from asynq_exporter.metrics.family import Block, Family, Metric, counter, gauge, single
from asynq_exporter.scan.snapshot import Snapshot

INFO = gauge(
    "asynq_redis_info",
    "1; what Redis is. The eviction policy has to be noeviction, or tasks get lost.",
    "version",
    "mode",
    "role",
    "maxmemory_policy",
)
PING = gauge("asynq_redis_ping_seconds", "Round trip of the PING that begins a scan.")

#: Metric -> field of `RedisInfo`.
FIELDS: dict[Metric, str] = {
    gauge("asynq_redis_memory_used_bytes", "Memory in use by Redis."): "memory_used_bytes",
    gauge("asynq_redis_memory_max_bytes", "Memory limit of Redis; 0 means none."): "memory_max_bytes",
    gauge("asynq_redis_connected_clients", "Client connections to Redis."): "connected_clients",
    gauge("asynq_redis_blocked_clients", "Clients waiting in a blocking call."): "blocked_clients",
    counter("asynq_redis_evicted_keys_total", "Keys evicted for lack of memory: lost tasks."): "evicted_keys",
    counter(
        "asynq_redis_rejected_connections_total", "Connections refused because of maxclients."
    ): "rejected_connections",
}

METRICS = (INFO, *FIELDS, PING)


def collect(snapshot: Snapshot) -> Iterable[Family]:
    """The families of Redis; those it told of."""
    info = snapshot.redis
    if info is not None:
        yield Family(INFO, (Block((1,), labels=tuple((name, getattr(info, name)) for name in INFO.labels)),))
        for metric, field in FIELDS.items():
            yield single(metric, getattr(info, field))
    yield single(PING, snapshot.ping_seconds)
