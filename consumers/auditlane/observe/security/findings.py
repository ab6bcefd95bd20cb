"""The result of the security check: findings by severity, and checks that were not made. Performs no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """The severities, worst first."""

    critical = "critical"
    high = "high"
    medium = "medium"
    low = "low"
    info = "info"

    @property
    def rank(self) -> int:
        """The position of the severity. The worst has position 0."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """A weakness of the installation: what was found, why it matters, and the fix, as an imperative."""

    code: str
    severity: Severity
    what: str
    why: str
    fix: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of finding. Its `code` is stable."""

    code: str
    severity: Severity
    why: str
    fix: str

    def found(self, what: str, fix: str = "") -> Finding:
        """Return a finding under this rule. `fix` replaces the rule's more general fix."""
        return Finding(self.code, self.severity, what, self.why, fix or self.fix)


@dataclass(frozen=True, slots=True)
class Gap:
    """A question that a check could not answer, and the `reason`. `needs` is the missing requirement, or "" if it is
    the check's own.
    """

    reason: str
    needs: str = ""


@dataclass(frozen=True, slots=True)
class NotMade:
    """A check that was not made or not completed. `needs` states its requirements."""

    check: str
    reason: str
    needs: str


@dataclass(frozen=True, slots=True)
class Report:
    """The findings, worst first, and the checks that were not made. `checks` contains the names of all checks."""

    checks: tuple[str, ...]
    findings: tuple[Finding, ...]
    not_made: tuple[NotMade, ...]

    @classmethod
    def of(cls, checks: Sequence[str], findings: Sequence[Finding], not_made: Sequence[NotMade]) -> Report:
        """Rank the findings by severity. Within a severity, they keep the order of their checks."""
        ranked = sorted(dict.fromkeys(findings), key=lambda finding: finding.severity.rank)
        return cls(tuple(checks), tuple(ranked), tuple(dict.fromkeys(not_made)))

    def at_least(self, severity: Severity) -> list[Finding]:
        """Return the findings of at least this severity."""
        return [finding for finding in self.findings if finding.severity.rank <= severity.rank]

    @property
    def worst(self) -> Severity | None:
        """The severity of the worst finding, or None if there are no findings."""
        return self.findings[0].severity if self.findings else None

    @property
    def codes(self) -> tuple[str, ...]:
        """The distinct codes of the findings, worst first."""
        return tuple(dict.fromkeys(finding.code for finding in self.findings))

    def document(self) -> dict[str, Any]:
        """Return the report as a JSON document."""
        return {
            "findings": [asdict(finding) for finding in self.findings],
            "not_made": [asdict(gap) for gap in self.not_made],
            "checks": list(self.checks),
        }
