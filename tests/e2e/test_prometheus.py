"""A real Prometheus scrapes the exporter as users run it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import bcrypt
import pytest
import trustme
import yaml

from asynq_exporter.core import keys
from tests.conftest import RedisServer, free_port, need_tool, wait_until
from tests.interop.serving import COMMAND, serve
from tests.processes import ROOT, running


@contextmanager
def prometheus(folder: Path, **job: Any) -> Iterator[int]:
    """A Prometheus with one scrape job; its port."""
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [{"job_name": "app-asynq"} | job],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [need_tool("prometheus"), f"--config.file={folder / 'prometheus.yml'}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    with running(command, folder / "prometheus.log"):
        yield port


def api(port: int, path: str) -> Any:
    """The data of an answer; None while there is none."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", timeout=5) as answer:
            return json.load(answer)["data"]
    except (URLError, OSError):
        return None


def value(port: int, query: str) -> float | None:
    """The value of an instant query with one series."""
    result = (api(port, f"query?query={quote(query)}") or {"result": []})["result"]
    return float(result[0]["value"][1]) if result else None


def test_prometheus_scrapes_it(tmp_path: Path, redis_server: RedisServer, redis_sync: Any) -> None:
    """The target is up, and the numbers are those of Redis."""
    redis_sync.lpush(keys.pending("critical"), *range(42))
    with (
        serve(redis_server) as url,
        prometheus(tmp_path, static_configs=[{"targets": [url.removeprefix("http://")]}]) as port,
    ):
        wait_until(lambda: value(port, "asynq_up") == 1, what="Prometheus has scraped")
        (target,) = api(port, "targets")["activeTargets"]
        pending = value(port, 'asynq_pending_tasks{queue="critical"}')
        # Only in the OpenMetrics format is the family of a counter named without _total.
        names = [f"asynq_processed{suffix}" for suffix in ("", "_total")]
        kinds = [[entry["type"] for entry in api(port, f"targets/metadata?metric={name}")] for name in names]

    assert ("up", "") == (target["health"], target["lastError"])
    assert 42 == pending
    assert [["counter"], []] == kinds


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_prometheus_signs_in_over_tls(tmp_path: Path, redis_server: RedisServer, password: str) -> None:
    """With the web configuration file: TLS and basic authentication, and no way around them."""
    authority = trustme.CA()
    pair = authority.issue_cert("127.0.0.1")
    pair.private_key_pem.write_to_path(tmp_path / "key.pem")
    pair.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(rounds=4)).decode()
    web = {
        "tls_server_config": {"cert_file": "cert.pem", "key_file": "key.pem"},
        "basic_auth_users": {"prometheus": hashed},
    }
    (tmp_path / "web.yml").write_text(yaml.safe_dump(web))
    port = free_port()
    address = f"127.0.0.1:{port}"
    command = [*COMMAND, f"--web.listen-address={address}", f"--redis.url={redis_server.url}"]
    with (
        running([*command, f"--web.config.file={tmp_path / 'web.yml'}"], tmp_path / "exporter.log"),
        prometheus(
            tmp_path,
            scheme="https",
            tls_config={"ca_file": str(tmp_path / "ca.pem")},
            basic_auth={"username": "prometheus", "password": password},
            static_configs=[{"targets": [address]}],
        ) as api_port,
    ):
        expected = 1 if password == "right" else 0
        wait_until(
            lambda: value(api_port, 'up{job="app-asynq"}') == expected,
            what="Prometheus has tried and said so",
        )
        if password == "wrong":
            (target,) = api(api_port, "targets")["activeTargets"]
            assert "401" in target["lastError"]


def test_prometheus_discovers_the_targets(
    tmp_path: Path, redis_server: RedisServer, redis_sync: Any, own_redis: RedisServer
) -> None:
    """With the example's first job Prometheus scrapes every target, and tells them apart."""
    redis_sync.lpush(keys.pending("critical"), *range(42))
    with own_redis.client() as client:
        client.lpush(keys.pending("critical"), *range(7))
    (tmp_path / "config.yml").write_text(
        f"targets:\n  mails: {{redis: {{url: '{redis_server.url}'}}, labels: {{team: red}}}}\n"
        f"  orders: {{redis: {{url: '{own_redis.url}'}}}}\n"
    )
    example = yaml.safe_load((ROOT / "prometheus" / "http_sd.example.yml").read_text("utf-8"))
    job = example["scrape_configs"][0]
    with serve(redis_server, f"--config.file={tmp_path / 'config.yml'}") as url:
        job["http_sd_configs"][0]["url"] = f"{url}/targets"
        with prometheus(tmp_path, **job) as port:
            wait_until(lambda: value(port, "sum(asynq_up)") == 2, what="Prometheus has scraped both")
            found = {
                query: value(port, f"asynq_pending_tasks{{queue='critical', {query}}}")
                for query in ("cluster='mails', team='red'", "cluster='orders', team=''")
            }

    assert [42, 7] == list(found.values())
