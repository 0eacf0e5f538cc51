"""Records of live servers and schedulers: wire sections 3.22-3.25."""

from typing import cast

from redis import Redis

from asynq_exporter.core import Broker, keys, messages
from asynq_exporter.core.messages import SchedulerEnqueueEvent, SchedulerEntry, ServerInfo, WorkerInfo
from tests.core.queue_state import T, everything, scores_of

SERVER = ServerInfo(host="web-1", pid=4242, server_id="sid", concurrency=10, queues={"default": 1})
RECORD = "asynq:servers:{web-1:4242:sid}"
HASH = "asynq:workers:{web-1:4242:sid}"
ENTRIES = "asynq:schedulers:{h:1:u}"


async def test_heartbeat_writes_records_that_expire(broker: Broker, redis_sync: Redis) -> None:
    """3.22: both registries, the record, a worker for each task, all for 10 s."""
    workers = [WorkerInfo(task_id=str(i), task_type="t") for i in range(2)]
    await broker.write_server_state(SERVER, workers)
    assert scores_of(redis_sync, "asynq:servers") == {RECORD: T + 10}
    assert scores_of(redis_sync, "asynq:workers") == {HASH: T + 10}
    assert redis_sync.get(RECORD) == messages.encode(SERVER)
    assert redis_sync.hgetall(HASH) == {
        b"%d" % i: messages.encode(worker) for i, worker in enumerate(workers)
    }
    assert (redis_sync.ttl(RECORD), redis_sync.ttl(HASH)) == (10, 10)


async def test_idle_server_has_no_workers_hash(broker: Broker, redis_sync: Redis) -> None:
    """3.22: the hash is rebuilt at each beat, and absent without tasks."""
    await broker.write_server_state(SERVER, [WorkerInfo(task_id="1")])
    await broker.write_server_state(SERVER, ttl_seconds=20)
    assert redis_sync.exists(HASH) == 0
    assert redis_sync.ttl(RECORD) == 20
    assert scores_of(redis_sync, "asynq:workers") == {HASH: T + 20}


async def test_ended_server_leaves_nothing(broker: Broker, redis_sync: Redis) -> None:
    """3.23: records and registrations are gone, those of others stay."""
    other = ServerInfo(host="web-2", pid=1, server_id="other")
    await broker.write_server_state(SERVER, [WorkerInfo(task_id="1")])
    await broker.write_server_state(other)
    await broker.clear_server_state(SERVER)
    assert everything(redis_sync).keys() == {
        "asynq:servers",
        "asynq:workers",
        "asynq:servers:{web-2:1:other}",
    }
    assert len(scores_of(redis_sync, "asynq:servers")) == 1


async def test_scheduler_entries_are_stored_last_first(broker: Broker, redis_sync: Redis) -> None:
    """3.24: the list is rebuilt at each beat and lives 20 s."""
    entries = [SchedulerEntry(id=str(i)) for i in range(3)]
    await broker.write_scheduler_entries("h:1:u", entries[:1])
    await broker.write_scheduler_entries("h:1:u", entries)
    stored = cast("list[bytes]", redis_sync.lrange(ENTRIES, 0, -1))
    assert [messages.decode_scheduler_entry(data).id for data in stored] == ["2", "1", "0"]
    assert redis_sync.ttl(ENTRIES) == 20
    assert scores_of(redis_sync, "asynq:schedulers") == {ENTRIES: T + 20}


async def test_scheduler_without_entries_is_registered(broker: Broker, redis_sync: Redis) -> None:
    """3.24: the registry names a list that does not exist; clearing removes the name."""
    await broker.write_scheduler_entries("h:1:u", [])
    assert everything(redis_sync).keys() == {"asynq:schedulers"}
    await broker.clear_scheduler_entries("h:1:u")
    assert everything(redis_sync) == {}


async def test_history_lives_until_it_is_cleared(broker: Broker, redis_sync: Redis) -> None:
    """3.25: the score is the second, the event keeps its fraction, nothing expires."""
    event = SchedulerEnqueueEvent(task_id="my-id", enqueue_time=messages.timestamp(T * 10**9 + 123_000_000))
    await broker.record_enqueue_event("e-1", event)
    key = keys.scheduler_history("e-1")
    assert redis_sync.zscore(key, messages.encode(event)) == T
    assert redis_sync.ttl(key) == -1
    await broker.clear_scheduler_history("e-1")
    assert everything(redis_sync) == {}
