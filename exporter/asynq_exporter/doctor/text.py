"""The report for people: the worst first, 80 to 120 columns, with or without colour."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from asynq_exporter.doctor import numbers, safe
from asynq_exporter.doctor.commands import Place
from asynq_exporter.doctor.finding import ErrorGroup, Finding, Severity, TaskLine
from asynq_exporter.doctor.layout import cut, pad, width, wrap
from asynq_exporter.doctor.report import Report, Status
from asynq_exporter.doctor.wording import Words, check_title, phrase, words

NARROW, WIDE = 80, 120

#: Width of the words on the left, such as `Evidence`.
LABEL = 11

#: Findings of one kind that are shown, and further queues that are named.
SHOWN_FINDINGS = 5
SHOWN_QUEUES = 20

_COLOURS: Mapping[str, str] = {
    "critical": "1;31",
    "warning": "1;33",
    "info": "1;36",
    "ok": "32",
    "skipped": "33",
    "title": "1",
    "faint": "2",
    "command": "36",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How the report is to look."""

    language: str
    columns: int
    colour: bool

    def paint(self, name: str, text: str) -> str:
        """A text in a colour, if there are any."""
        return f"\x1b[{_COLOURS[name]}m{text}\x1b[0m" if self.colour and text else text

    def label(self, name: str) -> str:
        """A word for the left column."""
        return pad(f"  {phrase(name, self.language)}", LABEL + 2)


def columns(terminal: int) -> int:
    """How wide the report gets on a terminal."""
    return min(max(terminal, NARROW), WIDE)


def render(report: Report, place: Place, style: Style) -> str:
    """The whole report, ending with a line that sums it up."""
    lines = [*_head(report, place, style), ""]
    lines += _findings(report, place, style)
    lines += _others(report, style)
    lines += _summary(report, place, style)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _head(report: Report, place: Place, style: Style) -> Iterator[str]:
    last = report.case.last
    moment = datetime.fromtimestamp(last.at_seconds, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    parts = ("asynq-exporter doctor", safe.shown(place.redis_url), moment, _scans(report, style.language))
    for line in wrap(" · ".join(parts), style.columns):
        yield style.paint("faint", line)
    if last.up:
        for line in wrap(phrase("system", style.language).format_map(_system(report)), style.columns):
            yield style.paint("faint", line)


def _scans(report: Report, language: str) -> str:
    first, last = report.case.first, report.case.last
    if not last.up:
        return phrase("no_scan", language)
    if first is None:
        return phrase("one_scan", language)
    seconds = numbers.duration(last.at_seconds - first.at_seconds, language)
    return phrase("two_scans", language).format(seconds=seconds)


def _system(report: Report) -> dict[str, str]:
    last = report.case.last
    values: dict[str, int] = {
        "workers": len(last.servers),
        "busy": sum(server.busy for server in last.servers),
        "slots": sum(server.concurrency for server in last.servers),
        "queues": len(last.queues.names),
    }
    for state in ("pending", "active", "retry", "archived"):
        values[state] = sum(int(count or 0) for count in getattr(last.queues, state))
    return {name: f"{value:,}" for name, value in values.items()}


def _findings(report: Report, place: Place, style: Style) -> Iterator[str]:
    """The findings; many of one kind are shown in part, and what was said before is not said again."""
    kinds = Counter((check, finding.message, finding.severity) for check, finding in report.findings)
    seen: Counter[tuple[str, str, Severity]] = Counter()
    before: set[tuple[str, ...]] = set()
    for check, finding in report.findings:
        kind = (check, finding.message, finding.severity)
        seen[kind] += 1
        if seen[kind] > SHOWN_FINDINGS:
            continue
        said = words(check, finding, style.language, place)
        yield from _title(phrase(str(finding.severity), style.language), said.title, check, style, finding)
        yield from _evidence(finding, said, style)
        for name, lines in (("cause", _causes(said, style)), ("remedy", _remedies(said, style))):
            told = (check, name, *lines)
            yield from (
                lines if told not in before else [style.label(name) + phrase("as_above", style.language)]
            )
            before.add(told)
        if said.runbook:
            yield style.label("runbook") + said.runbook
        yield ""
        if seen[kind] == SHOWN_FINDINGS < kinds[kind]:
            yield from _more(report, kind, style)


def _more(report: Report, kind: tuple[str, str, Severity], style: Style) -> Iterator[str]:
    """The queues of findings that are not shown one by one."""
    same = [f.queue or "" for check, f in report.findings if (check, f.message, f.severity) == kind]
    rest = [safe.shown(queue) for queue in same[SHOWN_FINDINGS:]]
    text = phrase("more", style.language).format(count=len(rest), queues=", ".join(rest[:SHOWN_QUEUES]))
    indent = " " * (LABEL + 2)
    for line in wrap(text + ("…" if len(rest) > SHOWN_QUEUES else ""), style.columns - len(indent)):
        yield indent + line
    yield ""


def _evidence(finding: Finding, said: Words, style: Style) -> Iterator[str]:
    yield from _paragraphs("evidence", said.evidence, style)
    yield from _block("errors", [line for group in finding.errors for line in _error(group, style)], style)
    yield from _block("types", _types(finding, style), style)
    yield from _block("tasks", [line for task in finding.tasks for line in _task(task, style)], style)


def _causes(said: Words, style: Style) -> list[str]:
    return list(_paragraphs("cause", said.causes, style))


def _remedies(said: Words, style: Style) -> list[str]:
    lines, label = [], style.label("remedy")
    for number, remedy in enumerate(said.remedies, start=1):
        head = f"{number}. " if len(said.remedies) > 1 else ""
        ending = phrase("colon", style.language) if remedy.commands and remedy.text[-1] not in "?？" else ""
        for line in wrap(head + remedy.text + ending, style.columns - width(label)):
            lines.append(label + line)
            label = " " * width(label)
        for command in remedy.commands:
            lines += _command(command, style)
    return lines


def _command(command: str, style: Style) -> Iterator[str]:
    """The lines of a command far to the left, so that they are not broken; a continued one is no new one."""
    prompt = "$ "
    for line in command.splitlines():
        yield "    " + style.paint("command", prompt + line)
        prompt = "  " if line.endswith("\\") else "$ "


def _title(word: str, title: str, check: str, style: Style, finding: Finding) -> Iterator[str]:
    head = pad(word, LABEL + 2)
    room = style.columns - width(head)
    lines = wrap(title, room)
    spare = room - width(lines[-1]) - len(check)
    for index, line in enumerate(lines):
        text = style.paint(str(finding.severity), head) if index == 0 else " " * width(head)
        text += style.paint("title", line)
        if index == len(lines) - 1 and spare >= 2:
            text += " " * spare + style.paint("faint", check)
        yield text
    if spare < 2:
        yield " " * (style.columns - len(check)) + style.paint("faint", check)


def _paragraphs(name: str, texts: tuple[str, ...], style: Style) -> Iterator[str]:
    indent = width(style.label(name))
    yield from _block(name, [line for text in texts for line in wrap(text, style.columns - indent)], style)


def _block(name: str, lines: list[str], style: Style) -> Iterator[str]:
    label = style.label(name)
    for line in lines:
        yield label + line
        label = " " * width(label)


def _error(group: ErrorGroup, style: Style) -> Iterator[str]:
    room = style.columns - LABEL - 2
    head = f"{group.count:>5,} × "
    for line in wrap(group.message, room - len(head)):
        yield head + line
        head = " " * len(head)
    example = (
        f"{phrase('example', style.language)} {safe.shown(group.task_id)} ({safe.shown(group.task_type)})"
    )
    yield head + style.paint("faint", cut(example, room - len(head)))


def _types(finding: Finding, style: Style) -> list[str]:
    text = ", ".join(f"{safe.shown(name)} {count:,}" for name, count in finding.types.items())
    return wrap(text, style.columns - LABEL - 2) if text else []


def _task(task: TaskLine, style: Style) -> Iterator[str]:
    parts = [f"{safe.shown(task.task_id)} ({safe.shown(task.task_type)})"]
    for name, seconds in (("runs_for", task.running_seconds), ("over_by", task.overdue_seconds)):
        if seconds is not None:
            written = numbers.duration(seconds, style.language)
            parts.append(phrase(name, style.language).format(seconds=written))
    if task.worker:
        parts.append(safe.shown(task.worker))
    yield from wrap(" · ".join(parts), style.columns - LABEL - 2)


def _others(report: Report, style: Style) -> Iterator[str]:
    for status in (Status.OK, Status.SKIPPED):
        ended = report.ended(status)
        if not ended:
            continue
        head = pad(phrase(str(status), style.language), LABEL + 2)
        if status is Status.OK:
            lines = wrap(", ".join(outcome.check for outcome in ended), style.columns - width(head))
        else:
            lines = [
                line for text in _reasons(report, style) for line in wrap(text, style.columns - width(head))
            ]
        for index, line in enumerate(lines):
            yield (style.paint(str(status), head) if index == 0 else " " * width(head)) + line
        yield ""


def _reasons(report: Report, style: Style) -> Iterator[str]:
    """The checks that could not look, those with the same reason together."""
    if not report.case.last.up:
        yield phrase("the_others", style.language).format(count=len(report.ended(Status.SKIPPED)))
        return
    by_reason: dict[str, list[str]] = {}
    for outcome in report.ended(Status.SKIPPED):
        reason = phrase("second scan", style.language) if outcome.missing == "second scan" else outcome.reason
        by_reason.setdefault(safe.shown(reason), []).append(outcome.check)
    for reason, checks in by_reason.items():
        yield f"{', '.join(checks)}: {reason}"


def _summary(report: Report, place: Place, style: Style) -> Iterator[str]:
    counts = {str(severity): report.count(severity) for severity in Severity}
    counts |= {str(s): len(report.ended(s)) for s in (Status.OK, Status.SKIPPED)}
    counts["checks"] = len(report.outcomes)
    calm = report.status in {Status.OK, Status.INFO} and counts["ok"]
    line = phrase("healthy" if calm else "summary", style.language).format_map(counts)
    if not calm and report.findings:
        check, finding = report.findings[0]
        title = words(check, finding, style.language, place).title
        yield from wrap(phrase("first", style.language).format(title=title), style.columns)
    yield style.paint(str(report.status), line)


def titles(language: str, names: tuple[str, ...]) -> str:
    """The checks with what each makes sure of."""
    room = max(map(len, names)) + 2
    return "".join(f"{pad(name, room)}{check_title(name, language)}\n" for name in names)
