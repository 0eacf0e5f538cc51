"""What Redis can be, short of well."""

import subprocess
import threading
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.conftest import RedisServer, start_redis, wait_until
from tests.faults.conftest import fill
from tests.faults.exporter import Exporter, exporting


def test_out_of_memory(near: Exporter, own_redis: RedisServer) -> None:
    """A full Redis refuses writes; the exporter only reads, and shows the limit."""
    with own_redis.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1mb")
        with pytest.raises(redis.OutOfMemoryError):
            client.set("more", "x")

        page = near.scrape()

        assert page.up
        assert page.value("asynq_redis_memory_max_bytes") == 2**20
        used = page.value("asynq_redis_memory_used_bytes")
        assert used is not None
        assert used > 2**20
        assert page.value("asynq_pending_tasks", queue="queue-00") == 1


def test_loading(tmp_path: Path) -> None:
    """While Redis loads its data set it counts as away, and the log says why; then it is there."""
    folder = tmp_path / "redis"
    folder.mkdir()
    server = start_redis(folder, "--save", "3600 1")
    try:
        fill(server, queues=2)
        with server.client() as client:
            pipe = client.pipeline(transaction=False)
            for number in range(40_000):
                pipe.set(f"ballast-{number}", "x")
            pipe.execute()
            client.save()
        with exporting(tmp_path, server.url) as exporter:
            exporter.recovers()
            server.kill()
            # Each key takes its time, so that loading lasts until it is told otherwise; but not so long that
            # Redis, which answers after each kilobyte of keys, seems to hang.
            server.argv += ["--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"]
            server.process = subprocess.Popen(server.argv, stdout=subprocess.DEVNULL)
            wait_until(lambda: _is_loading(server), what="Redis is loading")

            page = exporter.scrape()

            assert not page.up
            assert page.labels("asynq_pending_tasks", "queue") == set()
            wait_until(lambda: "LOADING" in exporter.log, what="the log says so")
            with redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0)) as client:
                client.config_set("key-load-delay", "0")
            assert exporter.recovers().value("asynq_pending_tasks", queue="queue-00") == 1
    finally:
        server.kill()


def _is_loading(server: RedisServer) -> bool:
    # No second tries: they would last until it has loaded.
    try:
        with redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0)) as client:
            client.ping()
    except redis.exceptions.BusyLoadingError:
        return True
    except redis.RedisError:
        return False
    return False


def test_read_only_replica(own_redis: RedisServer, tmp_path: Path) -> None:
    """A replica will do: nothing is written."""
    fill(own_redis, queues=2)
    folder = tmp_path / "replica"
    folder.mkdir()
    replica = start_redis(folder, "--replicaof", f"127.0.0.1 {own_redis.port}")
    try:
        with exporting(tmp_path, replica.url) as exporter:

            def follows() -> bool:
                return exporter.scrape().value("asynq_pending_tasks", queue="queue-00") == 1

            wait_until(follows, what="the replica has the data")
            page = exporter.recovers()
            with replica.client() as client, pytest.raises(redis.ReadOnlyError):
                client.set("more", "x")
            assert "slave" in page.labels("asynq_redis_info", "role")
    finally:
        replica.kill()


def test_replica_without_its_master(own_redis: RedisServer, tmp_path: Path) -> None:
    """A replica that refuses stale data counts as away, and the log has its words."""
    folder = tmp_path / "replica"
    folder.mkdir()
    options = ("--replicaof", f"127.0.0.1 {own_redis.port}", "--replica-serve-stale-data", "no")
    replica = start_redis(folder, *options)
    try:
        with exporting(tmp_path, replica.url) as exporter:
            wait_until(lambda: exporter.scrape().up, what="the replica serves")
            own_redis.kill()

            wait_until(lambda: not exporter.scrape().up, what="the replica has lost its master")

            wait_until(lambda: "MASTERDOWN" in exporter.log, what="the log says so")
            assert exporter.is_alive()
    finally:
        replica.kill()


def test_commands_denied(own_redis: RedisServer, tmp_path: Path) -> None:
    """Each command that the ACL denies costs what it would have told; scripts are never asked for."""
    fill(own_redis, queues=2)
    with own_redis.client() as client:
        rules = ["on", ">secret", "~*", "+@all", "-eval", "-evalsha", "-script", "-info", "-zcount"]
        client.execute_command("ACL", "SETUSER", "watcher", *rules)
        (tmp_path / "password").write_text("secret")
        flags = ("--redis.username=watcher", f"--redis.password-file={tmp_path / 'password'}")
        with exporting(tmp_path, own_redis.url, *flags) as exporter:
            page = exporter.scrape()

            assert page.up
            assert page.value("asynq_pending_tasks", queue="queue-00") == 1
            assert page.value("asynq_scheduled_overdue_tasks", queue="queue-00") is None
            assert page.value("asynq_exporter_collector_success", collector="redis") == 0
            assert page.value("asynq_exporter_collector_success", collector="queues") == 0
            wait_until(lambda: "zcount" in exporter.log.lower(), what="the log names the command")
            assert "secret" not in exporter.log
            client.execute_command("ACL", "SETUSER", "watcher", "+info", "+zcount")
            exporter.recovers()


def test_user_taken_away(near: Exporter, own_redis: RedisServer) -> None:
    """A password set under a running exporter: away, with Redis' words in the log; and back."""
    with own_redis.client() as client:
        client.config_set("requirepass", "new")
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

        page = near.scrape()

        assert not page.up
        wait_until(lambda: "NOAUTH" in near.log or "Authentication" in near.log, what="the log says why")
        client.execute_command("AUTH", "new")
        client.config_set("requirepass", "")
    near.recovers()


def test_too_many_clients(near: Exporter, own_redis: RedisServer) -> None:
    """Redis takes no more clients: the kept connection goes on; a new one is refused and said so."""
    with own_redis.client() as client:
        client.config_set("maxclients", 2)
        assert near.scrape().up
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        client.config_set("maxclients", 1)

        assert not near.scrape().up

        client.config_set("maxclients", 100)
    near.recovers()


def test_blocked_by_a_script(near: Exporter, own_redis: RedisServer) -> None:
    """Somebody's endless script: away within the time, and back when it was killed."""
    with own_redis.client() as client:
        client.config_set("busy-reply-threshold", 100)
        thread = threading.Thread(target=_run_for_ever, args=(own_redis,))
        thread.start()

        wait_until(lambda: not near.scrape().up, what="Redis is busy")

        assert near.is_alive()
        wait_until(lambda: _killed(client), what="the script is killed")
        thread.join()
    near.recovers()


def _run_for_ever(server: RedisServer) -> None:
    with server.client() as client, pytest.raises(redis.ResponseError):
        client.eval("while true do end", 0)


def _killed(client: "redis.Redis") -> bool:
    try:
        client.script_kill()
    except redis.RedisError:
        return False
    return True
