"""Names of all Redis keys of asynq; no other module spells one (wire section 1).

Every per-queue key carries the queue name in braces, the cluster hash tag, so a queue lives in one slot.
"""

import hashlib
from collections.abc import Iterable

QUEUES = "asynq:queues"
SERVERS = "asynq:servers"
WORKERS = "asynq:workers"
SCHEDULERS = "asynq:schedulers"
CANCEL_CHANNEL = "asynq:cancel"

#: HASH of all circuit breakers, ours and unknown to Go: field `scope:name`, value beginning with the state.
CIRCUIT_BREAKERS = "asynq:circuit_breakers"

#: HASH of the locks over all processes, ours and unknown to Go: field name, value beginning with the token.
LOCKS = "asynq:locks"

#: ZSET of the answers that the management API keeps for repeated requests, ours; score the second of each.
API_ANSWERS = "asynq:api_answers"


#: HASH of what all our workers are asked to do, unknown to Go: fields `concurrency` and `polling`.
WORKER_CONTROL = "asynq:worker_control"

#: HASH of the task timings of all our workers, unknown to Go: field type, value as in `timings.encode`.
#: Another form of the numbers, such as another bucket, needs another name: old workers run beside new ones.
TASK_TIMINGS = "asynq:task_timings:{sums}"

#: Everything asynq and this exporter ever read; the pattern of the published ACL rules.
PATTERN = "asynq:*"


def queue_prefix(queue: str) -> str:
    """The beginning of every key of a queue."""
    return f"asynq:{{{queue}}}:"


def pending(queue: str) -> str:
    """LIST of ready task IDs; new work on the left, the next to run on the right."""
    return queue_prefix(queue) + "pending"


def active(queue: str) -> str:
    """LIST of task IDs being processed; the one started longest ago on the right."""
    return queue_prefix(queue) + "active"


def lease(queue: str) -> str:
    """ZSET beside `active`; the score is the Unix second at which the lease ends."""
    return queue_prefix(queue) + "lease"


def scheduled(queue: str) -> str:
    """ZSET of tasks whose first run lies in the future; score process-at."""
    return queue_prefix(queue) + "scheduled"


def retry(queue: str) -> str:
    """ZSET of failed tasks that wait; score next attempt."""
    return queue_prefix(queue) + "retry"


def archived(queue: str) -> str:
    """ZSET of dead tasks; score the second of archiving."""
    return queue_prefix(queue) + "archived"


def completed(queue: str) -> str:
    """ZSET of kept successes; score the second at which the record may go."""
    return queue_prefix(queue) + "completed"


def groups(queue: str) -> str:
    """SET of group names with waiting tasks."""
    return queue_prefix(queue) + "groups"


def group_prefix(queue: str) -> str:
    """The beginning of the keys of all groups of a queue."""
    return queue_prefix(queue) + "g:"


def group(queue: str, name: str) -> str:
    """ZSET of tasks that wait in a group; score the second of joining."""
    return group_prefix(queue) + name


def aggregation_set(queue: str, name: str, set_id: str) -> str:
    """ZSET of the tasks of a group that are being aggregated now."""
    return f"{group(queue, name)}:{set_id}"


def aggregation_sets(queue: str) -> str:
    """ZSET of full aggregation-set keys; score the deadline."""
    return queue_prefix(queue) + "aggregation_sets"


def task_prefix(queue: str) -> str:
    """The beginning of the hashes of all tasks of a queue."""
    return queue_prefix(queue) + "t:"


def task(queue: str, task_id: str) -> str:
    """HASH that holds the task itself."""
    return task_prefix(queue) + task_id


def paused(queue: str) -> str:
    """STRING whose existence means that the queue is paused."""
    return queue_prefix(queue) + "paused"


def backpressure(queue: str) -> str:
    """HASH, ours and unknown to Go: the backpressure state last announced, while it is not NORMAL."""
    return queue_prefix(queue) + "backpressure"


def processed(queue: str) -> str:
    """Counter of all attempts ever finished, failures included."""
    return queue_prefix(queue) + "processed"


def failed(queue: str) -> str:
    """Counter of all attempts ever failed."""
    return queue_prefix(queue) + "failed"


def processed_on(queue: str, day: str) -> str:
    """Counter of the attempts of one UTC day, `YYYY-MM-DD`."""
    return f"{processed(queue)}:{day}"


def failed_on(queue: str, day: str) -> str:
    """Counter of the failures of one UTC day, `YYYY-MM-DD`."""
    return f"{failed(queue)}:{day}"


def unique(queue: str, task_type: str, payload: bytes | None) -> str:
    """Name of the uniqueness lock; a payload of None and an empty one differ (wire section 6.4)."""
    # MD5 is what the wire prescribes; nothing is protected by it.
    digest = "" if payload is None else hashlib.md5(payload, usedforsecurity=False).hexdigest()
    return f"{queue_prefix(queue)}unique:{task_type}:{digest}"


def server(host: str, pid: int, server_id: str) -> str:
    """STRING with the record of a live server."""
    return f"{SERVERS}:{{{host}:{pid}:{server_id}}}"


def workers(host: str, pid: int, server_id: str) -> str:
    """HASH with a record for each task that a live server runs."""
    return f"{WORKERS}:{{{host}:{pid}:{server_id}}}"


def workers_of(server_key: str) -> str:
    """The workers hash beside a server record, both given as full keys."""
    return WORKERS + server_key.removeprefix(SERVERS)


def task_timings_sent(server_id: str) -> str:
    """STRING with the number of the last addition of a server to `TASK_TIMINGS`; in the same slot."""
    return f"{TASK_TIMINGS}:{server_id}"


def scheduler_entries(scheduler_id: str) -> str:
    """LIST of the entries of a live scheduler."""
    return f"{SCHEDULERS}:{{{scheduler_id}}}"


def scheduler_history(entry_id: str) -> str:
    """ZSET of the enqueue events of a scheduler entry."""
    return f"asynq:scheduler_history:{entry_id}"


def api_answer(digest: str) -> str:
    """STRING with the answer to a request that may be repeated, ours; `digest` names who asked, and how."""
    return f"{API_ANSWERS}:{digest}"


def before_018(queues: Iterable[str]) -> dict[str, str]:
    """Keys of asynq before today's layout -> what they held; the global ones and those of some queues.

    Wire section 8.
    """
    found = {
        "asynq:in_progress": "active tasks before 0.12",
        "asynq:deadlines": "deadlines of active tasks before 0.12",
        "asynq:scheduled": "scheduled tasks before 0.12",
        "asynq:retry": "retries before 0.12",
        "asynq:dead": "dead tasks before 0.12",
        "asynq:ps": "servers before 0.8",
    }
    for queue in queues:
        found[f"asynq:{{{queue}}}"] = "pending tasks of 0.12 to 0.17"
        found[queue_prefix(queue) + "dead"] = "dead tasks of 0.12 and 0.13"
        found[queue_prefix(queue) + "deadlines"] = "active tasks before 0.22"
    return found
