"""Determines when sessions start, from working hours in each person's time zone, weekends, nights, and the tenants'
regular incidents.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final

from auditlane.local.demo import sessions
from auditlane.local.demo.chance import count, seeded, weighted
from auditlane.local.demo.inventory import Inventory
from auditlane.local.demo.people import Person
from auditlane.local.demo.sessions import Session

_WEEKDAYS: Final = 5
_NIGHT: Final = 0.04  # fraction of work sessions that start at any hour
_AT_OFFICE: Final = 0.7
_BACKUP_HOUR: Final = 3.0


def day(inventory: Inventory, on: date, dice: Random) -> Iterator[tuple[datetime, Session]]:
    """Yield the sessions that start on a day (UTC) with their start times, in no particular order."""
    tenant, ordinal = inventory.tenant, on.toordinal()
    weekday = on.weekday() < _WEEKDAYS

    def begins(hour: float, session: Session) -> tuple[datetime, Session]:
        return datetime.combine(on, time(), UTC) + timedelta(hours=hour % 24), session

    def own() -> Random:
        return seeded(dice.getrandbits(64))

    expected = tenant.sessions * (1 if weekday else tenant.weekend) * (0.8 + 0.4 * dice.random())
    for _ in range(count(dice, expected)):
        person = dice.choice(inventory.active())
        at_office = weekday and dice.random() < _AT_OFFICE
        yield begins(_working_hour(dice) - person.zone, sessions.work(inventory, person, own(), at_office=at_office))
    for invitation in list(inventory.invited):
        hour = _working_hour(dice) - inventory.invited[invitation].zone
        yield begins(hour, sessions.joining(inventory, invitation, own()))
    if weekday and tenant.administration.falls_on(ordinal):
        admin = dice.choice(inventory.active("admin"))
        yield begins(_working_hour(dice) - admin.zone, sessions.administration(inventory, admin, own()))
    if tenant.attack.falls_on(ordinal):
        yield begins(21 + 8 * dice.random(), sessions.attack(inventory, dice.choice(inventory.active()), own()))
    if tenant.impersonation.falls_on(ordinal):
        person = _helped(inventory, dice)
        yield begins(_working_hour(dice) - person.zone, sessions.impersonation(inventory, person, own()))
    for hour in tenant.syncs:
        yield begins(hour + 0.1 * dice.random(), sessions.synchronization(inventory, own()))
    yield begins(_BACKUP_HOUR + 0.2 * dice.random(), sessions.backup(own(), ordinal=ordinal))


def any_session(inventory: Inventory, dice: Random) -> Session:
    """Return a session that can start at any time: usually work, rarely an incident."""
    person, own = dice.choice(inventory.active()), seeded(dice.getrandbits(64))
    kind = weighted(dice, {"work": 30, "sync": 4, "administration": 2, "attack": 0.5, "impersonation": 0.7})
    if kind == "administration":
        return sessions.administration(inventory, dice.choice(inventory.active("admin")), own)
    if kind == "attack":
        return sessions.attack(inventory, person, own)
    if kind == "impersonation":
        return sessions.impersonation(inventory, _helped(inventory, dice), own)
    if kind == "sync":
        return sessions.synchronization(inventory, own)
    return sessions.work(inventory, person, own, at_office=dice.random() < _AT_OFFICE)


def _helped(inventory: Inventory, dice: Random) -> Person:
    """Return a person who needs support, preferably not an administrator."""
    others = [person for person in inventory.active() if person.department != "admin"]
    return dice.choice(others or inventory.active())


def _working_hour(dice: Random) -> float:
    """Return an hour of the day: usually around ten or three o'clock, rarely in the evening, and occasionally any
    hour.
    """
    if dice.random() < _NIGHT:
        return 24 * dice.random()
    centre, spread = weighted(dice, {(10.0, 1.2): 10, (15.0, 1.5): 9, (20.0, 1.2): 1})
    return dice.gauss(centre, spread)
