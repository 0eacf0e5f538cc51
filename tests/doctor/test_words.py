"""What the doctor says: both languages alike, commands that a shell takes, nothing that must not be shown."""

import json
import re
import shlex
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asynq_exporter.doctor import commands, numbers, safe
from asynq_exporter.doctor.commands import Place, command
from asynq_exporter.doctor.finding import Finding, Severity
from asynq_exporter.doctor.report import examine
from asynq_exporter.doctor.sample import SeenTask
from asynq_exporter.doctor.wording import LANGUAGES, NOUNS, common, texts, words
from tests.doctor.table import TABLE

ROOT = Path(__file__).parents[2]

PLACE = Place(redis_url="redis://h:6379/0")


def pairs(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, str]]]:
    """Every sentence in two languages below a node, with where it stands."""
    if isinstance(node, dict) and "en" in node:
        yield path, node
    elif isinstance(node, dict):
        for name, child in node.items():
            yield from pairs(child, f"{path}.{name}")
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from pairs(child, f"{path}.{index}")


def fields(text: str) -> set[str]:
    """The placeholders of a sentence."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def sentences() -> dict[str, dict[str, str]]:
    """All of them."""
    return dict([*pairs(texts()), *pairs(common(), "common")])


def test_both_languages_say_the_same() -> None:
    """Each sentence exists in both, names the same values, and the Chinese one is Chinese."""
    for path, pair in sentences().items():
        assert fields(pair["en"]) == fields(pair["zh"]), path
        assert re.search("[\u4e00-\u9fff]", pair["zh"]), path
        assert not re.search("[\u4e00-\u9fff]", pair["en"]), path


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", TABLE)
def test_every_finding_has_its_words(name: str, language: str) -> None:
    """Title, evidence, a cause, a remedy, a runbook that exists; no value is missing."""
    made, _, _ = TABLE[name]
    check, _, message = name.partition(".")
    for found, finding in examine(made, only=[check]).findings:
        said = words(found, finding, language, PLACE)
        assert said.title
        assert said.evidence
        assert said.causes
        assert said.remedies
        if finding.alert:
            assert said.runbook is not None
            assert (ROOT / said.runbook).is_file(), said.runbook
    assert message in {finding.message for _, finding in examine(made, only=[check]).findings}


def test_commands_are_used_and_exist() -> None:
    """No remedy names a command that is none, and no command is left over."""
    used = {
        name
        for text in [*texts().values(), {"messages": {"common": {"remedy": common()["remedy"]}}}]
        for message in text["messages"].values()
        for remedy in message["remedy"].values()
        if isinstance(remedy, dict)
        for name in remedy.get("run", ())
    }

    assert used == set(commands.templates())


@pytest.mark.parametrize("name", commands.templates())
def test_hostile_names_stay_arguments(name: str) -> None:
    """A queue or task that is called like a command is quoted, in a shell and in JSON."""
    evil = "job:a'; rm -rf / #\"$(id)`id`:0"
    made = command(name, PLACE, {"queue": evil, "task_id": evil, "key": evil, "state": "retry"})
    assert made is not None
    split = shlex.split(made.replace("\\\n", " "), comments=True)

    assert not {"rm", "id"} & set(split)
    for word in split:
        if word.startswith("{"):
            assert set(json.loads(word).values()) <= {evil, evil[4:-2]}


def test_command_without_its_task_is_left_out() -> None:
    """There is no such thing as an example of nothing."""
    assert command("api_retry", PLACE, {"queue": "q"}) is None


@pytest.mark.parametrize(
    ("url", "redis_cli", "asynq"),
    [
        ("redis://127.0.0.1:6379/0", "redis-cli -u redis://127.0.0.1:6379/0", "asynq"),
        ("redis://***@h:7000/3", "redis-cli -u redis://h:7000/3 --askpass", "asynq -u h:7000 -n 3"),
        ("unix:///run/r%20s.sock?db=2", "redis-cli -s '/run/r s.sock' -n 2", "asynq"),
    ],
)
def test_commands_go_where_redis_is(url: str, redis_cli: str, asynq: str) -> None:
    """The same Redis, without a password on any command line."""
    assert (redis_cli, asynq) == (Place(redis_url=url).redis_cli, Place(redis_url=url).asynq)


@pytest.mark.parametrize(
    ("error", "signature"),
    [
        ("dial tcp 10.0.0.7:6379: i/o timeout", "dial tcp <ip>:<n>: i/o timeout"),
        ("task 42 of 7 failed after 3.5s", "task <n> of <n> failed after <n>s"),
        ("user 6fd5e4a0-0000-4000-8000-000000000001 not found", "user <uuid> not found"),
        ("job:task_abc:3 is gone", "<job> is gone"),
        ("at 2026-01-22T10:30:00.123Z: late", "at <time>: late"),
        ("object 0xC0ffee at deadbeef99", "object <id> at <id>"),
        ("order_20260101 in http2 sha256", "order_<n> in http2 sha256"),
        ("key AKIA1234567890ABCDEF denied", "key <id> denied"),
        ("a\n  b\tc", "a b c"),
    ],
)
def test_errors_that_say_the_same_look_the_same(error: str, signature: str) -> None:
    """Numbers, times, addresses and identifiers are left out; words stay."""
    assert signature == safe.signature(error)


@pytest.mark.parametrize(
    "text",
    [
        "redis://anna:hunter2@host:6379/0 refused",
        "https://api/x?token=hunter2&a=1",
        'POST: {"password": "hunter2"}',
        "Authorization: Bearer hunter2hunter2",
        "bad api_key=hunter2, sorry",
        "postgres://u:p/hunter2@h/db",
    ],
)
def test_secrets_are_not_shown(text: str) -> None:
    """In an error, in a queue name, anywhere."""
    assert "hunter2" not in safe.shown(text)
    assert "hunter2" not in safe.signature(text)


def test_control_characters_are_spelled_out() -> None:
    """Nobody moves the cursor of the operator, nor begins a line of his own."""
    assert r"red \x1b[31m" == safe.shown("red \x1b[31m")
    assert r"\u202egnp" == safe.shown("\u202egnp")


def test_long_error_is_cut() -> None:
    """A stack trace is not a title."""
    assert safe.MAX_CHARACTERS == len(safe.signature("word " * 1000))


def test_errors_are_grouped() -> None:
    """The most frequent first, with the task that failed last."""
    tasks = [
        SeenTask(task_id=f"{n}", task_type="mail", error=f"code {n}", last_failed_at_seconds=n)
        for n in (1, 3, 2)
    ]
    other = SeenTask(task_id="x", task_type="y", error="another")
    groups = safe.grouped([other, *tasks, SeenTask(task_id="fine")])

    assert [("code <n>", 3, "3"), ("another", 1, "x")] == [(g.message, g.count, g.task_id) for g in groups]


@pytest.mark.parametrize(
    ("name", "value", "en", "zh"),
    [
        ("oldest_seconds", 0, "0 s", "0 秒"),
        ("oldest_seconds", 0.25, "250 ms", "250 毫秒"),
        ("oldest_seconds", 2.0, "2 s", "2 秒"),
        ("oldest_seconds", 3_661, "1 h 1 min", "1 小时 1 分"),
        ("seconds", 86_400, "1 d", "1 天"),
        ("used_bytes", 1_536, "1.5 KiB", "1.5 KiB"),
        ("used_ratio", 0.955, "96 %", "96 %"),
        ("used_ratio", 0.021, "2.1 %", "2.1 %"),
        ("in_per_second", 1.5, "1.5/s", "1.5/秒"),
        ("in_per_second", 1_234.4, "1,234/s", "1,234/秒"),
        ("pending", 12_345, "12,345", "12,345"),
    ],
)
def test_numbers_are_written_for_people(name: str, value: float, en: str, zh: str) -> None:
    """By the unit in their name."""
    assert (en, zh) == (numbers.written(name, value, "en"), numbers.written(name, value, "zh"))


def test_unknown_number_is_left_unsaid() -> None:
    """A line of evidence whose number is not known is not there, rather than a lie."""
    finding = Finding(severity=Severity.WARNING, message="waiting", queue="q", values={"pending": 3})

    assert ("Pending tasks 3",) == words("queue-paused", finding, "en", PLACE).evidence


def test_each_noun_has_its_file() -> None:
    """Words of a check stand beside those of its noun."""
    folder = ROOT / "exporter/asynq_exporter/doctor"

    assert set(NOUNS) == {path.stem for path in (folder / "checks").glob("[a-z]*.py")}
    texts_of = {path.stem for path in (folder / "texts").glob("*")}
    assert set(NOUNS) | {"commands", "common", "report"} == texts_of
