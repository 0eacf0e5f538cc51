"""Tasks that fail, die, hang or are lost (guide 5.2, 5.4)."""

import itertools
from collections.abc import Iterable, Iterator

from asynq_exporter.core.catalog import document
from asynq_exporter.doctor.case import Case, Row, alert, doctor, reached
from asynq_exporter.doctor.finding import Finding, Severity, TaskLine
from asynq_exporter.doctor.safe import grouped
from asynq_exporter.doctor.sample import Running, SeenTask

#: Tasks shown as evidence of one finding.
SHOWN_TASKS = 5

#: A record is up to a heartbeat old: the task may have ended in time.
OVERDUE_GRACE_SECONDS = 6.0


def retries(case: Case) -> Iterator[Finding]:
    """Too many tasks wait for another attempt: guide 5.2."""
    limit = alert("AsynqRetryHigh")["threshold"]
    for row in case.rows:
        count = row.numbers["retry"]
        if not count or count <= limit:
            continue
        sample = case.sample(row.queue, "retry")
        errors = grouped(sample.tasks)
        exhausted = sum(0 < task.max_retry <= task.retried + 1 for task in sample.tasks)
        yield Finding(
            severity=Severity.WARNING,
            message="many",
            queue=row.queue,
            values={
                "retry": count,
                "threshold": limit,
                "looked_at": len(sample.tasks) or None,
                "last_attempt": exhausted or None,
                "failed_per_second": row.flow.failed / row.flow.seconds if row.flow else None,
                "task_id": errors[0].task_id if errors else None,
            },
            causes=(_cause(errors[0].message if errors else ""),),
            remedies=("look", "run", "run_all") if errors else ("look", "run_all"),
            errors=errors,
            types=sample.types,
            alert="AsynqRetryHigh",
        )


def failures(case: Case) -> Iterator[Finding]:
    """Too large a share of the attempts fails."""
    numbers = alert("AsynqFailureRatioHigh")
    for row in case.rows:
        processed, failed, window = _attempts(row, numbers["minimum"])
        if processed < numbers["minimum"] or failed / processed <= numbers["threshold"]:
            continue
        state = "retry" if case.sample(row.queue, "retry").tasks else "archived"
        sample = case.sample(row.queue, state)
        yield Finding(
            severity=Severity.WARNING,
            message=window,
            queue=row.queue,
            values={
                "failure_ratio": failed / processed,
                "failed": failed,
                "processed": processed,
                "threshold_ratio": numbers["threshold"],
                "seconds": row.flow.seconds if window == "now" and row.flow else None,
                "looked_at": len(sample.tasks) or None,
            },
            errors=grouped(sample.tasks, top=3),
            alert="AsynqFailureRatioHigh",
        )


def dead(case: Case) -> Iterator[Finding]:
    """Dead letters: too many where there should be none, or more and more of them."""
    limit = alert("AsynqDeadTasksGrowing")["threshold"]
    for row in case.rows:
        n = row.numbers
        profile = case.last.catalog.queues.get(row.queue)
        level = reached(n["archived"], profile.thresholds.get("archived", {}) if profile else {})
        growing = (n["dead_last_hour"] or 0) > limit
        if level is None and not growing:
            continue
        sample = case.sample(row.queue, "archived")
        errors = grouped(sample.tasks)
        # Growth is a warning wherever it is; the ladder of the queue may say worse.
        severity = min(
            (s for s in (level, Severity.WARNING if growing else None) if s), key=list(Severity).index
        )
        yield Finding(
            severity=severity,
            message="growing" if growing else "many",
            queue=row.queue,
            values={
                "archived": n["archived"],
                "last_hour": n["dead_last_hour"],
                "growth_threshold": limit if growing else None,
                "oldest_seconds": n["oldest_dead_seconds"],
                "looked_at": len(sample.tasks) or None,
                "task_id": errors[0].task_id if errors else None,
            },
            remedies=("look", "run", "run_all", "delete_all")
            if errors
            else ("look", "run_all", "delete_all"),
            errors=errors,
            types=sample.types,
            alert="AsynqDeadTasksGrowing" if growing else "AsynqDeadLetterTasks",
        )


def archive(case: Case) -> Iterator[Finding]:
    """An archive so full that asynq throws the oldest away."""
    cap, ratio = document()["archive"]["cap"], alert("AsynqArchiveNearCap")["ratio"]
    for row in case.rows:
        count = row.numbers["archived"]
        if count and count > cap * ratio:
            yield Finding(
                severity=Severity.WARNING,
                message="full" if count >= cap else "near",
                queue=row.queue,
                values={"archived": count, "cap": cap, "oldest_seconds": row.numbers["oldest_dead_seconds"]},
                alert="AsynqArchiveNearCap",
            )


def orphans(case: Case) -> Iterator[Finding]:
    """Tasks that are active, and nobody runs them."""
    for row in case.rows:
        seen = case.sample(row.queue, "active").tasks
        leaseless, expired = row.numbers["no_lease"] or 0, row.numbers["lease_expired"] or 0
        # A task on its way from one list to the next is missed by one of two reads.
        if leaseless and _was(case, row, "no_lease"):
            lost = [task for task in seen if task.lease_ends_at_seconds is None]
            yield Finding(
                severity=Severity.WARNING,
                message="no_lease",
                queue=row.queue,
                values={
                    "orphans": leaseless,
                    "active": row.numbers["active"],
                    "task_id": lost[0].task_id if lost else None,
                },
                tasks=_lines(lost, row),
                alert="AsynqTasksOrphaned",
            )
        if expired:
            yield _expired(case, row, expired)


def _expired(case: Case, row: Row, expired: int) -> Finding:
    """Tasks whose lease is over; for a while that is how asynq recovers from a crash."""
    ended = [
        (task, case.now - task.lease_ends_at_seconds)
        for task in case.sample(row.queue, "active").tasks
        if task.lease_ends_at_seconds is not None and task.lease_ends_at_seconds <= case.now
    ]
    longest = max((age for _, age in ended), default=None)
    recovering = bool(row.numbers["workers"]) and (longest or 0) < doctor("recovery_seconds")
    message = "recovering" if recovering else "not_recovered" if row.numbers["workers"] else "nobody_recovers"
    return Finding(
        severity=Severity.INFO if recovering else Severity.WARNING,
        message=message,
        queue=row.queue,
        values={
            "orphans": expired,
            "active": row.numbers["active"],
            "workers": row.numbers["workers"],
            "longest_seconds": longest,
        },
        tasks=_lines([task for task, _ in ended], row),
        alert="AsynqTasksOrphaned",
    )


def long_running(case: Case) -> Iterator[Finding]:
    """Tasks that stay active beyond their timeout, or for very long: guide 5.4."""
    limit = alert("AsynqTaskRunningTooLong")["threshold"]
    for row in case.rows:
        tasks = [_line(task, case) for task in case.running if task.queue == row.queue]
        over = [task for task in tasks if task.overdue_seconds is not None]
        oldest = row.numbers["oldest_active_seconds"]
        long = [task for task in tasks if (task.running_seconds or 0) > limit]
        if not over and not long and (oldest or 0) <= limit:
            continue
        shown = sorted(over or long, key=lambda task: -(task.running_seconds or 0))[:SHOWN_TASKS]
        yield Finding(
            severity=Severity.WARNING,
            message="over_timeout" if over else "long",
            queue=row.queue,
            values={
                "over": len(over) or None,
                "active": row.numbers["active"],
                "longest_seconds": max([oldest or 0, *(task.running_seconds or 0 for task in shown)]),
                "limit_seconds": limit,
                "task_id": shown[0].task_id if shown else None,
            },
            tasks=tuple(shown),
            remedies=("look", "cancel", "external") if shown else ("look", "external"),
            alert="AsynqTaskRunningTooLong",
        )


def forwarding(case: Case) -> Iterator[Finding]:
    """Scheduled tasks and retries that are due, and nobody moves them."""
    limit = alert("AsynqForwarderStalled")["threshold"]
    for row in case.rows:
        n = row.numbers
        delay = n["forwarding_delay_seconds"]
        if delay is None or delay <= limit:
            continue
        yield Finding(
            severity=Severity.WARNING,
            message="stalled" if n["workers"] else "no_workers",
            queue=row.queue,
            values={
                "delay_seconds": delay,
                "scheduled_overdue": n["scheduled_overdue"],
                "retry_overdue": n["retry_overdue"],
                "workers": n["workers"],
            },
            alert="AsynqForwarderStalled",
        )


def aggregation(case: Case) -> Iterator[Finding]:
    """Groups that nobody aggregates."""
    idle = doctor("group_idle_seconds")
    for row in case.rows:
        stale = [g for g in case.groups if g.queue == row.queue and g.newest_seconds > idle]
        if not stale:
            continue
        oldest = max(stale, key=lambda group: group.oldest_seconds)
        yield Finding(
            severity=Severity.WARNING,
            message="idle",
            queue=row.queue,
            values={
                "groups": len(stale),
                "waiting": sum(group.size for group in stale),
                "group": oldest.group,
                "oldest_seconds": oldest.oldest_seconds,
                "newest_seconds": min(group.newest_seconds for group in stale),
                "workers": row.numbers["workers"],
            },
        )


def _lines(tasks: Iterable[SeenTask], row: Row) -> tuple[TaskLine, ...]:
    some = itertools.islice(tasks, SHOWN_TASKS)
    return tuple(TaskLine(task_id=t.task_id, task_type=t.task_type, queue=row.queue) for t in some)


def _attempts(row: Row, minimum: int) -> tuple[int, int, str]:
    """Attempts, failures and since when: the first scan if that is enough to judge by, else midnight."""
    if row.flow is not None and row.flow.processed >= minimum:
        return row.flow.processed, row.flow.failed, "now"
    return row.numbers["processed_today"] or 0, row.numbers["failed_today"] or 0, "today"


def _was(case: Case, row: Row, column: str) -> bool:
    """Whether the scan before saw the same trouble."""
    queues = case.first.queues if case.first else None
    if queues is None or row.queue not in queues.names:
        return True
    return bool(queues.of(row.queue)[column])


def _line(task: Running, case: Case) -> TaskLine:
    since, deadline = task.started_at_seconds, task.deadline_seconds
    # Without a timeout asynq writes no deadline: the epoch, or a moment before it.
    has_deadline = deadline is not None and deadline > 0
    overdue = case.now - deadline if deadline is not None and has_deadline else None
    return TaskLine(
        task_id=task.task_id,
        task_type=task.task_type,
        queue=task.queue,
        running_seconds=None if since is None else max(case.now - since, 0.0),
        timeout_seconds=deadline - since
        if deadline is not None and has_deadline and since is not None
        else None,
        overdue_seconds=overdue if overdue is not None and overdue > OVERDUE_GRACE_SECONDS else None,
        worker=task.worker,
    )


#: Cause of retries -> words in the most frequent error that speak for it.
CAUSES = {
    "limited": ("rate limit", "too many requests", "throttl"),
    "timeout": ("deadline exceeded", "timeout", "timed out", "time out"),
    "network": ("refused", "reset by peer", "no route", "unreachable", "no such host", "broken pipe"),
}


def _cause(message: str) -> str:
    text = message.lower()
    return next((cause for cause, words in CAUSES.items() if any(w in text for w in words)), "external")
