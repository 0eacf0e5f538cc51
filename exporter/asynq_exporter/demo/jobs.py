"""The kinds of task that the company has: what they carry, how long they take, how they fail."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from asynq_exporter.core import job_id
from asynq_exporter.core.client import Options, Task
from asynq_exporter.core.errors import InvalidArgumentError
from asynq_exporter.core.policies import polling, retry
from asynq_exporter.core.policies.retry import RetryPolicy

#: Header of tasks that no attempt can save.
DOOMED = "demo-doomed"

#: Polls of an asynchronous job before it is done for sure, and its status meanwhile (guide, appendix B).
MAX_POLLS = 6
POLLED_STATUS = "SUBMITTED"

Request = tuple[Task, Options]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of task."""

    type: str
    queue: str
    #: How many arrive in a second, on average; 0 where something else makes them.
    per_second: float
    #: Shortest and longest usual duration.
    seconds: tuple[float, float]
    payload: Callable[[Random], Mapping[str, Any]]
    #: Whether attempts fail by chance; doomed tasks always do.
    fails: bool = True
    #: What an attempt may say when it fails.
    errors: tuple[str, ...] = ("context deadline exceeded",)
    #: Share of attempts that the other side puts off; no failure, and counted nowhere.
    put_off: float = 0.0
    #: Class of the platform that it works with, which says how it is retried (guide 1.4).
    platform_class: str = "short"
    retention_seconds: int = 0
    #: Range of delays before the first run.
    delay_seconds: tuple[float, float] | None = None
    unique_seconds: int = 0
    #: Makes the name of the group that the task joins.
    group: Callable[[Random], str] | None = None
    #: Whether tasks carry the IDs of guide 1.5.
    job_ids: bool = False

    @property
    def retry(self) -> RetryPolicy:
        """When and how often it is tried again."""
        return retry.for_class(self.platform_class)


def _customer(rng: Random) -> str:
    return f"c-{rng.randint(1, 400):04d}"


def _order(rng: Random) -> str:
    return f"o-{rng.randint(100_000, 999_999)}"


KINDS: Mapping[str, Kind] = {
    kind.type: kind
    for kind in (
        Kind(
            type="payment:callback",
            queue="critical",
            per_second=2.0,
            seconds=(0.02, 0.12),
            payload=lambda rng: {"order": _order(rng), "status": "paid", "amount": rng.randint(100, 99_999)},
            errors=("payment gateway: 502 Bad Gateway", "signature does not match"),
            retention_seconds=120,
        ),
        Kind(
            type="inventory:sync",
            queue="critical",
            per_second=1.5,
            seconds=(0.03, 0.2),
            payload=lambda rng: {"sku": f"sku-{rng.randint(1, 900):03d}", "stock": rng.randint(0, 250)},
            errors=("deadlock detected", "context deadline exceeded"),
        ),
        Kind(
            type="image:resize",
            queue="high",
            per_second=2.0,
            seconds=(0.2, 0.8),
            payload=lambda rng: {"image": f"img/{rng.getrandbits(48):012x}.jpg", "width": 1280},
            errors=("image: unknown format", "out of memory"),
            retention_seconds=180,
        ),
        Kind(
            type="video:transcode",
            queue="high",
            per_second=0.15,
            seconds=(3.0, 12.0),
            payload=lambda rng: {"video": f"vid/{rng.getrandbits(48):012x}.mp4", "preset": "720p"},
            errors=("ffmpeg: exit status 1",),
            platform_class="long",
            retention_seconds=600,
        ),
        Kind(
            type="email:send",
            queue="default",
            per_second=4.0,
            seconds=(0.04, 0.25),
            payload=lambda rng: {
                "customer": _customer(rng),
                "template": rng.choice(("welcome", "invoice", "reset")),
            },
            errors=("smtp: 451 try again later", "dial tcp: i/o timeout"),
            put_off=0.03,
        ),
        Kind(
            type="webhook:deliver",
            queue="default",
            per_second=2.0,
            seconds=(0.05, 0.6),
            payload=lambda rng: {"customer": _customer(rng), "event": "order.updated", "order": _order(rng)},
            errors=("webhook answered 500", "webhook answered 429: too many requests"),
            put_off=0.05,
            platform_class="medium",
        ),
        Kind(
            type="cache:warm",
            queue="default",
            per_second=0.6,
            seconds=(0.1, 0.4),
            payload=lambda rng: {"page": f"/category/{rng.randint(1, 12)}"},
            unique_seconds=20,
        ),
        Kind(
            type="task:process",
            queue="scheduled",
            per_second=2.0,
            seconds=(0.1, 0.5),
            payload=lambda rng: {
                "user_id": rng.randint(1, 5000),
                "credits": rng.choice((100, 1000, 100_000)),
            },
            errors=("platform: task failed", "timeout"),
            put_off=0.08,
            platform_class="medium",
            delay_seconds=(1.0, 8.0),
            job_ids=True,
        ),
        Kind(
            type="notification:add",
            queue="low",
            per_second=0.8,
            seconds=(0.05, 0.1),
            payload=lambda rng: {"text": f"order {_order(rng)} was shipped"},
            group=lambda rng: f"customer:{rng.randint(1, 4)}",
        ),
        Kind(
            type="notification:digest",
            queue="low",
            per_second=0.0,
            seconds=(0.2, 0.6),
            payload=lambda _rng: {},
        ),
        Kind(
            type="log:cleanup",
            queue="low",
            per_second=0.4,
            seconds=(0.1, 0.5),
            payload=lambda rng: {"shard": rng.randint(0, 15), "older_than_days": 30},
        ),
        Kind(
            type="report:daily",
            queue="low",
            per_second=0.0,
            seconds=(1.0, 4.0),
            payload=lambda rng: {"report": rng.choice(("sales", "stock", "refunds"))},
            platform_class="long",
            retention_seconds=900,
        ),
        Kind(
            type="session:cleanup",
            queue="low",
            per_second=0.0,
            seconds=(0.2, 0.8),
            payload=lambda _rng: {"older_than": "24h"},
        ),
        # Keeps the queue moving: it stores what failed elsewhere, and people look at it.
        Kind(
            type="dead_letter:review",
            queue="dead_letter",
            per_second=0.25,
            seconds=(0.02, 0.1),
            payload=lambda rng: {"job": f"task_{rng.getrandbits(40):010x}", "reviewer": "on-call"},
            fails=False,
            errors=("retries exhausted: task_failed",),
        ),
    )
}


def kinds_of(queue: str) -> list[Kind]:
    """The kinds of a queue that arrive by themselves and run at once."""
    return [k for k in KINDS.values() if k.queue == queue and k.per_second and not k.group]


def request(kind: Kind, rng: Random) -> Request:
    """A new task of a kind."""
    options: Options = {"queue": kind.queue, "max_retry": kind.retry.max_retries}
    if kind.retention_seconds:
        options["retention_seconds"] = kind.retention_seconds
    if kind.delay_seconds:
        options["process_in_seconds"] = rng.uniform(*kind.delay_seconds)
    if kind.unique_seconds:
        options["unique_seconds"] = kind.unique_seconds
    if kind.group:
        options["group"] = kind.group(rng)
    if kind.job_ids:
        options["task_id"] = job_id.build(f"task_{rng.getrandbits(40):010x}")
    return Task(kind.type, _encode(kind.payload(rng))), options


def plain_request(kind: Kind, rng: Random) -> Request:
    """A new task of a kind that is ready at once: no delay, group or lock."""
    task, options = request(kind, rng)
    for name in ("process_in_seconds", "unique_seconds", "group"):
        options.pop(name, None)  # type: ignore[misc]
    return task, options


def doomed_request(kind: Kind, rng: Random) -> Request:
    """A new task whose only attempt fails."""
    task, options = plain_request(kind, rng)
    return Task(task.type, task.payload, headers={DOOMED: "yes"}), {**options, "max_retry": 0}


async def digest(group: str, tasks: Sequence[Task]) -> Request:
    """The one task that a group of notifications becomes."""
    # A visitor may add to a group what he likes.
    texts = [(task.payload or b"").decode("utf-8", "replace") for task in tasks]
    kind = KINDS["notification:digest"]
    return Task(kind.type, _encode({"group": group, "texts": texts})), {"max_retry": kind.retry.max_retries}


def next_poll(task: Task, task_id: str, rng: Random) -> Request | None:
    """The next look at an asynchronous job after one that found it unfinished; None when it is done."""
    kind = KINDS[task.type]
    if not kind.job_ids:
        return None
    try:
        job = job_id.parse(task_id)
    except InvalidArgumentError:  # somebody else's task of this type
        return None
    if job.kind is job_id.JobKind.DEAD_LETTER_RETRY or job.number >= MAX_POLLS or rng.random() < 0.5:
        return None
    options: Options = {
        "queue": kind.queue,
        "max_retry": kind.retry.max_retries,
        "task_id": job_id.build(job.job, job.number + 1),
        "process_in_seconds": polling.documented()[POLLED_STATUS].delay_seconds(job.number),
    }
    return Task(task.type, task.payload), options


def retry_policy(task: Task) -> RetryPolicy:
    """How a task is retried; by the default policy if somebody else made it."""
    kind = KINDS.get(task.type)
    return kind.retry if kind else retry.for_class(retry.DEFAULT)


def _encode(payload: Mapping[str, Any]) -> bytes:
    return json.dumps(payload, separators=(",", ":")).encode()
