"""Aggregates repeated audit records into one event with a count. Pure: the time is passed in.

Paging through a log takes twenty requests a minute, and a misconfigured client may be denied a thousand times. Records
about changes and exports are never aggregated.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

from auditlane.access.audit import Action, AuditRecord
from auditlane.runtime.ids import uuid7

MAX_WINDOWS: Final = 2_000  # open groups; above this, the oldest group ends early
MAX_VALUES: Final = 10  # distinct values listed for one detail of a group
_READS: Final = frozenset({Action.viewed, Action.operated})
_SEPARATOR: Final = ", "


@dataclass(frozen=True, slots=True)
class DatedRecord:
    """A record that is ready to become an event, with the time of its (first) action and the event's id."""

    record: AuditRecord
    at: datetime
    event_id: str = field(default_factory=uuid7, compare=False)

    @classmethod
    def of(cls, record: AuditRecord, now: datetime) -> DatedRecord:
        """Return the record with its own time and id, or else with `now` and a new id."""
        return cls(record, record.occurred_at or now, record.event_id or uuid7())


@dataclass(slots=True)
class _Window:
    first: AuditRecord
    at: datetime
    last: datetime
    count: int
    details: dict[str, list[str]]  # distinct values, in order of appearance

    def closed(self) -> DatedRecord:
        metadata = {name: _SEPARATOR.join(values) for name, values in self.details.items()}
        if self.count > 1:
            metadata |= {"count": str(self.count), "until": self.last.isoformat()}
        return DatedRecord(replace(self.first, metadata=metadata), self.at)


def counted_together(record: AuditRecord) -> bool:
    """Return whether records like this one are aggregated: reads and denials."""
    return record.action in _READS or record.outcome == "denied"


def _key(record: AuditRecord) -> tuple[object, ...]:
    """Return the key of a record's group. It excludes values that callers choose, which would prevent grouping."""
    return record.action, record.outcome, record.tenant, record.actor_type, record.actor_id, record.ip, record.resource


class AuditAggregator:
    """Groups records. Not thread-safe; the owner holds a lock."""

    def __init__(self, window: timedelta) -> None:
        """Set how long a group collects records (`window`); zero disables aggregation."""
        self._window = window
        self._open: dict[tuple[object, ...], _Window] = {}  # in the order in which they started

    def add(self, record: AuditRecord, now: datetime) -> list[DatedRecord]:
        """Add a record. Return the records that are ready now."""
        if not self._window or not counted_together(record):
            return [DatedRecord.of(record, now)]
        key = _key(record)
        if key not in self._open and len(self._open) >= MAX_WINDOWS and not record.actor_id:
            record = replace(record, ip=None)  # unauthenticated requests from very many addresses form one group
            key = _key(record)
        known = self._open.get(key)
        if known:
            known.count += 1
            known.last = now
            if known.first.resource_id != record.resource_id:
                known.first = replace(known.first, resource_id=None)
            if known.first.request_id != record.request_id:
                known.first = replace(known.first, request_id=None)
        else:
            self._open[key] = known = _Window(record, now, now, 1, {})
        for name, value in record.metadata.items():
            values = known.details.setdefault(name, [])
            if value not in values and len(values) < MAX_VALUES:
                values.append(value)
        return self._end(len(self._open) - MAX_WINDOWS)

    def due(self, now: datetime) -> list[DatedRecord]:
        """End and return the groups whose window is over."""
        return self._end(sum(1 for _ in takewhile(lambda group: now - group.at >= self._window, self._open.values())))

    def flush(self) -> list[DatedRecord]:
        """End and return all groups."""
        return self._end(len(self._open))

    def wakes_at(self) -> datetime | None:
        """Return when the next group is due, or None."""
        return next((group.at + self._window for group in self._open.values()), None)

    def _end(self, oldest: int) -> list[DatedRecord]:
        keys = list(self._open)[: max(0, oldest)]
        return [self._open.pop(key).closed() for key in keys]
