"""Redis itself: can it be read, is it the right one, will it keep the tasks (guide 5.3)."""

import re
from collections.abc import Iterator

from asynq_exporter.doctor.case import Case, alert, doctor
from asynq_exporter.doctor.finding import Finding, Severity

#: Message -> what the error text says then, the first match counts.
FAILURES = {
    "loading": "LOADING|loading the dataset",
    "authentication": "NOAUTH|WRONGPASS|invalid username-password|invalid password|Authentication required"
    "|AUTH <password> called|password-file",
    "permission": "NOPERM|no permissions",
    "replica_without_master": "MASTERDOWN|Link with MASTER is down",
    "too_many_clients": "max number of clients",
    "database": "DB index is out of range|invalid DB index|SELECT is not allowed in cluster",
    "protected": "protected mode|DENIED",
    "busy": "BUSY",
    "name": "Name or service not known|No address associated|name resolution|nodename|getaddrinfo",
    "tls": "SSL|TLS|CERTIFICATE|certificate",
    "socket": "No such file or directory",
    "silent": "no answer within|[Tt]imeout|timed out",
    "refused": "refused|[Cc]onnect call failed",
    "closed": "closed the connection|reset by peer|Connection lost",
}

DENIED = re.compile("NOPERM|no permissions|ACL failure|can't run this command", re.IGNORECASE)


def reachable(case: Case) -> Iterator[Finding]:
    """Redis does not answer, or refuses to."""
    if case.last.up:
        return
    text = case.last.error
    message = next((name for name, pattern in FAILURES.items() if re.search(pattern, text)), "other")
    yield Finding(severity=Severity.CRITICAL, message=message, values={"error": text}, alert="AsynqRedisDown")


def permissions(case: Case) -> Iterator[Finding]:
    """The user that signed in may not run what is needed."""
    denied = [f"{part}: {reason}" for part, reason in case.unread.items() if DENIED.search(reason)]
    if case.last.up and denied:
        # Without these there is hardly anything left to judge by.
        blind = {"queues", "workers"}.intersection(case.unread)
        yield Finding(
            severity=Severity.CRITICAL if blind else Severity.WARNING,
            message="denied",
            values={"parts": len(denied), "error": denied[0]},
            alert="AsynqCollectorFailing",
        )


def role(case: Case) -> Iterator[Finding]:
    """A replica takes no tasks."""
    info = case.last.redis
    if info is None or info.role not in {"slave", "replica"}:
        return
    lost = case.facts.master_link_up is False
    yield Finding(
        severity=Severity.CRITICAL if lost else Severity.WARNING,
        message="link_down" if lost else "replica",
        values={"role": info.role},
    )


def cluster(case: Case) -> Iterator[Finding]:
    """One node of a cluster holds a part of the queues only."""
    info = case.last.redis
    if info is None or info.mode != "cluster" or case.whole_cluster:
        return
    moved = sum("MOVED" in error for error in case.last.queue_errors.values())
    yield Finding(severity=Severity.WARNING, message="cluster", values={"moved_queues": moved or None})


def version(case: Case) -> Iterator[Finding]:
    """Workers since asynq 0.25 need Redis 6.2."""
    info, needed = case.last.redis, str(doctor("redis_version"))
    if info is not None and info.version and _numbers(info.version) < _numbers(needed):
        yield Finding(
            severity=Severity.WARNING, message="old", values={"version": info.version, "needed": needed}
        )


def eviction(case: Case) -> Iterator[Finding]:
    """Keys are thrown away, or may be."""
    info = case.last.redis
    if info is None:
        return
    before = case.first.redis.evicted_keys if case.first and case.first.redis else None
    evicted = info.evicted_keys
    now_evicted = evicted - before if evicted is not None and before is not None else 0
    values = {
        "policy": info.maxmemory_policy or None,
        "evicted": evicted or None,
        "evicted_now": now_evicted or None,
    }
    if now_evicted > 0:
        yield Finding(
            severity=Severity.CRITICAL, message="evicting", values=values, alert="AsynqRedisEvicting"
        )
    elif info.maxmemory_policy not in {"", "noeviction"}:
        yield Finding(
            severity=Severity.WARNING, message="policy", values=values, alert="AsynqRedisEvictionPolicy"
        )
    elif evicted:
        yield Finding(severity=Severity.INFO, message="evicted", values=values, alert="AsynqRedisEvicting")


def memory(case: Case) -> Iterator[Finding]:
    """Close to maxmemory, where Redis refuses tasks or throws some away."""
    info = case.last.redis
    if info is None or not info.memory_max_bytes or info.memory_used_bytes is None:
        return
    ratio = info.memory_used_bytes / info.memory_max_bytes
    levels = alert("AsynqRedisMemoryHigh")["levels"]
    if ratio <= levels["warning"]:
        return
    yield Finding(
        severity=Severity.CRITICAL if ratio > levels["critical"] else Severity.WARNING,
        message="high",
        values={
            "used_ratio": ratio,
            "used_bytes": info.memory_used_bytes,
            "max_bytes": info.memory_max_bytes,
        },
        alert="AsynqRedisMemoryHigh",
    )


def persistence(case: Case) -> Iterator[Finding]:
    """A restart would lose every task."""
    facts = case.facts
    if facts.last_save_failed:
        yield Finding(severity=Severity.CRITICAL, message="failing")
        return
    if facts.aof_enabled is not False or facts.rdb_saves:
        return
    settled = (facts.uptime_seconds or 0) > doctor("persistence_grace_seconds")
    if facts.save_points == "" or (facts.save_points is None and settled):
        yield Finding(
            severity=Severity.WARNING, message="off", values={"uptime_seconds": facts.uptime_seconds}
        )


def speed(case: Case) -> Iterator[Finding]:
    """Redis, or the way to it, is slow."""
    ping, limit = case.last.ping_seconds, doctor("ping_seconds")
    scan, scan_limit = case.last.cost.duration_seconds, alert("AsynqScanSlow")["threshold"]
    if case.last.up and ((ping is not None and ping > limit) or scan > scan_limit):
        yield Finding(
            severity=Severity.WARNING,
            message="slow",
            values={"ping_seconds": ping, "scan_seconds": scan},
            alert="AsynqScanSlow",
        )


def connections(case: Case) -> Iterator[Finding]:
    """Redis turned clients away."""
    info = case.last.redis
    before = case.first.redis.rejected_connections if case.first and case.first.redis else None
    if info is None or not info.rejected_connections:
        return
    now = info.rejected_connections - before if before is not None else 0
    yield Finding(
        severity=Severity.WARNING if now > 0 else Severity.INFO,
        message="rejected",
        values={"rejected": info.rejected_connections, "clients": info.connected_clients},
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
