"""What lies in Redis: keys of a wrong type, tasks that cannot be read, remains of other versions."""

from collections import Counter
from collections.abc import Iterator

from asynq_exporter.doctor.case import Case
from asynq_exporter.doctor.checks.redis import DENIED
from asynq_exporter.doctor.finding import Finding, Severity, TaskLine

#: Examples of one finding.
SHOWN = 5

STATES = ("pending", "active", "retry", "archived")

PARTS = ("workers", "schedulers", "breakers", "redis")


def keys(case: Case) -> Iterator[Finding]:
    """Keys that are not what asynq makes of them, records that are no messages."""
    for queue, error in sorted(case.last.queue_errors.items()):
        if case.last.error and error == case.last.error:
            continue  # the scan was cut short; that is told by the check of Redis
        if DENIED.search(error) or "MOVED" in error:
            continue  # the same
        yield Finding(
            severity=Severity.WARNING,
            message="wrong_type" if "WRONGTYPE" in error else "unreadable",
            queue=queue,
            values={"error": error},
            alert="AsynqCollectorFailing",
        )
    for name in PARTS:
        part = case.last.parts.get(name)
        if part is None or part.success or DENIED.search(part.error) or part.error == case.last.error:
            continue
        old = "JSON of asynq" in part.error
        yield Finding(
            severity=Severity.WARNING,
            message="old_record" if old else "record",
            values={"part": name, "error": part.error},
            alert="AsynqCollectorFailing",
        )


def tasks(case: Case) -> Iterator[Finding]:
    """Tasks whose data are gone or broken."""
    for row in case.rows:
        broken = [
            (state, task) for state in STATES for task in case.sample(row.queue, state).tasks if task.problem
        ]
        if not broken:
            continue
        kinds = Counter(task.problem for _, task in broken)
        looked_at = sum(len(case.sample(row.queue, state).tasks) for state in STATES)
        yield Finding(
            severity=Severity.WARNING,
            message="broken",
            queue=row.queue,
            values={
                "broken": len(broken),
                "looked_at": looked_at,
                "kinds": ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()),
                "state": broken[0][0],
                "task_id": broken[0][1].task_id,
            },
            tasks=tuple(
                TaskLine(task_id=task.task_id, task_type=f"{state}: {task.problem}", queue=row.queue)
                for state, task in broken[:SHOWN]
            ),
        )


def versions(case: Case) -> Iterator[Finding]:
    """Keys that today's asynq neither reads nor writes."""
    if not case.old_keys:
        return
    key, meaning = next(iter(sorted(case.old_keys.items())))
    yield Finding(
        severity=Severity.WARNING,
        message="remains",
        values={"keys": len(case.old_keys), "key": key, "meaning": meaning},
    )


def selection(case: Case) -> Iterator[Finding]:
    """Queues that were left out, so nothing is known of them."""
    chosen = case.last.selection
    if chosen.cut:
        yield Finding(
            severity=Severity.WARNING, message="cut", values={"cut": chosen.cut, "read": chosen.read}
        )
