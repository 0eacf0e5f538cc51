"""Worker processes: are there any, do they have room, do they agree (guide 3.5, 5.3)."""

from collections import defaultdict
from collections.abc import Iterator

from asynq_exporter.doctor.case import Case, alert, doctor
from asynq_exporter.doctor.finding import Finding, Severity, Value


def alive(case: Case) -> Iterator[Finding]:
    """No live worker at all."""
    if case.last.servers or "workers" in case.unread:
        return
    hidden = sum(beat.hidden for beat in case.heartbeats)
    values: dict[str, Value] = {
        "pending": sum(row.numbers["pending"] or 0 for row in case.rows),
        "active": sum(row.numbers["active"] or 0 for row in case.rows),
        "hidden_workers": hidden or None,
    }
    yield Finding(
        severity=Severity.CRITICAL,
        message="hidden" if hidden else "none",
        values=values,
        alert="AsynqWorkersOffline",
    )


def saturated(case: Case) -> Iterator[Finding]:
    """Every slot is in use while tasks wait."""
    busy = sum(server.busy for server in case.last.servers)
    slots = sum(server.concurrency for server in case.last.servers)
    pending = sum(row.numbers["pending"] or 0 for row in case.rows if not row.numbers["paused"])
    if not slots or not pending or busy / slots < alert("AsynqWorkersSaturated")["threshold"]:
        return
    yield Finding(
        severity=Severity.WARNING,
        message="saturated",
        values={
            "busy": busy,
            "slots": slots,
            "busy_ratio": busy / slots,
            "pending": pending,
            "workers": len(case.last.servers),
        },
        alert="AsynqWorkersSaturated",
    )


def stopping(case: Case) -> Iterator[Finding]:
    """Workers that live but fetch no more."""
    quiet = [server for server in case.last.servers if server.status not in {"", "active"}]
    if not quiet:
        return
    everyone = len(quiet) == len(case.last.servers)
    yield Finding(
        severity=Severity.WARNING if everyone else Severity.INFO,
        message="everyone" if everyone else "some",
        values={
            "quiet": len(quiet),
            "workers": len(case.last.servers),
            "example": f"{quiet[0].host}:{quiet[0].pid} ({quiet[0].status})",
        },
    )


def agree(case: Case) -> Iterator[Finding]:
    """Workers that consume the same queue with different weights, or in another order."""
    weights: defaultdict[str, set[int]] = defaultdict(set)
    for server in case.last.servers:
        for queue, weight in server.queues.items():
            weights[queue].add(weight)
    differing = {queue: sorted(seen) for queue, seen in sorted(weights.items()) if len(seen) > 1}
    if differing:
        queue, seen = next(iter(differing.items()))
        yield Finding(
            severity=Severity.WARNING,
            message="weights",
            values={
                "queues": len(differing),
                "example": f"{queue}: {', '.join(map(str, seen))}",
                "workers": len(case.last.servers),
            },
        )
    strict = sum(server.strict_priority for server in case.last.servers)
    if 0 < strict < len(case.last.servers):
        yield Finding(
            severity=Severity.WARNING,
            message="priority",
            values={"strict": strict, "workers": len(case.last.servers)},
        )


def clocks(case: Case) -> Iterator[Finding]:
    """Clocks of workers, of Redis and of this machine differ."""
    levels = doctor("clock_skew_seconds")
    off = [beat for beat in case.heartbeats if abs(beat.skew_seconds) > levels["warning"]]
    if off:
        worst = max(off, key=lambda beat: abs(beat.skew_seconds))
        yield Finding(
            severity=_skew_severity(worst.skew_seconds),
            message="ahead" if worst.skew_seconds > 0 else "behind",
            values={
                "workers_off": len(off),
                "workers": len(case.heartbeats),
                "worst_seconds": abs(worst.skew_seconds),
                "worker": worst.worker,
            },
        )
    ahead = case.facts.clock_ahead_seconds
    if ahead is not None and abs(ahead) > levels["warning"]:
        yield Finding(severity=Severity.WARNING, message="here", values={"worst_seconds": abs(ahead)})


def _skew_severity(skew_seconds: float) -> Severity:
    # A lease lasts 30 s: beyond that others take tasks away from whoever runs them.
    critical = doctor("clock_skew_seconds")["critical"]
    return Severity.CRITICAL if abs(skew_seconds) > critical else Severity.WARNING
