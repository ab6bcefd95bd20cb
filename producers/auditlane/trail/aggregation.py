"""Aggregates repeated audit records into one event with a count. Pure: the time is an argument.

Paging through a log takes twenty requests a minute, and a misconfigured client may be denied a thousand times. A page
that stays open renews its viewer token several times an hour. Records about changes and exports are never aggregated.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

from auditlane.access.audit import Action, AuditRecord
from auditlane.runtime.ids import uuid7

MAX_WINDOWS: Final = 2_000  # maximum number of open groups; above it, the oldest group ends early
MAX_VALUES: Final = 10  # maximum number of distinct values listed for one detail of a group
RENEWALS: Final = timedelta(hours=1)  # period for counting viewer tokens after the first together
_READS: Final = frozenset({Action.viewed, Action.operated})
_SEPARATOR: Final = ", "


@dataclass(frozen=True, slots=True)
class DatedRecord:
    """A record that is ready to become an event, with its first action's time and the event's id."""

    record: AuditRecord
    at: datetime
    event_id: str = field(default_factory=uuid7, compare=False)

    @classmethod
    def of(cls, record: AuditRecord, now: datetime) -> DatedRecord:
        """Return the record with its own time and id, which default to `now` and a new id."""
        return cls(record, record.occurred_at or now, record.event_id or uuid7())


@dataclass(slots=True)
class _Window:
    first: AuditRecord
    at: datetime
    last: datetime
    count: int
    details: dict[str, list[str]]  # distinct values, in order of appearance

    @classmethod
    def of(cls, record: AuditRecord, now: datetime) -> _Window:
        window = cls(record, now, now, 0, {})
        window.add(record, now)
        return window

    def add(self, record: AuditRecord, now: datetime) -> None:
        self.count += 1
        self.last = now
        if self.first.resource_id != record.resource_id:
            self.first = replace(self.first, resource_id=None)
        if self.first.request_id != record.request_id:
            self.first = replace(self.first, request_id=None)
        if self.first.ip != record.ip:
            self.first = replace(self.first, ip=None)
        for name, value in record.metadata.items():
            values = self.details.setdefault(name, [])
            if value not in values and len(values) < MAX_VALUES:
                values.append(value)

    def closed(self) -> DatedRecord:
        metadata = {name: _SEPARATOR.join(values) for name, values in self.details.items()}
        if self.count > 1:
            metadata |= {"count": str(self.count), "until": self.last.isoformat()}
        return DatedRecord(replace(self.first, metadata=metadata), self.at)


def counted_together(record: AuditRecord) -> bool:
    """Return whether records like this one are aggregated. This applies to reads and denials."""
    return record.action in _READS or record.outcome == "denied"


def is_renewal(record: AuditRecord) -> bool:
    """Return whether records like this one are aggregated from the second on. This applies to viewer tokens for the
    same user."""
    return record.action == Action.viewer_token_issued and record.outcome == "success"


def _key(record: AuditRecord) -> tuple[object, ...]:
    """Return the key of a record's group. It omits values chosen by callers, since these would prevent grouping."""
    return record.action, record.outcome, record.tenant, record.actor_type, record.actor_id, record.ip, record.resource


def _renewal_key(record: AuditRecord) -> tuple[object, ...]:
    """Return a viewer token's key: the client, and the token's user, permissions and lifetime."""
    return record.tenant, record.actor_type, record.actor_id, *sorted(record.metadata.items())


class AuditAggregator:
    """Groups records. Not thread-safe: the owner holds a lock."""

    def __init__(self, window: timedelta) -> None:
        """Set how long a group collects reads or denials. A `window` of zero disables all aggregation."""
        self._window = window
        self._open: dict[tuple[object, ...], _Window] = {}  # in the order in which they started
        # When a first token was recorded, and the tokens that followed within the hour, if any; sorted by that time.
        self._tokens: dict[tuple[object, ...], tuple[datetime, _Window | None]] = {}

    def add(self, record: AuditRecord, now: datetime) -> list[DatedRecord]:
        """Add a record. Returns the records that are ready now."""
        if self._window and is_renewal(record):
            return self._add_token(record, now)
        if not self._window or not counted_together(record):
            return [DatedRecord.of(record, now)]
        key = _key(record)
        if key not in self._open and len(self._open) >= MAX_WINDOWS and not record.actor_id:
            record = replace(record, ip=None)  # unauthenticated requests form one group, even from very many addresses
            key = _key(record)
        if known := self._open.get(key):
            known.add(record, now)
        else:
            self._open[key] = _Window.of(record, now)
        return self._end(len(self._open) - MAX_WINDOWS)

    def due(self, now: datetime) -> list[DatedRecord]:
        """End and return the groups whose window is over."""
        ended = sum(1 for _ in takewhile(lambda group: now - group.at >= self._window, self._open.values()))
        over = list(takewhile(lambda token: now - token[1][0] >= RENEWALS, self._tokens.items()))
        ready = self._end(ended) + self._end_tokens(len(over))
        # A token renewed within the hour continues its group, since its page is probably still open.
        self._tokens |= {key: (now, None) for key, (_, renewals) in over if renewals is not None}
        return ready

    def flush(self) -> list[DatedRecord]:
        """End and return all groups."""
        return self._end(len(self._open)) + self._end_tokens(len(self._tokens))

    def wakes_at(self) -> datetime | None:
        """Return when the next group is due, or None if there are no groups."""
        read = next((group.at + self._window for group in self._open.values()), None)
        token = next((first + RENEWALS for first, _ in self._tokens.values()), None)
        return min((at for at in (read, token) if at is not None), default=None)

    def _add_token(self, record: AuditRecord, now: datetime) -> list[DatedRecord]:
        """Return the record immediately for the first token of an hour, and count later tokens as renewals."""
        key = _renewal_key(record)
        if key not in self._tokens:
            self._tokens[key] = now, None
            return [*self._end_tokens(len(self._tokens) - MAX_WINDOWS), DatedRecord.of(record, now)]
        first, renewals = self._tokens[key]
        if renewals is None:
            self._tokens[key] = first, _Window.of(record, now)
        else:
            renewals.add(record, now)
        return []

    def _end(self, oldest: int) -> list[DatedRecord]:
        keys = list(self._open)[: max(0, oldest)]
        return [self._open.pop(key).closed() for key in keys]

    def _end_tokens(self, oldest: int) -> list[DatedRecord]:
        ended = [self._tokens.pop(key) for key in list(self._tokens)[: max(0, oldest)]]
        return [renewals.closed() for _, renewals in ended if renewals is not None]
