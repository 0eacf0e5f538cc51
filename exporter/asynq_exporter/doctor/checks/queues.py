"""Queues: do tasks pile up, and is there anybody to take them (guide 5.1, 5.3)."""

from collections.abc import Iterator, Mapping

from asynq_exporter.core.catalog import BackpressureState
from asynq_exporter.doctor.case import Case, Row, alert, doctor, reached
from asynq_exporter.doctor.finding import Finding, Severity, Value


def served(case: Case) -> Iterator[Finding]:
    """Queues that no live worker consumes."""
    if not case.last.servers:
        return  # that is a finding of its own, of all queues at once
    for row in case.rows:
        n = row.numbers
        if n["workers"] or not n["registered"]:
            continue
        due = sum(n[name] or 0 for name in ("pending", "scheduled_overdue", "retry_overdue"))
        waiting = n["size"] or 0
        if not waiting and row.queue in case.last.catalog.queues:
            continue  # documented, empty: somebody may start its workers with the first task
        yield Finding(
            severity=Severity.WARNING if due else Severity.INFO,
            message="waiting" if due else "later" if waiting else "unknown",
            queue=row.queue,
            values={"due": due, "waiting": waiting, "workers": len(case.last.servers)},
            types=case.sample(row.queue, "pending").types,
            alert="AsynqQueueWithoutWorkers",
        )


def consumed(case: Case) -> Iterator[Finding]:
    """Work, live workers, and nothing happens: guide 5.3."""
    for row in case.rows:
        n = row.numbers
        if not n["pending"] or not n["workers"] or n["paused"] or n["active"] is None:
            continue
        if row.flow is None or row.flow.processed or row.flow.seconds < doctor("pace_minimum_seconds"):
            continue
        waited = n["latency_seconds"]
        # A worker looks at its queues about every second; what waits longer waits for another reason.
        if row.flow.pending < 0 or (waited is not None and waited < max(2 * row.flow.seconds, 5)):
            continue
        # Slots may be taken by other queues; that is told by the check of saturation.
        servers = [server for server in case.last.servers if row.queue in server.queues]
        busy, slots = sum(s.busy for s in servers), sum(s.concurrency for s in servers)
        if busy >= slots > 0:
            continue
        if n["active"] and not n["lease_expired"] and not n["no_lease"]:
            continue
        yield Finding(
            severity=Severity.CRITICAL,
            message="idle",
            queue=row.queue,
            values={
                "pending": n["pending"],
                "workers": n["workers"],
                "active": n["active"],
                "busy": busy,
                "slots": slots,
                "seconds": row.flow.seconds,
                "waited_seconds": waited,
            },
            causes=("strict", "connection", "asleep")
            if any(s.strict_priority for s in servers)
            else ("connection", "asleep"),
            types=case.sample(row.queue, "pending").types,
            alert="AsynqQueueStalled",
        )


def paused(case: Case) -> Iterator[Finding]:
    """Queues that somebody paused."""
    for row in case.rows:
        n = row.numbers
        if not n["paused"]:
            continue
        full = n["backpressure"] is BackpressureState.CRITICAL
        waiting = n["pending"] or 0
        severity = Severity.CRITICAL if full else Severity.WARNING if waiting else Severity.INFO
        yield Finding(
            severity=severity,
            message="full" if full else "waiting" if waiting else "empty",
            queue=row.queue,
            values={
                "pending": waiting,
                "oldest_seconds": n["latency_seconds"],
                "utilization_ratio": n["utilization"],
                **_pace(row),
            },
            alert="AsynqQueuePausedTooLong",
        )


def backlog(case: Case) -> Iterator[Finding]:
    """More pending tasks than a queue should have: guide 5.1."""
    for row in case.rows:
        n = row.numbers
        pending = n["pending"]
        profile = case.last.catalog.queues.get(row.queue)
        ladder: Mapping[str, int] = profile.thresholds.get("pending", {}) if profile else {}
        # Where a queue has numbers of its own they hold, as in the routing of the alerts.
        own = bool(ladder)
        if not own:
            ladder = {
                "warning": alert("AsynqQueueBacklog")["threshold"],
                "critical": alert("AsynqQueueBacklogSevere")["threshold"],
            }
        severity = reached(pending, ladder)
        if severity is None:
            continue
        cause = _cause(case, row)
        yield Finding(
            severity=severity,
            message=_trend(row),
            queue=row.queue,
            values={
                "pending": pending,
                "threshold": ladder[severity],
                "oldest_seconds": n["latency_seconds"],
                "workers": n["workers"],
                "active": n["active"],
                "utilization_ratio": n["utilization"],
                **_pace(row),
            },
            causes=(cause,),
            remedies=_remedies(cause),
            types=case.sample(row.queue, "pending").types,
            alert=_backlog_alert(severity, own=own),
        )


def latency(case: Case) -> Iterator[Finding]:
    """Tasks wait longer than their queue promises."""
    limits = alert("AsynqQueueLatencyHigh")
    for row in case.rows:
        known = row.queue in case.last.catalog.queues
        # A documented queue without a limit promises no time.
        ladder = limits["queues"].get(row.queue, {} if known else limits["other"])
        severity = reached(row.numbers["latency_seconds"], ladder)
        if severity is None:
            continue
        yield Finding(
            severity=severity,
            message="high",
            queue=row.queue,
            values={
                "oldest_seconds": row.numbers["latency_seconds"],
                "limit_seconds": ladder[severity],
                "pending": row.numbers["pending"],
                **_pace(row),
            },
            remedies=_remedies(_cause(case, row)),
            alert="AsynqQueueLatencyHigh",
        )


def backpressure(case: Case) -> Iterator[Finding]:
    """Queues so full that they refuse tasks, or soon will: guide 4.2."""
    for row in case.rows:
        state = row.numbers["backpressure"]
        if state is None or state is BackpressureState.NORMAL:
            continue
        critical = state is BackpressureState.CRITICAL
        yield Finding(
            severity=Severity.CRITICAL if critical else Severity.WARNING,
            message="refusing" if critical else "filling",
            queue=row.queue,
            values={
                "utilization_ratio": row.numbers["utilization"],
                "size": row.numbers["size"],
                "capacity": row.numbers["capacity"],
                **_pace(row),
            },
            alert="AsynqBackpressure",
        )


def _pace(row: Row) -> dict[str, Value]:
    if row.flow is None:
        return {}
    pending = row.numbers["pending"] or 0
    # Tasks that only began are still in the queue.
    empties = _trend(row) == "draining" and row.flow.left > row.flow.arrived
    return {
        "in_per_second": row.flow.in_per_second,
        "out_per_second": row.flow.out_per_second,
        "seconds": row.flow.seconds,
        "empty_in_seconds": row.flow.empty_in_seconds(pending) if empties else None,
    }


def _trend(row: Row) -> str:
    """Where a queue goes; a few tasks more or less are no direction."""
    if row.flow is None:
        return "unknown"
    least = doctor("trend")
    moved = row.flow.arrived + row.flow.left
    if abs(row.flow.pending) >= max(least["tasks"], least["share"] * moved):
        return "growing" if row.flow.pending > 0 else "draining"
    return "steady" if row.flow.processed else "still"


def _cause(case: Case, row: Row) -> str:
    """The likeliest cause, the plainest first."""
    servers = [server for server in case.last.servers if row.queue in server.queues]
    busy, slots = sum(s.busy for s in servers), sum(s.concurrency for s in servers)
    flow = row.flow
    causes = {
        "paused": row.numbers["paused"],
        "no_workers": not case.last.servers,
        "unserved": not row.numbers["workers"],
        "saturated": slots and busy / slots >= alert("AsynqWorkersSaturated")["threshold"],
        "burst": _trend(row) == "draining",
        "asleep": flow and not flow.processed,
    }
    return next((cause for cause, applies in causes.items() if applies), "slow")


def _remedies(cause: str) -> tuple[str, ...]:
    """What helps against a backlog of some cause, and so against the waiting in it."""
    return {
        "paused": ("resume",),
        "no_workers": ("workers",),
        "unserved": ("workers",),
        "asleep": ("logs", "restart"),
    }.get(cause, ("scale", "concurrency", "look"))


def _backlog_alert(severity: Severity, *, own: bool) -> str:
    if own:
        return "AsynqQueueAboveNormal" if severity is Severity.INFO else "AsynqQueueAboveThreshold"
    return "AsynqQueueBacklogSevere" if severity is Severity.CRITICAL else "AsynqQueueBacklog"
