"""Puts words to findings, in English or Chinese; the words stand in `texts/`, a file for each noun."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from asynq_exporter.doctor import numbers, safe
from asynq_exporter.doctor.commands import Place, command
from asynq_exporter.doctor.finding import Finding, Value

LANGUAGES = ("en", "zh")

NOUNS = ("redis", "workers", "queues", "tasks", "schedulers", "data")

#: State whose tasks the commands of a check are about.
STATES = {
    "task-retries": "retry",
    "task-dead": "archived",
    "task-archive": "archived",
    "queue-backlog": "pending",
    "queue-latency": "pending",
}

RUNBOOKS = "alerts/runbooks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """A step, and the commands that take it."""

    text: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A finding in one language."""

    title: str
    evidence: tuple[str, ...]
    causes: tuple[str, ...]
    remedies: tuple[Remedy, ...]
    #: File of the repository that says more; None where no alert tells of it.
    runbook: str | None


class _MissingError(KeyError):
    """A value that is not known: what needs it is left unsaid."""


class _Values(dict[str, str]):
    def __missing__(self, key: str) -> str:
        raise _MissingError(key)


def words(check: str, finding: Finding, language: str, place: Place) -> Words:
    """What a finding of a check says."""
    message = texts()[check]["messages"][finding.message]
    values = _written(finding, language)
    known = {
        **finding.values,
        "queue": finding.queue,
        "state": finding.values.get("state") or STATES.get(check),
    }
    return Words(
        title=message["title"][language].format_map(values),
        evidence=tuple(_lines(message["evidence"], values, language)),
        causes=tuple(text[language].format_map(values) for text in _chosen(message, "cause", finding.causes)),
        remedies=tuple(
            Remedy(
                text=text[language].format_map(values),
                commands=tuple(filter(None, (command(name, place, known) for name in text.get("run", ())))),
            )
            for text in _chosen(message, "remedy", finding.remedies)
        ),
        runbook=_runbook(finding.alert, language),
    )


def check_title(check: str, language: str) -> str:
    """What is true when a check finds nothing."""
    title: str = texts()[check]["title"][language]
    return title


@cache
def texts() -> Mapping[str, Any]:
    """Check -> its title and messages."""
    return {check: text for noun in NOUNS for check, text in _load(noun).items()}


@cache
def common() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """What several messages share: evidence, cause, remedy by name."""
    return _load("common")


def phrase(name: str, language: str) -> str:
    """A word of the report itself."""
    text: str = _load("report")[name][language]
    return text


@cache
def _load(name: str) -> Mapping[str, Any]:
    loaded: dict[str, Any] = json.loads(files(__package__).joinpath(f"texts/{name}.json").read_text("utf-8"))
    return loaded


def _written(finding: Finding, language: str) -> _Values:
    values = _Values(
        {name: _text(name, value, language) for name, value in finding.values.items() if value is not None}
    )
    if finding.queue is not None:
        values["queue"] = safe.shown(finding.queue)
    return values


def _text(name: str, value: Value, language: str) -> str:
    return safe.shown(value) if isinstance(value, str) else numbers.written(name, float(value or 0), language)


def _lines(evidence: list[Any], values: _Values, language: str) -> Iterator[str]:
    for item in evidence:
        text = common()["evidence"][item] if isinstance(item, str) else item
        try:
            yield text[language].format_map(values)
        except _MissingError:
            continue


def _chosen(message: Mapping[str, Any], kind: str, names: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    for name in names or message[kind]:
        text = message[kind][name]
        yield common()[kind][text] if isinstance(text, str) else text


def _runbook(alert: str | None, language: str) -> str | None:
    if alert is None:
        return None
    return f"{RUNBOOKS}/{'zh/' if language == 'zh' else ''}{alert}.md"
