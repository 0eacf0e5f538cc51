"""All checks applied to a case: what each says, how bad it is together, the exit code."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from asynq_exporter.doctor.case import Case
from asynq_exporter.doctor.checks import CHECKS, Check
from asynq_exporter.doctor.finding import SEVERITIES, Finding, Severity


class Status(StrEnum):
    """How a check ended."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"
    OK = "ok"
    #: What it needs could not be read.
    SKIPPED = "skipped"


#: Exit code by the worst finding; 1 and 2 stay those of a failed start and of wrong usage.
EXIT_CODES: Mapping[Status, int] = {Status.CRITICAL: 20, Status.WARNING: 10, Status.INFO: 0, Status.OK: 0}

#: The check that all others rest on.
REACHABLE = "redis-reachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a check said."""

    check: str
    status: Status
    findings: tuple[Finding, ...] = ()
    #: Part that could not be read, and why; empty when all could.
    missing: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What all checks said of a case."""

    case: Case
    outcomes: tuple[Outcome, ...]

    @property
    def findings(self) -> Sequence[tuple[str, Finding]]:
        """Check and finding, the worst first, else in the order of the checks."""
        found = [(outcome.check, finding) for outcome in self.outcomes for finding in outcome.findings]
        return sorted(found, key=lambda item: SEVERITIES.index(item[1].severity))

    @property
    def status(self) -> Status:
        """The worst of all; a check that could not look makes nothing worse."""
        worst = min((SEVERITIES.index(f.severity) for _, f in self.findings), default=None)
        return Status.OK if worst is None else Status(SEVERITIES[worst])

    @property
    def exit_code(self) -> int:
        """0, 10 or 20."""
        return EXIT_CODES[self.status]

    def count(self, severity: Severity) -> int:
        """Findings of a severity."""
        return sum(finding.severity is severity for _, finding in self.findings)

    def ended(self, status: Status) -> tuple[Outcome, ...]:
        """The checks that ended so."""
        return tuple(outcome for outcome in self.outcomes if outcome.status is status)


def examine(case: Case, *, only: Iterable[str] = ()) -> Report:
    """Applies the checks, or those of some names; that Redis does not answer is always said."""
    wanted = set(only)
    if wanted and not case.last.up:
        wanted.add(REACHABLE)
    return Report(
        case=case,
        outcomes=tuple(_outcome(check, case) for check in CHECKS if not wanted or check.name in wanted),
    )


def _outcome(check: Check, case: Case) -> Outcome:
    findings = tuple(check.find(case))
    missing = next((part for part in check.needs if part in case.unread), "")
    if findings:
        worst = min(findings, key=lambda finding: SEVERITIES.index(finding.severity))
        status = Status(worst.severity)
    else:
        # Nothing is known of a Redis that does not answer, but that it does not.
        blind = missing or (not case.last.up and check.name != REACHABLE)
        status = Status.SKIPPED if blind else Status.OK
    reason = case.unread.get(missing, "") if missing else case.last.error
    return Outcome(
        check=check.name,
        status=status,
        findings=findings,
        missing=missing,
        reason=reason if status is Status.SKIPPED else "",
    )
