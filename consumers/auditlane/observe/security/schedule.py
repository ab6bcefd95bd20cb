"""Repeats the security check within `serve`, once per installation and time slot, regardless of the number of
processes.

Time is divided into slots of AUDITLANE_SECURITY_CHECK_EVERY_H hours since 1970. In each slot, every process claims the
check in ClickHouse, and the one that succeeds makes it. That process then claims the result, which is the event
`security.checked` in auditlane's own audit trail. If it has not claimed the result within TAKEOVER_S, because it ended
or failed, another process claims the result and makes the check again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from auditlane.access.audit import Action, AuditRecord, AuditSink
from auditlane.contract.event import SeverityName
from auditlane.observe.security.findings import Report, Severity
from auditlane.observe.security.run import examine
from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.log import auditlane_version, get
from auditlane.runtime.settings import Settings

ROLE: Final = "query"  # the role of `serve`'s ClickHouse account
_DELAY_S: Final = 60.0  # delay before the first check, so that it does not slow down the start
_RETRY_S: Final = 60.0  # delay between tries while ClickHouse cannot decide a claim
TAKEOVER_S: Final = 600.0  # several times the duration of a check
_CLOSE_S: Final = 1.0
_SEVERITIES: Final[dict[Severity, SeverityName]] = {
    Severity.critical: "Critical",
    Severity.high: "High",
    Severity.medium: "Medium",
    Severity.low: "Low",
    Severity.info: "Info",
}


class Claims(Protocol):
    """Claims of names, which all processes share."""

    def claim(self, name: str, /, *, until: datetime, now: datetime) -> bool:
        """Return True at most once per name, across all processes. Raises StoreUnavailable or StoreRefused."""
        ...


@dataclass(frozen=True, slots=True)
class Slot:
    """A time slot."""

    start: datetime
    end: datetime

    @classmethod
    def at(cls, now: datetime, every: timedelta) -> Slot:
        """Return the slot of length `every` that contains `now`. Slots are counted from 1970."""
        epoch = datetime.fromtimestamp(0, UTC)
        start = epoch + (now - epoch) // every * every
        return cls(start, start + every)

    @property
    def name(self) -> str:
        """The name under which processes claim the check of this slot."""
        return f"security-check:{self.start:%Y-%m-%dT%H:%MZ}/{(self.end - self.start) // timedelta(hours=1)}h"

    @property
    def result(self) -> str:
        """The name under which processes claim the result of this slot's check."""
        return f"{self.name}/result"


class SecuritySchedule:
    """Makes the check in a separate thread. Errors do not end the thread. `close` does not wait for it."""

    def __init__(
        self,
        settings: Settings,
        claims: Claims,
        sink: AuditSink,
        *,
        delay_s: float = _DELAY_S,
        check: Callable[[Settings, datetime], Report] = lambda settings, now: examine(settings, now=now, role=ROLE),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._claims = claims
        self._sink = sink
        self._check = check
        self._clock = clock
        self._delay_s = delay_s
        self._every = timedelta(hours=settings.security_check_every_h)
        self._watched: Slot | None = None  # the slot whose check another process has claimed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="auditlane-security-check", daemon=True)

    def start(self) -> None:
        """Start the thread, unless the check is switched off."""
        if self._every:
            self._thread.start()

    def close(self) -> None:
        """Stop repeating the check. A check that is in progress is abandoned."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        wait_s = self._delay_s
        while not self._stopping.wait(wait_s):
            try:
                wait_s = self.make_if_due()
            except Exception:  # a bug here must not disturb serving
                get("security").exception("security_check.failed")
                wait_s = _RETRY_S

    def make_if_due(self) -> float:
        """Claim the check of the current slot, and make it if the claim succeeds. Returns the number of seconds until
        the next attempt.
        """
        now = self._clock()
        slot = Slot.at(now, self._every)
        takes_over = slot == self._watched
        try:
            claimed = self._claims.claim(slot.result if takes_over else slot.name, until=slot.end, now=now)
        except AuditlaneError as error:
            get("security").warning("security_check.waits", problem=error.message)
            return _RETRY_S
        self._watched = None if claimed or takes_over else slot
        if claimed:
            report = self._check(self._settings, now)
            if not self._stopping.is_set() and (takes_over or self._claims_result(slot)):
                record = record_of(report, installation=self._settings.clickhouse_database)
                get("security").info("security_check.made", outcome=record.outcome, **record.metadata)
                self._sink.record(record)
        left_s = max(0.0, (slot.end - self._clock()).total_seconds())
        return min(left_s, TAKEOVER_S) if self._watched else left_s

    def _claims_result(self, slot: Slot) -> bool:
        """Return whether this process may record the result. It may not if another process has taken over."""
        try:
            return self._claims.claim(slot.result, until=slot.end, now=self._clock())
        except AuditlaneError as error:  # two results are better than none
            get("security").warning("security_check.waits", problem=error.message)
            return True


def record_of(report: Report, *, installation: str) -> AuditRecord:
    """Return the audit record of a report. Its severity is that of the worst finding.

    The outcome is `failure` if any finding has the severity high or critical.
    """
    metadata = {
        "findings": str(len(report.findings)),
        "critical": str(len(report.at_least(Severity.critical))),
        "version": auditlane_version(),
    }
    if report.codes:
        metadata["codes"] = ", ".join(report.codes)
    if report.not_made:
        metadata["not_made"] = ", ".join(dict.fromkeys(gap.check for gap in report.not_made))
    return AuditRecord(
        action=Action.security_checked,
        actor_id="auditlane",
        actor_type="system",
        outcome="failure" if report.at_least(Severity.high) else "success",
        severity=_SEVERITIES[report.worst or Severity.info],
        resource="installation",
        resource_id=installation,
        metadata=metadata,
    )
