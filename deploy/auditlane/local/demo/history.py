"""A tenant's events in chronological order, as a pure function of the seed and the history's start and end."""

from __future__ import annotations

import heapq
import itertools
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from hashlib import sha256
from random import Random
from typing import Final

from auditlane.contract.event import AuditEvent
from auditlane.local.demo import fields, schedule
from auditlane.local.demo.chance import seeded
from auditlane.local.demo.inventory import Inventory
from auditlane.local.demo.sessions import Entry, Session
from auditlane.local.demo.tenants import TENANTS, Tenant

LENGTH: Final = timedelta(days=30)


class TenantHistory:
    """Plays a tenant's sessions.

    The events until any time start with the events until every earlier time, so a history can be continued.
    """

    def __init__(self, tenant: Tenant, seed: int, begin: datetime) -> None:
        """Start a history at `begin` (UTC). No session starts before it."""
        self.inventory = Inventory(tenant, seeded(seed, tenant.name))
        self._origin = f"{seed}/{tenant.name}/{begin.isoformat()}"
        self._seed = seed
        self._begin = begin
        self._day = begin.date()  # the first day not planned yet
        self._dice = seeded(self._origin)
        self._numbers = itertools.count()
        self._events = itertools.count()
        self._queue: list[tuple[datetime, int, bool, Session]] = []  # (next step, tie-breaker, whether begun, session)

    def until(self, end: datetime) -> Iterator[AuditEvent]:
        """Yield the events since the previous call up to and including `end`, oldest first."""
        while (due := self._next()) <= end:
            number, session = self._queue[0][1], self._queue[0][3]
            match next(session, None):
                case None:
                    heapq.heappop(self._queue)
                    continue
                case float() | int() as pause:
                    after = due + timedelta(seconds=pause)
                case entry:
                    after = due + timedelta(seconds=0.1 + 0.4 * self._dice.random())
                    yield event_of(self.inventory.tenant.name, entry, self._dice, at=due, event_id=self._id(due))
            heapq.heapreplace(self._queue, (after, number, True, session))

    def in_progress(self) -> list[Session]:
        """Return the sessions that started before the last `end` passed to `until` and are still running."""
        return [session for _, _, begun, session in sorted(self._queue, key=lambda row: row[:2]) if begun]

    def _next(self) -> datetime:
        """Return the next step's time, after planning its day if necessary."""
        while not self._queue or self._queue[0][0] >= datetime.combine(self._day, time(), UTC):
            dice = seeded(self._seed, self.inventory.tenant.name, self._day.isoformat())
            for start, session in schedule.day(self.inventory, self._day, dice):
                if start >= self._begin:
                    heapq.heappush(self._queue, (start, next(self._numbers), False, session))
            self._day += timedelta(days=1)
        return self._queue[0][0]

    def _id(self, at: datetime) -> str:
        """Return the next event's id, a UUID of version 7 whose random bits depend only on the history."""
        digest = sha256(f"{self._origin}/{next(self._events)}".encode()).digest()
        stamp = int(at.timestamp() * 1_000) << 80 | int.from_bytes(digest[:10], "big")
        return str(uuid.UUID(int=stamp & ~(0xF << 76 | 0b11 << 62) | 7 << 76 | 0b10 << 62))


def event_of(tenant: str, entry: Entry, dice: Random, *, at: datetime, event_id: str) -> AuditEvent:
    """Convert a session's entry to an event."""
    actor, change = entry
    metadata = dict(change.metadata)
    if actor.session_id:
        metadata["session_id"] = actor.session_id
    return AuditEvent(
        event_id=event_id,
        tenant_id=tenant,
        occurred_at=at,
        action=change.action,
        actor_id=actor.actor_id,
        actor_type=actor.actor_type,
        actor_name=actor.actor_name,
        on_behalf_of=actor.on_behalf_of,
        resource=change.resource,
        resource_id=change.resource_id,
        outcome=change.outcome,
        severity=change.severity,
        description=change.description,
        ip=actor.ip,
        user_agent=actor.user_agent,
        request_id=f"req-{dice.getrandbits(48):012x}",
        before=change.before,
        after=change.after,
        source=actor.source,
        metadata=metadata,
        fields=fields.values(tenant, actor, change, dice),
    )


def histories(seed: int, start: datetime) -> list[TenantHistory]:
    """Return all tenants' histories for a demo that was first started at `start`."""
    begin = start.astimezone(UTC) - LENGTH
    return [TenantHistory(tenant, seed, begin) for tenant in TENANTS]


def events(seed: int, start: datetime, now: datetime | None = None) -> list[AuditEvent]:
    """Return the events from 30 days before `start` until `now`, by default `start`, tenant by tenant."""
    end = (now or start).astimezone(UTC)
    return [event for history in histories(seed, start) for event in history.until(end)]
