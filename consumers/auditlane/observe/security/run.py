"""Makes all checks of an installation, within a time limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from auditlane.observe.security.catalogue import CHECKS
from auditlane.observe.security.check import Check
from auditlane.observe.security.facts import Facts, gathered
from auditlane.observe.security.findings import Finding, Gap, NotMade, Report
from auditlane.runtime.errors import AuditlaneError, Forbidden, StoreRefused
from auditlane.runtime.log import get
from auditlane.runtime.settings import Settings

LIMIT_S: Final = 120.0


def examine(settings: Settings, *, now: datetime, role: str, limit_s: float = LIMIT_S) -> Report:
    """Return the report on the installation described by the settings.

    `role` is the role of the ClickHouse account, `query` or `init`. After `limit_s` seconds, no further check is
    started, and the remaining checks are reported as not made.
    """
    deadline = time.monotonic() + limit_s
    with gathered(settings, now=now, role=role) as facts:
        return judge(facts, is_over=lambda: time.monotonic() >= deadline)


def judge(facts: Facts, *, checks: Sequence[Check] = CHECKS, is_over: Callable[[], bool] = lambda: False) -> Report:
    """Make the checks. A check that fails is reported as not made, and does not stop the others."""
    findings: list[Finding] = []
    not_made: list[NotMade] = []
    for check in checks:
        if is_over():
            not_made.append(NotMade(check.name, "The time limit had passed.", "Repair the parts that do not respond."))
            continue
        try:
            for item in check.make(facts):
                if isinstance(item, Gap):
                    not_made.append(NotMade(check.name, item.reason, item.needs or check.needs))
                else:
                    findings.append(item)
        except (Forbidden, StoreRefused) as error:
            not_made.append(NotMade(check.name, error.message, check.needs or error.fix))
        except AuditlaneError as error:
            not_made.append(NotMade(check.name, error.message, error.fix or check.needs))
        except Exception as error:
            get("security").exception("security_check.defect", check=check.name)
            reason = f"It ended with an internal error: {type(error).__name__}: {error}"
            not_made.append(NotMade(check.name, reason, "Report the error with the log."))
    return Report.of([check.name for check in checks], findings, not_made)
