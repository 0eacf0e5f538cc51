"""Where upstream's exporter goes silent or blind, ours speaks; each test first shows that upstream does.

The fault left out is that archiving all tasks at once leaves the hashes of trimmed ones behind: to see
those one must walk through all keys, and neither exporter does that.
"""

import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.conftest import RedisServer, wait_until
from tests.interop.conftest import Filled
from tests.interop.exposition import Scrape, scrape
from tests.interop.golang import Go
from tests.interop.serving import serve

HOUR = 3600

#: Asynq keeps at most this many archived tasks, one less than it says.
ARCHIVE_CAP = 9_999

GROUPS = 1_000_000

#: Makes one-task groups; all hold the same task, for its hash is not what costs.
MAKE_GROUPS = """
for i = 1, tonumber(ARGV[1]) do
  local name = 'customer:' .. i
  redis.call('SADD', KEYS[1], name)
  redis.call('ZADD', KEYS[2] .. name, ARGV[2], ARGV[3])
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Both exporters on one Redis."""

    theirs: str
    ours: str

    def scrape_theirs(self) -> Scrape:
        """A scrape of upstream's own exporter."""
        return scrape(self.theirs)

    def scrape_ours(self) -> Scrape:
        """A scrape of ours."""
        return scrape(f"{self.ours}/metrics")


@pytest.fixture
def pair(go: Go, own_redis: RedisServer) -> Iterator[Pair]:
    """Both exporters on the Redis of this test."""
    with go.exporter(own_redis) as theirs, serve(own_redis) as ours:
        yield Pair(theirs=theirs, ours=ours)


def test_latency_survives_a_requeue(go: Go, own_redis: RedisServer, pair: Pair) -> None:
    """One task requeued by a shutdown turns upstream's latency of an hour's backlog into 0; ours stands."""
    flags = ("-queues", "default=1", "-concurrency", "1", "-block", "default=1")
    with go.live(own_redis, *flags, "-scheduler=false", "-requeue") as live:
        go.enqueue(own_redis, {"type": "ping", "times": 4})
        with own_redis.client() as client:
            hour_ago = time.time_ns() - HOUR * 10**9
            for task_id in client.lrange("asynq:{default}:pending", 0, -1):
                client.hset(f"asynq:{{default}}:t:{task_id.decode()}", "pending_since", hour_ago)
        for page in (pair.scrape_theirs(), pair.scrape_ours()):
            assert page.value("asynq_queue_latency_seconds", queue="default") == pytest.approx(HOUR, abs=30)
        live.end()

    theirs = pair.scrape_theirs()
    assert theirs.value("asynq_tasks_enqueued_total", queue="default", state="pending") == 5
    assert theirs.value("asynq_queue_latency_seconds", queue="default") == 0

    ours = pair.scrape_ours()
    assert ours.value("asynq_pending_tasks", queue="default") == 5
    assert ours.value("asynq_queue_latency_seconds", queue="default") == pytest.approx(HOUR, abs=30)


def test_active_without_lease_is_an_orphan(go: Go, own_filled: Filled, pair: Pair) -> None:
    """A task that is active without a lease is never recovered; upstream sees nothing, we count it."""
    before, ours_before = pair.scrape_theirs(), pair.scrape_ours()
    with own_filled.redis.client() as client:
        assert client.zremrangebyrank("asynq:{critical}:lease", 0, 0) == 1
    after, ours_after = pair.scrape_theirs(), pair.scrape_ours()

    def without_clocks(page: Scrape) -> dict[object, float]:
        return {key: value for key, value in page.samples.items() if key[0] != "asynq_queue_latency_seconds"}

    assert without_clocks(before) == without_clocks(after)
    tasks = go.inspect(own_filled.redis)["queues"]["critical"]["tasks"]["active"]
    assert [task["is_orphaned"] for task in tasks] == [False, False]

    orphan = {"queue": "critical", "reason": "no_lease"}
    assert ours_before.value("asynq_orphaned_tasks", **orphan) == 0
    assert ours_after.value("asynq_orphaned_tasks", **orphan) == 1


def test_growth_of_a_full_archive_is_visible(go: Go, own_redis: RedisServer, pair: Pair) -> None:
    """At the cap upstream's gauge stands still while tasks die; ours counts the dead of the last hour."""
    go.enqueue(own_redis, {"type": "old", "times": ARCHIVE_CAP})
    assert go.run("archive", own_redis) == {"archived": ARCHIVE_CAP}
    with own_redis.client() as client:
        members = client.zrange("asynq:{default}:archived", 0, -1)
        client.zadd("asynq:{default}:archived", dict.fromkeys(members, int(time.time()) - 2 * HOUR))
    assert pair.scrape_ours().value("asynq_dead_tasks_last_hour", queue="default") == 0

    go.enqueue(
        own_redis,
        {"type": "new", "payload": b64encode(b'{"fail":"dead"}').decode(), "max_retry": 0, "times": 12},
    )
    assert len(go.run("work", own_redis, "-until-empty")) == 12

    theirs = pair.scrape_theirs()
    assert theirs.value("asynq_tasks_failed_total", queue="default") == 12
    assert theirs.value("asynq_tasks_enqueued_total", queue="default", state="archived") == ARCHIVE_CAP

    ours = pair.scrape_ours()
    assert ours.value("asynq_dead_tasks", queue="default") == ARCHIVE_CAP
    assert ours.value("asynq_dead_tasks_last_hour", queue="default") == 12


def test_a_million_groups_do_not_block_redis(go: Go, own_redis: RedisServer, pair: Pair) -> None:
    """With a million groups upstream asks Redis millions of times a scrape; ours as often as ever."""
    go.enqueue(own_redis, {"type": "notify", "task_id": "one", "queue": "low", "group": "first"})
    few = _cost(own_redis, pair.scrape_ours)
    with own_redis.client() as client:
        # Makes the others wait for the making, rather than turning them away.
        client.config_set("lua-time-limit", 120_000)
        made = client.eval(
            MAKE_GROUPS, 2, "asynq:{low}:groups", "asynq:{low}:g:", GROUPS, int(time.time()), "one"
        )
        assert made is None

    theirs = _cost(own_redis, pair.scrape_theirs)
    assert theirs.commands > 2 * GROUPS
    ours = _cost(own_redis, pair.scrape_ours)
    assert ours.page.value("asynq_queue_groups", queue="low") == GROUPS + 1
    assert ours.commands <= few.commands + 10
    assert ours.microseconds < theirs.microseconds / 1000

    fast = "--collector.max-commands-per-second=100000"
    # The background collectors and the compatible page touch the groups, but not all of them in one command.
    with own_redis.client() as client, serve(own_redis, fast) as fresh:
        client.config_set("slowlog-log-slower-than", 100_000)
        client.slowlog_reset()
        wait_until(
            lambda: {"groups", "memory", "types"} <= _collected(scrape(f"{fresh}/metrics")),
            what="all background collectors have run",
        )
        assert scrape(f"{fresh}/metrics/upstream").samples
        assert not client.slowlog_len()


def _collected(page: Scrape) -> set[str]:
    success = page.by_label("asynq_exporter_collector_success", "collector")
    return {collector for collector, value in success.items() if value == 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a scrape cost inside Redis."""

    page: Scrape
    commands: int
    microseconds: int


def _cost(server: RedisServer, fetch: Callable[[], Scrape]) -> Cost:
    with server.client() as client:
        client.config_resetstat()
        page = fetch()
        # A scrape that upstream gave up goes on inside Redis; the answer comes after it.
        client.ping()
        stats = client.info("commandstats")
    # What a script costs is counted as the script and again as its commands.
    inside = {
        name: stat for name, stat in stats.items() if not name.startswith(("cmdstat_config", "cmdstat_ping"))
    }
    scripts = sum(inside[name]["usec"] for name in ("cmdstat_eval", "cmdstat_evalsha") if name in inside)
    return Cost(
        page=page,
        commands=sum(stat["calls"] for stat in inside.values()),
        microseconds=scripts or sum(stat["usec"] for stat in inside.values()),
    )


@pytest.mark.parametrize(
    ("state", "command"),
    [
        ("pending", ("SADD", "x")),
        # As the operations guide has it.
        ("active", ("ZADD", "1", "x")),
        ("scheduled", ("SET", "x")),
        ("retry", ("LPUSH", "x")),
        ("archived", ("HSET", "x", "y")),
        ("completed", ("SADD", "x")),
        ("groups", ("ZADD", "1", "x")),
    ],
)
def test_one_bad_queue_costs_that_queue_alone(
    state: str, command: tuple[str, ...], own_filled: Filled, pair: Pair
) -> None:
    """A key of a wrong type silences upstream; ours keeps the other queues and names the bad one."""
    before = _numbers(pair.scrape_ours())
    assert {queue for _, queue in before} == set(own_filled.plan) - {"high"}
    with own_filled.redis.client() as client:
        key = f"asynq:{{high}}:{state}"
        client.delete(key)
        client.execute_command(command[0], key, *command[1:])

    theirs = pair.scrape_theirs()
    assert (theirs.status, theirs.samples) == (200, {})

    ours = pair.scrape_ours()
    assert ours.value("asynq_up") == 1
    assert _numbers(ours) == before
    assert ours.value("asynq_failed_total", queue="high") == own_filled.plan["high"]["failed_total"]
    errors = ours.by_label("asynq_exporter_queue_errors_total", "queue")
    assert errors.pop("high") >= 1
    assert set(errors.values()) <= {0}


def _numbers(page: Scrape) -> dict[tuple[str, str], float]:
    """State and queue -> tasks, of all queues but `high`."""
    return {
        (state, queue): value
        for state in ("pending", "active", "scheduled", "retry", "dead", "completed")
        for queue, value in page.by_label(f"asynq_{state}_tasks", "queue").items()
        if queue != "high"
    }


@pytest.mark.parametrize("state", ["pending", "active"])
def test_a_dangling_task_id_hides_nothing(state: str, own_filled: Filled, pair: Pair) -> None:
    """An ID without a task, left by an ill-timed delete, silences upstream wholly; ours counts it."""
    with own_filled.redis.client() as client:
        client.lpush(f"asynq:{{high}}:{state}", "ghost")

    theirs = pair.scrape_theirs()
    assert (theirs.status, theirs.samples) == (200, {})

    ours = pair.scrape_ours()
    assert ours.by_label(f"asynq_{state}_tasks", "queue") == {
        name: plan[state] + (name == "high") for name, plan in own_filled.plan.items()
    }


def test_a_corrupt_message_hides_nothing(go: Go, own_filled: Filled, pair: Pair) -> None:
    """A task of garbage bytes disappears from Go's listings; our numbers do not depend on reading it."""
    with own_filled.redis.client() as client:
        task_id = client.lindex("asynq:{high}:pending", -1)
        assert task_id is not None
        client.hset(f"asynq:{{high}}:t:{task_id.decode()}", "msg", b"\xff\xfe garbage")
    pending = own_filled.plan["high"]["pending"]
    assert len(go.inspect(own_filled.redis)["queues"]["high"]["tasks"]["pending"]) == pending - 1

    ours = pair.scrape_ours()
    assert ours.value("asynq_pending_tasks", queue="high") == pending
    assert ours.value("asynq_queue_latency_seconds", queue="high") > 0


def test_aggregating_tasks_are_exported(own_filled: Filled, pair: Pair) -> None:
    """Upstream counts the tasks in groups at great cost and exports no such number; ours does."""
    theirs = pair.scrape_theirs()
    assert theirs.by_label("asynq_tasks_enqueued_total", "queue")
    states = {dict(labels).get("state") for name, labels in theirs.samples}
    assert "aggregating" not in states

    expected = sum(own_filled.plan["low"]["groups"].values())
    wait_until(
        lambda: pair.scrape_ours().get("asynq_aggregating_tasks", queue="low") == expected,
        what="the background collector has counted the groups",
    )
    assert pair.scrape_ours().value("asynq_queue_groups", queue="low") == len(
        own_filled.plan["low"]["groups"]
    )


def test_redis_down_is_said_aloud(own_filled: Filled, pair: Pair) -> None:
    """With Redis away upstream answers 200 and nothing; ours says `asynq_up 0`, and 1 when it is back."""
    assert pair.scrape_theirs().samples
    assert pair.scrape_ours().value("asynq_up") == 1
    own_filled.redis.kill()

    theirs = pair.scrape_theirs()
    assert (theirs.status, theirs.samples) == (200, {})

    ours = pair.scrape_ours()
    assert ours.status == 200
    assert ours.value("asynq_up") == 0
    assert ours.value("asynq_system_health") == 0
    assert not ours.by_label("asynq_queue_size", "queue"), "no stale numbers"

    own_filled.redis.start_again()
    assert pair.scrape_ours().value("asynq_up") == 1
