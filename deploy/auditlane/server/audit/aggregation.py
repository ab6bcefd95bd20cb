"""Which of our own records become an event of their own, and which are counted together: pure, the time is passed in.

Somebody who pages through a log asks twenty times a minute; a broken client is refused a thousand times. Each such
group becomes one event with a count. What changes something, or takes it away, is never counted together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

from auditlane.access.audit import Action, AuditRecord
from auditlane.runtime.ids import uuid7

MOST_WINDOWS: Final = 2_000  # groups open at once; beyond it the oldest one ends early
MOST_VALUES: Final = 10  # values told of one detail that differs within a group
_READS: Final = frozenset({Action.viewed, Action.operated})
_SEPARATOR: Final = ", "


@dataclass(frozen=True, slots=True)
class DatedRecord:
    """A record that is ready to become an event, when it (or the first of its group) was done, and the event's id."""

    record: AuditRecord
    at: datetime
    event_id: str = field(default_factory=uuid7, compare=False)


@dataclass(slots=True)
class _Window:
    first: AuditRecord
    at: datetime
    last: datetime
    count: int
    details: dict[str, list[str]]  # distinct values, in their order

    def closed(self) -> DatedRecord:
        metadata = {name: _SEPARATOR.join(values) for name, values in self.details.items()}
        if self.count > 1:
            metadata |= {"count": str(self.count), "until": self.last.isoformat()}
        return DatedRecord(replace(self.first, metadata=metadata), self.at)


def counted_together(record: AuditRecord) -> bool:
    """Reads and refusals are; everything else is an event each."""
    return record.action in _READS or record.outcome == "denied"


def _key(record: AuditRecord) -> tuple[object, ...]:
    """What a caller may choose freely (a path, an id that somebody typed) is no part of it: it would group nothing."""
    return record.action, record.outcome, record.tenant, record.actor_type, record.actor_id, record.ip, record.resource


class AuditAggregator:
    """Not thread-safe; its owner has the lock."""

    def __init__(self, window: timedelta) -> None:
        """`window` of zero makes an event of every record."""
        self._window = window
        self._open: dict[tuple[object, ...], _Window] = {}  # in the order of their beginnings

    def add(self, record: AuditRecord, now: datetime) -> list[DatedRecord]:
        """Take a record; returns what is ready because of it."""
        if not self._window or not counted_together(record):
            return [DatedRecord(record, now)]
        key = _key(record)
        if key not in self._open and len(self._open) >= MOST_WINDOWS and not record.actor_id:
            record = replace(record, ip=None)  # nobody we know, from very many addresses: one group for all of them
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
            if value not in values and len(values) < MOST_VALUES:
                values.append(value)
        return self._end(len(self._open) - MOST_WINDOWS)

    def due(self, now: datetime) -> list[DatedRecord]:
        """The groups whose time is over."""
        return self._end(sum(1 for _ in takewhile(lambda one: now - one.at >= self._window, self._open.values())))

    def flush(self) -> list[DatedRecord]:
        """Every group, over or not."""
        return self._end(len(self._open))

    def wakes_at(self) -> datetime | None:
        """When `due` next has something."""
        return next((one.at + self._window for one in self._open.values()), None)

    def _end(self, oldest: int) -> list[DatedRecord]:
        keys = list(self._open)[: max(0, oldest)]
        return [self._open.pop(key).closed() for key in keys]
