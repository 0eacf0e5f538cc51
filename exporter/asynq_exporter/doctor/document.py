"""The report for programs: JSON as `report.schema.json` describes it."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from asynq_exporter import __version__
from asynq_exporter.doctor import safe
from asynq_exporter.doctor.commands import Place
from asynq_exporter.doctor.finding import ErrorGroup, Finding, Severity, TaskLine, Value
from asynq_exporter.doctor.report import Report, Status
from asynq_exporter.doctor.wording import check_title, words

#: Raised when a field goes or changes its meaning; new fields may come at any time.
SCHEMA_VERSION = 1


def render(report: Report, place: Place, language: str) -> str:
    """The document as text."""
    return json.dumps(document(report, place, language), ensure_ascii=False, indent=2) + "\n"


def document(report: Report, place: Place, language: str) -> dict[str, Any]:
    """The document; moments are RFC 3339 in UTC, numbers carry their unit in their name."""
    first, last = report.case.first, report.case.last
    return {
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "at": _moment(last.at_seconds),
        "redis": safe.shown(place.redis_url),
        "language": language,
        "seconds_between_scans": None if first is None else round(last.at_seconds - first.at_seconds, 3),
        "status": str(report.status),
        "exit_code": report.exit_code,
        "summary": {
            **{str(severity): report.count(severity) for severity in Severity},
            **{str(status): len(report.ended(status)) for status in (Status.OK, Status.SKIPPED)},
        },
        "findings": [_finding(check, finding, place, language) for check, finding in report.findings],
        "checks": [
            {
                "check": outcome.check,
                "status": str(outcome.status),
                "title": check_title(outcome.check, language),
                "reason": safe.shown(outcome.reason) or None,
            }
            for outcome in report.outcomes
        ],
    }


def schema() -> dict[str, Any]:
    """The JSON Schema of the document."""
    loaded: dict[str, Any] = json.loads(files(__package__).joinpath("report.schema.json").read_text("utf-8"))
    return loaded


def _finding(check: str, finding: Finding, place: Place, language: str) -> dict[str, Any]:
    said = words(check, finding, language, place)
    return {
        "check": check,
        "id": f"{check}.{finding.message}",
        "severity": str(finding.severity),
        "queue": None if finding.queue is None else safe.shown(finding.queue),
        "title": said.title,
        "values": {name: _value(value) for name, value in finding.values.items() if value is not None},
        "evidence": list(said.evidence),
        "errors": [_error(group) for group in finding.errors],
        "types": [{"type": safe.shown(name), "count": count} for name, count in finding.types.items()],
        "tasks": [_task(task) for task in finding.tasks],
        "causes": list(said.causes),
        "remedies": [{"text": remedy.text, "commands": list(remedy.commands)} for remedy in said.remedies],
        "alert": finding.alert,
        "runbook": said.runbook,
    }


def _error(group: ErrorGroup) -> dict[str, Any]:
    moment = group.last_failed_at_seconds
    return {
        "message": group.message,
        "count": group.count,
        "task_id": safe.shown(group.task_id),
        "task_type": safe.shown(group.task_type),
        "last_failed_at": _moment(moment) if moment else None,
    }


def _task(task: TaskLine) -> dict[str, Any]:
    return {name: _value(value) for name, value in asdict(task).items()}


def _value(value: Value) -> Value:
    if isinstance(value, str):
        return safe.shown(value)
    return round(value, 3) if isinstance(value, float) else value


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
