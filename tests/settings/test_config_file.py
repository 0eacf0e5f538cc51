"""The config file: options under the keys of their flags, own queues, and mistakes by line and field."""

from pathlib import Path

import pytest

from asynq_exporter.core.catalog import documented
from asynq_exporter.settings import SettingsError, config_file, resolve
from asynq_exporter.settings.yaml_document import MAX_BYTES

FULL = """\
redis:
  url: redis://redis.internal:6380/2
  password-file: secret
queues:
  exclude: ["test-.*", scratch]
  max: 50
  profiles:
    emails:
      weight: 6
      purpose: {en: mail, zh: 邮件}
      thresholds:
        pending: {info: 100, warning: 1000, critical: 2000}
    payments:
      capacity: 7
      purpose: money
      thresholds:
        archived: {info: 0}
backpressure: {warning: 0.5}
"""


def write(folder: Path, text: str | bytes) -> Path:
    """A config file of a content."""
    path = folder / "config.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_full_file_gives_options_and_catalogue(tmp_path: Path) -> None:
    """Options under the keys of their flags, paths relative to the file, own queues in place of the six."""
    loaded = config_file.load(write(tmp_path, FULL))
    settings = resolve(file=loaded.options).settings

    assert "redis://redis.internal:6380/2" == str(settings.redis_url)
    assert tmp_path / "secret" == settings.redis_password_file
    assert (50, 2) == (settings.queues_max, len(settings.queues_exclude))
    queues = loaded.catalog.queues
    assert ["emails", "payments"] == list(queues)
    assert (6, 20_000) == (queues["emails"].weight, queues["emails"].capacity)
    assert {"en": "mail", "zh": "邮件"} == queues["emails"].purpose
    assert {"archived": {"info": 0}} == queues["payments"].thresholds
    assert {"en": "money", "zh": "money"} == queues["payments"].purpose
    assert (0.5, 0.9) == (loaded.catalog.backpressure.warning, loaded.catalog.backpressure.critical)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "redis:\n", "queues: {}\n"])
def test_empty_file_changes_nothing(tmp_path: Path, text: str) -> None:
    """Without profiles the documented queues stay."""
    loaded = config_file.load(write(tmp_path, text))

    assert ({}, documented().queues) == (loaded.options, loaded.catalog.queues)


PROFILE = "queues:\n  profiles:\n    emails:\n"
PENDING = "queues.profiles.emails.thresholds.pending"

#: Text, line, field, words of the sentence.
MISTAKES = [
    ("redis:\n  urll: a\n", 2, "redis.urll", "did you mean"),
    ("rediss: {}\n", 1, "rediss", "unknown key"),
    ("redis: text\n", 1, "redis", "section"),
    ("redis:\n  url: nonsense\n", 2, "redis.url", "not a Redis URL"),
    ("queues:\n  max: [1]\n", 2, "queues.max", "not a list"),
    ("queues:\n  max:\n    a: 1\n", 2, "queues.max", "not a section"),
    ("queues:\n  max:\n", 2, "queues.max", "no value"),
    ("queues:\n  max: 1\n  max: 2\n", 3, "queues.max", "twice"),
    ("config: {file: x}\n", 1, "config", "unknown"),
    ("log: {}\nredis.url: redis://h\n", 2, "redis.url", "write url below the section redis"),
    ("queues.max: many\n", 1, "queues.max", "below the section"),
    ("log:\n  level: [info]\n  format: xml\n", 2, "log.level", "(and 1 more)"),
    (PROFILE + "      thresholds:\n        pending: {info: -1}\n", 5, PENDING + ".info", "0 or more"),
    (PROFILE + "      thresholds:\n        pending: {warning: 1.5}\n", 5, PENDING + ".warning", "whole"),
    (PROFILE + "      capacity: 0\n", 4, "queues.profiles.emails.capacity", "1 or more"),
    (PROFILE + "      purpose: [a]\n", 4, "queues.profiles.emails.purpose", "section"),
    ("backpressure: {warning: nan}\n", 1, "backpressure.warning", "nan"),
    ("a: 1\n---\nb: 2\n", 2, "", "another document"),
    ("? [a]\n: b\n", 1, "", "plain text"),
    (PROFILE + "      weigth: 1\n", 4, "queues.profiles.emails.weigth", "did you mean weight"),
    (PROFILE + "      weight: 0\n", 4, "queues.profiles.emails.weight", "1 or more"),
    (PROFILE + "      weight: x\n", 4, "queues.profiles.emails.weight", "whole number"),
    (PROFILE + "      weight: 1\n", 3, "queues.profiles.emails", "give a capacity"),
    (
        PROFILE + "      thresholds:\n        pending:\n          info: 5\n          warning: 5\n",
        7,
        "queues.profiles.emails.thresholds.pending.warning",
        "greater than info (5)",
    ),
    (
        PROFILE + "      thresholds:\n        active: {info: 5}\n",
        5,
        "queues.profiles.emails.thresholds.active",
        "unknown key",
    ),
    ("queues:\n  profiles: [a]\n", 2, "queues.profiles", "key for each queue"),
    ("backpressure:\n  warning: 0.9\n  critical: 0.8\n", 3, "backpressure.critical", "greater than warning"),
    ("backpressure: {warning: 2}\n", 1, "backpressure.warning", "1.0 or less"),
    ("a: [\n", 2, "", "not valid YAML"),
    ("a: &x 1\nb: *x\n", 1, "", "anchors"),
    ("redis: !!python/object 1\n", 1, "redis", "tag"),
    ("- a\n- b\n", 1, "", "sections and keys"),
    ("a: \x01\n", 1, "", "control character"),
]


@pytest.mark.parametrize(("text", "line", "field", "words"), MISTAKES)
def test_mistake_is_named_by_line_and_field(
    tmp_path: Path, text: str, line: int, field: str, words: str
) -> None:
    """One line: file, line, key, and what is wrong."""
    path = write(tmp_path, text)

    with pytest.raises(SettingsError) as caught:
        config_file.load(path)

    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: {field}")
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: \xff\xfe\n", "not UTF-8"),
        (b"#" * (MAX_BYTES + 1), "larger than"),
        (b"a: " + b"[" * 10_000, "nested"),
    ],
    ids=["binary", "huge", "deep"],
)
def test_strange_file_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    """What is no config file at all is refused quickly and said so."""
    with pytest.raises(SettingsError, match=words):
        config_file.load(write(tmp_path, content))


def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    """A folder, or nothing, instead of a file."""
    with pytest.raises(SettingsError, match="Is a directory"):
        config_file.load(tmp_path)
    with pytest.raises(SettingsError, match="No such file"):
        config_file.load(tmp_path / "missing.yml")


def test_all_mistakes_are_counted(tmp_path: Path) -> None:
    """The first stands for all, with their number; each is kept for who wants them."""
    with pytest.raises(SettingsError) as caught:
        config_file.load(write(tmp_path, "a: 1\nb: 2\nc: 3\n"))

    assert "(and 2 more)" in str(caught.value)
    assert 3 == len(caught.value.problems)
