"""Continues a history at a pace that viewers can follow: a few events a minute, with the same people, sessions and
objects.

Live events are not part of the history. A restart continues from the history, so their changes are forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Final

from auditlane.contract.event import AuditEvent
from auditlane.local.demo import schedule
from auditlane.local.demo.history import TenantHistory, event_of
from auditlane.local.demo.sessions import Entry, Session
from auditlane.runtime.ids import uuid7

_SESSIONS: Final = 3  # number of concurrent sessions per tenant


class Live:
    """Draws the next event. Pauses of sessions are skipped, since the caller sets the pace."""

    def __init__(self, histories: Sequence[TenantHistory], dice: Random) -> None:
        self._dice = dice
        self._histories = histories
        self._weights = [history.inventory.tenant.live for history in histories]
        self._sessions: list[list[Session]] = [history.in_progress() for history in histories]

    def event(self, now: datetime) -> AuditEvent:
        """Return an event that happens at `now`."""
        chosen = self._dice.choices(range(len(self._histories)), self._weights)[0]
        inventory, running = self._histories[chosen].inventory, self._sessions[chosen]
        while True:
            while len(running) < _SESSIONS:
                running.append(schedule.any_session(inventory, self._dice))
            session = self._dice.choice(running)
            entry = _entry(session)
            if entry is not None:
                return event_of(inventory.tenant.name, entry, self._dice, at=now, event_id=uuid7())
            running.remove(session)


def _entry(session: Session) -> Entry | None:
    return next((step for step in session if isinstance(step, tuple)), None)
