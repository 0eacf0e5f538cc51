"""The options: where a value comes from, what is refused, and that no secret shows."""

from typing import Any

import pytest

from asynq_exporter.settings import OPTIONS, Given, Settings, SettingsError, resolve
from asynq_exporter.settings.options import parse_duration, show_duration
from asynq_exporter.settings.redis_url import RedisUrl, mask


def test_defaults_are_those_of_a_prometheus_exporter() -> None:
    """Without anything given: every interface on 9876, the local Redis, all collectors."""
    settings = Settings()

    assert [":9876"] == [str(address) for address in settings.web_listen_addresses]
    assert "redis://127.0.0.1:6379/0" == str(settings.redis_url)
    assert (True, True, True) == (
        settings.collector_memory,
        settings.collector_groups,
        settings.collector_types,
    )


@pytest.mark.parametrize(
    ("variable", "field", "default"),
    [
        ("ASYNQ_POLLING_ENABLED", "polling_enabled", True),
        ("ASYNQ_CONCURRENCY", "concurrency", 10),
        ("ASYNQ_REDIS_DB", "redis_db", None),
    ],
)
def test_variable_is_that_of_the_guide(variable: str, field: str, default: object) -> None:
    """Section 6.1, name and default; the URL's database is 0 unless it says otherwise."""
    assert variable == OPTIONS[field].environment
    assert default == getattr(Settings(), field)


def test_flag_beats_environment_beats_file_beats_default() -> None:
    """The strongest origin wins, and is told."""
    flags = {"queues.max": ["1"]}
    environment = {"ASYNQ_QUEUES_MAX": "2", "ASYNQ_SCAN_TIMEOUT": "2s"}
    file = {
        name: Given(texts=[text], where=f"config.yml:1: {name}")
        for name, text in {"queues.max": "3", "scan.timeout": "3s", "log.level": "debug"}.items()
    }

    resolved = resolve(flags=flags, environment=environment, file=file)

    assert (1, 2.0, "debug", "logfmt") == (
        resolved.settings.queues_max,
        resolved.settings.scan_timeout_seconds,
        resolved.settings.log_level,
        resolved.settings.log_format,
    )
    names = ("queues_max", "scan_timeout_seconds", "log_level", "log_format")
    assert ["--queues.max", "ASYNQ_SCAN_TIMEOUT", "config.yml:1: log.level", "default"] == [
        resolved.origins[name] for name in names
    ]


def test_empty_variable_counts_as_not_set() -> None:
    """`ASYNQ_X=` in a unit file changes nothing."""
    assert 1000 == resolve(environment={"ASYNQ_QUEUES_MAX": ""}).settings.queues_max


def test_repeatable_options_take_several() -> None:
    """As flags one by one, in the environment separated by spaces."""
    flags = resolve(flags={"web.listen-address": [":1", "[::1]:2"]}).settings
    environment = resolve(environment={"ASYNQ_QUEUES_EXCLUDE": "a.* b"}).settings

    assert [":1", "[::1]:2"] == [str(address) for address in flags.web_listen_addresses]
    assert ["a.*", "b"] == [pattern.pattern for pattern in environment.queues_exclude]


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("web.listen-address", "9876"),
        ("web.listen-address", "host:99999"),
        ("web.telemetry-path", "metrics"),
        ("web.telemetry-path", "/metrics/upstream"),
        ("web.telemetry-path", "/"),
        ("redis.url", "localhost:6379"),
        ("redis.url", "http://localhost"),
        ("redis.url", "redis://host:port/0"),
        ("redis.url", "redis://host/zero"),
        ("redis.url", "redis://host/0?db=1"),
        ("redis.url", "redis://host/0?timeout=1"),
        ("redis.url", "redis-sentinel://host"),
        ("redis.url", "redis-sentinel://host:x?master=m"),
        ("redis.url", "redis-sentinel://a,b..c?master=m"),
        ("redis.url", "redis-sentinel://host?master="),
        ("redis.url", "redis://host?master=m"),
        ("redis.url", "redis-cluster://host?master=m"),
        ("redis.read-from", "slave"),
        ("redis.url", "redis://a..b"),
        ("redis.url", "redis://" + "a" * 64),
        ("redis.url", "unix:///run/%00"),
        ("web.listen-address", "a..b:9876"),
        ("redis.db", "-1"),
        ("redis.username", ""),
        ("queues.include", "(["),
        ("queues.max", "0"),
        ("queues.max", "many"),
        ("scan.timeout", "10"),
        ("scan.timeout", "0s"),
        ("scan.timeout", "1h30"),
        ("log.level", "loud"),
        ("collector.memory", "maybe"),
        ("polling.interval", "0"),
        ("polling.interval", "often"),
        ("polling.interval", "-15"),
        ("concurrency", "0"),
        ("polling.enabled", "sometimes"),
        ("retry.policy", "never"),
        ("shutdown.timeout", "8"),
    ],
)
def test_bad_value_is_named_with_its_option(flag: str, text: str) -> None:
    """The message says which option, at which origin, and what to write."""
    environment = next(o.environment for o in OPTIONS.values() if o.flag == flag)

    with pytest.raises(SettingsError, match=f"^--{flag}: "):
        resolve(flags={flag: [text]})
    if text:
        with pytest.raises(SettingsError, match=f"^{environment}: "):
            resolve(environment={environment: text})


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"redis.tls.cert-file": ["c"]}, "needs redis.tls.key-file"),
        ({"redis.tls.ca-file": ["c"]}, "write rediss://"),
        ({"web.listen-address": [":1", ":1"]}, "twice"),
        ({"redis.sentinel.username": ["u"]}, "write redis-sentinel://"),
        ({"redis.read-from": ["replica"]}, "needs Sentinel or a cluster"),
        ({"redis.url": ["redis-cluster://h"], "redis.db": ["1"]}, "--redis.db: a cluster has only"),
        ({"redis.url": ["redis-cluster://h/1"]}, "--redis.url: a cluster has only"),
        ({"worker.listen-address": [":1", ":1"]}, "twice"),
    ],
)
def test_options_that_do_not_go_together(flags: dict[str, list[str]], words: str) -> None:
    """What only several options together can get wrong is refused too."""
    with pytest.raises(SettingsError, match=words):
        resolve(flags=flags)


def test_conflict_is_named_by_its_origin() -> None:
    """Whoever wrote it in a file finds the line, whoever set a variable its name."""
    file = {"redis.tls.ca-file": Given(texts=["ca.pem"], where="config.yml:3: redis.tls.ca-file")}

    with pytest.raises(
        SettingsError, match=r"^config\.yml:3: redis\.tls\.ca-file: has no effect on redis://"
    ):
        resolve(file=file)
    with pytest.raises(SettingsError, match=r"^ASYNQ_WEB_LISTEN_ADDRESS: the same address"):
        resolve(environment={"ASYNQ_WEB_LISTEN_ADDRESS": ":1 :1"})


SECRETS = {
    "flags": {"redis.url": ["redis://anna:hunter2@host/1"]},
    "environment": {"ASYNQ_REDIS_PASSWORD": "hunter2"},
}


@pytest.mark.parametrize("origin", SECRETS)
def test_no_secret_shows(origin: str) -> None:
    """Neither repr nor the shown texts hold a user's password."""
    given: Any = {origin: SECRETS[origin]}
    settings = resolve(**given).settings

    shown = repr(settings) + str(list(settings.shown())) + repr(settings.redis_url)

    assert "hunter2" not in shown
    assert "anna" not in shown


@pytest.mark.parametrize(
    "url",
    [
        "redis://anna:hun#ter2@host",
        "redis://anna:hunter2@host:x/0",
        "http://anna:hunter2@host",
        "anna:hunter2@host",
        "http://anna:pass hun'ter\"2@host",
        "redis://host/0?password=hunter2",
    ],
)
def test_no_secret_in_the_error_of_a_bad_url(url: str) -> None:
    """The message about a URL masks what may be a password in it."""
    with pytest.raises(SettingsError) as caught:
        resolve(flags={"redis.url": [url]})

    assert "hun" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("cannot reach redis://u:pw@h:1/0 today", "cannot reach redis://***@h:1/0 today"),
        ("('rediss://u:p@w@h', 1)", "('rediss://***@h', 1)"),
        ("u:pw@h", "***@h"),
        ("http://h/?token=abc&db=1", "http://h/?token=***&db=1"),
        ("at 12:30 ask ops@example.com", "at 12:30 ask ops@example.com"),
        ("a:" * 100_000, "a:" * 100_000),
        ("a://" * 50_000 + "@", "a://***@"),
    ],
    ids=["url", "quoted", "no scheme", "parameter", "harmless", "long", "long with @"],
)
def test_text_is_masked(text: str, masked: str) -> None:
    """Secrets go, the rest stays; a hostile text takes no longer than another."""
    assert masked == mask(text)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host", "redis://host:6379/0"),
        ("rediss://user:pw@host:1/2", "rediss://***@host:1/2"),
        ("redis://[::1]:5/1", "redis://[::1]:5/1"),
        ("redis://:p%40ss@host/3", "redis://***@host:6379/3"),
        ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2"),
        ("redis-socket:///run/redis.sock", "unix:///run/redis.sock?db=0"),
        (
            "redis-sentinel://:pw@h1:1,h2,[::1]:3?master=m",
            "redis-sentinel://***@h1:1,h2:26379,[::1]:3/0?master=m",
        ),
        ("redis-sentinel://h/4?master=a%20b", "redis-sentinel://h:26379/4?master=a%20b"),
        ("rediss-sentinel://h?master=m&db=2", "rediss-sentinel://h:26379/2?master=m"),
        ("redis-cluster://u:pw@h1:1,h2", "redis-cluster://***@h1:1,h2:6379/0"),
        ("rediss-cluster://h", "rediss-cluster://h:6379/0"),
    ],
)
def test_url_is_understood(url: str, shown: str) -> None:
    """The URLs of redis-py and of asynq."""
    assert shown == str(RedisUrl.parse(url))


def test_password_of_a_url_is_decoded() -> None:
    """Percent signs stand for what a URL cannot hold."""
    url = RedisUrl.parse("redis://us%3Aer:p%40ss%2F@host")

    assert ("us:er", "p@ss/") == (url.username, url.password)


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("500ms", 0.5, "500ms"),
        ("10s", 10, "10s"),
        ("1m30s", 90, "1m30s"),
        ("0", 0, "0s"),
        ("1d", 86_400, "1d"),
    ],
)
def test_duration_is_read_and_shown_as_prometheus_does(text: str, seconds: float, shown: str) -> None:
    """Number and unit, the largest unit first."""
    assert seconds == parse_duration(text)
    assert shown == show_duration(seconds)


@pytest.mark.parametrize(("text", "seconds"), [("15", 15), ("15s", 15), ("2m", 120)])
def test_variables_of_the_guide_count_seconds(text: str, seconds: float) -> None:
    """TASK_POLL_INTERVAL is a bare number there; a unit is welcome."""
    assert seconds == resolve(environment={"TASK_POLL_INTERVAL": text}).settings.polling_interval_seconds


def test_variables_of_the_guide_are_those_of_polling() -> None:
    """Section 6.1: names and defaults."""
    defaults = resolve().settings
    given = resolve(
        environment={
            "ASYNQ_POLLING_ENABLED": "false",
            "UPDATE_TASK": "false",
            "ASYNQ_MIGRATE_EXISTING": "true",
        }
    ).settings

    assert (True, True, False, 15) == (
        defaults.polling_enabled,
        defaults.polling_fallback,
        defaults.polling_migrate_existing,
        defaults.polling_interval_seconds,
    )
    assert (False, False, True) == (
        given.polling_enabled,
        given.polling_fallback,
        given.polling_migrate_existing,
    )


def test_every_option_says_what_it_is() -> None:
    """Each has a sentence, a group and an environment name of its own."""
    environments = [option.environment for option in OPTIONS.values()]

    assert len(environments) == len(set(environments))
    assert all(o.sentence.endswith(".") and o.group for o in OPTIONS.values())
    assert {"ASYNQ_REDIS_URL", "ASYNQ_REDIS_DB", "ASYNQ_REDIS_PASSWORD_FILE"} < set(environments)
