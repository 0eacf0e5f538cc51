"""Targets of the config file: what is theirs, what they take over, and mistakes by line."""

from pathlib import Path

import pytest

from asynq_exporter.settings import SettingsError, config_file, resolve
from asynq_exporter.settings.targets import Target, resolve_target

FULL = """\
redis: {url: "rediss://:mine@redis.internal", tls: {server-name: own}, username: me}
scan: {timeout: 4s}
queues: {exclude: [scratch], profiles: {mails: {capacity: 5}}}
targets:
  orders:
    redis:
      url: redis-sentinel://:of-sentinel@s1,s2:26380/2?master=orders
      password-file: orders.password
      read-from: replica
    scan: {timeout: 2s}
    queues: {profiles: {orders: {capacity: 9}}}
    backpressure: {warning: 0.5}
    labels: {env: production, team: sales}
  plain:
    redis: {url: redis://plain}
"""


def targets_of(folder: Path, text: str, **environment: str) -> list[Target]:
    """The targets of a config file."""
    path = folder / "config.yml"
    path.write_text(text)
    loaded = config_file.load(path)
    main = resolve(file=loaded.options).settings
    return [
        resolve_target(name, described, main=main, environment=environment)
        for name, described in loaded.targets.items()
    ]


def test_a_target_is_described_in_the_words_of_the_file(tmp_path: Path) -> None:
    """Every option of Redis, queues, scan and collectors; own profiles; labels; relative paths."""
    orders, _ = targets_of(tmp_path, FULL)

    assert "redis-sentinel://***@s1:26379,s2:26380/2?master=orders" == str(orders.settings.redis_url)
    assert tmp_path / "orders.password" == orders.settings.redis_password_file
    assert ("replica", 2) == (orders.settings.redis_read_from, orders.settings.scan_timeout_seconds)
    assert ["orders"] == list(orders.catalog.queues)
    assert 0.5 == orders.catalog.backpressure.warning
    assert {"env": "production", "team": "sales"} == orders.labels


def test_a_target_takes_over_all_but_the_way_to_redis(tmp_path: Path) -> None:
    """Time-outs and filters hold for all; user, password and certificates of one Redis for no other."""
    _, plain = targets_of(tmp_path, FULL, ASYNQ_REDIS_PASSWORD="mine")

    assert 4 == plain.settings.scan_timeout_seconds
    assert ["scratch"] == [pattern.pattern for pattern in plain.settings.queues_exclude]
    assert "critical" in plain.catalog.queues
    assert (None, None, None) == (
        plain.settings.redis_username,
        plain.settings.redis_password,
        plain.settings.redis_tls_server_name,
    )
    assert "redis://plain:6379/0" == str(plain.settings.redis_url)


def test_secrets_come_from_the_environment_and_show_nowhere(tmp_path: Path) -> None:
    """A variable for each target, masked wherever settings are shown."""
    text = "targets:\n  eu-1.orders: {redis: {url: 'redis-sentinel://h?master=m'}}\n"
    found = targets_of(
        tmp_path,
        text,
        ASYNQ_TARGET_EU_1_ORDERS_REDIS_PASSWORD="hunter2",
        ASYNQ_TARGET_EU_1_ORDERS_REDIS_SENTINEL_PASSWORD="hunter3",
    )

    (target,) = found
    assert target.settings.redis_password
    assert target.settings.redis_sentinel_password
    assert ["hunter2", "hunter3"] == [
        target.settings.redis_password.reveal(),
        target.settings.redis_sentinel_password.reveal(),
    ]
    shown = list(target.shown())
    assert ("targets.eu-1.orders.ASYNQ_REDIS_PASSWORD", "***") == shown[1][:2]
    assert "hunter" not in repr(target) + str(shown)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("targets: [a]\n", ":1: targets: must be a section"),
        ("targets: {a: }\n", ":1: targets.a: needs a redis section with url"),
        ("targets: {a: {redis: {db: 1}}}\n", ":1: targets.a: needs a redis section with url"),
        ("targets: {'a b': {redis: {url: redis://h}}}\n", "targets.a b: is no name for a target"),
        ("targets: {a: {redis: {url: http://h}}}\n", "targets.a.redis.url: 'http://h' is not a Redis URL"),
        (
            "targets:\n  a:\n    redis: {url: redis://h}\n    log: {level: info}\n",
            ":4: targets.a.log: unknown key",
        ),
        (
            "targets:\n  a:\n    redis: {url: redis://h}\n    queues: {profiles: {q: {weigth: 1}}}\n",
            ":4: targets.a.queues.profiles.q.weigth",
        ),
        (
            "targets: {a: {redis: {url: redis://h}, labels: {__address__: x}}}\n",
            "targets.a.labels.__address__: is no name of a label",
        ),
        (
            "targets: {a: {redis: {url: redis://h}, labels: {env: [x]}}}\n",
            "targets.a.labels.env: takes a text",
        ),
        (
            "targets: {a-b: {redis: {url: redis://h}}, a.b: {redis: {url: redis://h}}}\n",
            "targets.a.b: has the environment variables of 'a-b'",
        ),
        ("labels: {a: b}\n", ":1: labels: unknown key"),
        (
            "targets: {a: {redis: {url: redis://h, tls: {server-name: x}}}}\n",
            "redis.tls.server-name: has no effect",
        ),
        ("targets: {a: {redis: {url: redis://h, sentinel: {username: x}}}}\n", "has no effect on redis://h"),
        ("targets: {a: {redis: {url: redis://h, read-from: replica}}}\n", "needs Sentinel or a cluster"),
        ("targets: {a: {redis: {url: 'redis-cluster://h/1'}}}\n", "a cluster has only database 0"),
    ],
)
def test_mistakes_are_named_by_line_and_key(tmp_path: Path, text: str, sentence: str) -> None:
    """Those of one target as those of the file itself."""
    with pytest.raises(SettingsError) as caught:
        targets_of(tmp_path, text)

    assert sentence in str(caught.value)


def test_there_is_a_ceiling(tmp_path: Path) -> None:
    """Each target takes memory and connections."""
    text = "targets:\n" + "".join(f"  t{i}: {{redis: {{url: redis://h}}}}\n" for i in range(1001))

    with pytest.raises(SettingsError, match="more than 1000 targets"):
        targets_of(tmp_path, text)
