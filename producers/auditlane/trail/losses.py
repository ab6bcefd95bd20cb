"""Counts dropped audit events, for a summary event with their number, actions and times. Performs no I/O."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from auditlane.access.audit import Action, AuditRecord
from auditlane.runtime.digest import shortened

_MAX_ACTIONS = 30  # maximum number of actions that an event lists by name
_ACTION_BYTES = 100
_OTHERS = "others"


@dataclass(slots=True)
class Losses:
    """Events dropped since the last summary. Not thread-safe: the owner holds a lock."""

    count: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    why: str = ""

    def add(self, action: str, at: datetime, why: str) -> None:
        """Count a dropped event."""
        name = shortened(action, _ACTION_BYTES)
        known = name in self.actions or len(self.actions) < _MAX_ACTIONS
        self.actions[name if known else _OTHERS] += 1
        self.count += 1
        self.first = self.first or at
        self.last = at
        self.why = why

    def take_summary(self) -> AuditRecord | None:
        """Return a summary record and reset the counts, or return None if nothing was dropped."""
        if not self.count or self.first is None or self.last is None:
            return None
        counts = ", ".join(f"{name}: {count}" for name, count in self.actions.most_common())
        record = AuditRecord(
            action=Action.events_dropped,
            actor_type="system",
            outcome="failure",
            resource="audit_trail",
            metadata={
                "count": str(self.count),
                "actions": counts,
                "since": self.first.isoformat(),
                "until": self.last.isoformat(),
                "cause": self.why,
            },
        )
        self.count, self.first, self.last, self.why = 0, None, None, ""
        self.actions.clear()
        return record
