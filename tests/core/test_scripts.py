"""The Lua files and what runs them."""

import re
from importlib.resources import files

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ResponseError

from asynq_exporter.core import Broker, keys
from asynq_exporter.core.broker import NewTask
from asynq_exporter.core.scripts import Call, ScriptRunner, all_scripts
from tests.core.queue_state import Q, T, a_task, list_of


@pytest.mark.parametrize("name", all_scripts())
def test_head_names_what_the_script_takes(name: str) -> None:
    """Each KEYS and ARGV that the code reads stands in the head, and so does what it returns."""
    text = files("asynq_exporter.core.scripts").joinpath(f"{name}.lua").read_text(encoding="utf-8")
    head, _, code = text.partition("\n\n")
    assert all(line.startswith("--") for line in head.splitlines())
    assert re.search(r"\((wire section [34]\.|guide section )", head)
    assert re.search(r"^-- Returns ", head, re.MULTILINE)
    used = set(re.findall(r"(?:KEYS|ARGV)\[\d+\]", code))
    documented = set(re.findall(r"(?:KEYS|ARGV)\[\d+\]", head))
    assert used <= documented
    # What only the head names is read through #ARGV.
    assert documented == used or "#ARGV" in code


async def test_every_script_compiles(redis_client: AsyncRedis) -> None:
    """Redis knows each by the SHA-1 that we reckon."""
    for script in all_scripts().values():
        assert await redis_client.script_load(script.source) == script.sha


def test_script_of_its_own_for_every_operation() -> None:
    """The scripts of wire sections 3 and 4, and those of guide chapter 4; the rest are plain commands."""
    assert set(all_scripts()) == {
        *("enqueue", "enqueue_unique", "schedule", "schedule_unique", "add_to_group", "add_to_group_unique"),
        *("dequeue", "done", "done_unique", "mark_complete", "mark_complete_unique", "requeue", "retry"),
        *("archive", "dequeue_timed", "forward", "delete_expired_completed", "list_lease_expired"),
        *("aggregation_check", "read_aggregation_set", "delete_aggregation_set"),
        *("reclaim_stale_aggregation_sets", "write_server_state", "clear_server_state"),
        *("write_scheduler_entries", "record_enqueue_event"),
        *("list_tasks", "scan_tasks", "read_task", "read_workers"),
        *("run_task", "archive_task", "delete_task", "update_payload"),
        *("run_many", "archive_many", "delete_many", "trim_archive", "delete_queue"),
        *("swap_field", "create_if_room", "queue_size", "add_timings"),
    }


async def test_text_is_sent_to_a_server_that_forgot(broker: Broker, redis_sync: Redis) -> None:
    """After SCRIPT FLUSH, as after a restart or failover, single calls and batches go on as before."""
    await broker.enqueue(a_task("0"))
    redis_sync.script_flush()
    await broker.enqueue(a_task("1"))
    redis_sync.script_flush()
    assert await broker.dequeue([Q]) is not None
    redis_sync.script_flush()
    tasks = [NewTask(message=a_task(str(i)), process_at=None) for i in range(2, 5)]
    later = NewTask(message=a_task("later"), process_at=T)
    assert await broker.enqueue_many([*tasks, later]) == [True] * 4
    assert list_of(redis_sync, keys.pending(Q)) == ["4", "3", "2", "1"]


async def test_second_call_sends_the_sha_alone(redis_client: AsyncRedis) -> None:
    """A script that the server knows is not sent again."""
    runner = ScriptRunner(redis_client)
    await redis_client.config_resetstat()
    for _ in range(5):
        await runner.run("list_lease_expired", (keys.lease(Q),), T, keys.task_prefix(Q))
    stats = await redis_client.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] == 5
    assert stats.get("cmdstat_eval", {"calls": 0})["calls"] <= 1


async def test_failed_call_of_a_batch_leaves_the_others(redis_client: AsyncRedis) -> None:
    """Replies come in order, an error as a value."""
    await redis_client.set("wrong type", "")
    good = Call(script="list_lease_expired", keys=("none",), args=(T, ""))
    bad = Call(script="list_lease_expired", keys=("wrong type",), args=(T, ""))
    first, second, third = await ScriptRunner(redis_client).run_many([good, bad, good])
    assert first == third == []
    assert isinstance(second, ResponseError)
