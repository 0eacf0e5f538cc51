"""Schedulers of periodic tasks, and circuit breakers (guide 4.1, alerts asynq-workers)."""

from collections import defaultdict
from collections.abc import Iterator

from asynq_exporter.doctor.case import Case
from asynq_exporter.doctor.finding import Finding, Severity

#: A scheduler writes its entries every ten seconds; the next run in them may be as old.
BEAT_SECONDS = 10

#: Breakers named in one finding.
SHOWN_BREAKERS = 5


def alive(case: Case) -> Iterator[Finding]:
    """No scheduler lives."""
    if case.last.schedulers or "schedulers" in case.unread:
        return
    if case.schedulers_known:
        yield Finding(
            severity=Severity.WARNING,
            message="gone",
            values={"known": case.schedulers_known},
            alert="AsynqSchedulersGone",
        )
    else:
        yield Finding(severity=Severity.INFO, message="none", alert="AsynqSchedulersGone")


def overdue(case: Case) -> Iterator[Finding]:
    """Entries whose next run lies in the past."""
    late = [
        (case.now - entry.next_at_seconds, entry)
        for entries in case.last.schedulers
        for entry in entries
        if entry.next_at_seconds is not None and case.now - entry.next_at_seconds > 2 * BEAT_SECONDS
    ]
    if not late:
        return
    delay, worst = max(late, key=lambda item: item[0])
    yield Finding(
        severity=Severity.WARNING,
        message="late",
        values={
            "entries": len(late),
            "delay_seconds": delay,
            "task_type": worst.task_type,
            "spec": worst.spec,
        },
        alert="AsynqSchedulerEntryOverdue",
    )


def duplicates(case: Case) -> Iterator[Finding]:
    """The same periodic task in several live schedulers: it is enqueued several times."""
    holders: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
    for entry in case.entries:
        holders[entry.spec, entry.task_type, entry.identity].add(entry.scheduler)
    twice = {key: names for key, names in holders.items() if len(names) > 1}
    if not twice:
        return
    unique = {(e.spec, e.task_type, e.identity): e.unique for e in case.entries}
    harmful = sorted(key for key in twice if not unique[key])
    (spec, task_type, _), schedulers = max(twice.items(), key=lambda item: (not unique[item[0]], item[0]))
    yield Finding(
        severity=Severity.WARNING if harmful else Severity.INFO,
        message="twice" if harmful else "unique",
        values={
            "entries": len(harmful) or len(twice),
            "schedulers": len(schedulers),
            "task_type": task_type,
            "spec": spec,
        },
    )


def breakers(case: Case) -> Iterator[Finding]:
    """Circuit breakers that refuse requests: guide 4.1."""
    everyone = case.last.breakers
    for state, message in (("OPEN", "open"), ("HALF_OPEN", "half_open")):
        names = [f"{breaker.name} ({breaker.scope})" for breaker in everyone if breaker.state == state]
        if names:
            more = f" + {len(names) - SHOWN_BREAKERS}" if len(names) > SHOWN_BREAKERS else ""
            yield Finding(
                severity=Severity.WARNING,
                message=message,
                values={
                    "count": len(names),
                    "breakers": len(everyone),
                    "names": ", ".join(names[:SHOWN_BREAKERS]) + more,
                },
                alert="AsynqCircuitBreakerOpen",
            )
