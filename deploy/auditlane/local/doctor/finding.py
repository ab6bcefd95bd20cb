"""A finding of the doctor: one sentence about one check, and a fix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from auditlane.runtime.errors import AuditlaneError, Unavailable


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding. `part` is a component of the stack, or `host`.

    `unavailable` means that the part does not respond or is not ready. The check may then pass later without any
    change.
    """

    part: str
    level: Level
    message: str
    fix: str = ""
    unavailable: bool = False


def ok(part: str, message: str) -> Finding:
    return Finding(part, Level.OK, message)


def warn(part: str, message: str, fix: str = "") -> Finding:
    return Finding(part, Level.WARN, message, fix)


def fail(part: str, message: str, fix: str = "", *, unavailable: bool = False) -> Finding:
    return Finding(part, Level.FAIL, message, fix, unavailable)


def guarded(part: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield a check's findings.

    An AuditlaneError that ends the check becomes its last finding, so that the other components are still checked.
    """
    try:
        yield from check()
    except AuditlaneError as error:
        yield fail(part, error.message, error.fix, unavailable=isinstance(error, Unavailable))


def exit_code(findings: Iterable[Finding]) -> int:
    """Return the exit code: 0 if no check failed, 6 if all failures are of parts that do not respond or are not ready,
    and otherwise 1."""
    failed = [finding for finding in findings if finding.level is Level.FAIL]
    if not failed:
        return 0
    return 6 if all(finding.unavailable for finding in failed) else 1
