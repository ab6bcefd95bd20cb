"""The demo's tenants, with their size, working hours and regular incidents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often a recurring incident happens: every `days` calendar days, shifted by `phase` days."""

    days: int
    phase: int = 0

    def falls_on(self, ordinal: int) -> bool:
        """Return whether the incident happens on the day with this ordinal."""
        return ordinal % self.days == self.phase


@dataclass(frozen=True, slots=True)
class Tenant:
    """A demo tenant. `staff` counts people by department, and `zones` contains their offsets from UTC in hours.

    `sessions` is the expected number of work sessions on a weekday, and `weekend` the fraction of that on Saturdays and
    Sundays. `live` is the tenant's weight among live events.
    """

    name: str
    staff: Mapping[str, int]
    zones: tuple[int, ...]
    sessions: float
    weekend: float
    live: int
    administration: Cadence
    attack: Cadence
    impersonation: Cadence
    syncs: tuple[int, ...]  # the integration's running hours (UTC)


TENANTS: Final = (
    Tenant(
        name="acme",
        staff={"admin": 3, "engineering": 14, "finance": 5, "sales": 8, "support": 5},
        zones=(-5, 1, 1, 8),
        sessions=11.0,
        weekend=0.35,
        live=7,
        administration=Cadence(1),
        attack=Cadence(4, 1),
        impersonation=Cadence(3, 1),
        syncs=(1, 7, 11, 15, 19, 22),
    ),
    Tenant(
        name="globex",
        staff={"admin": 2, "engineering": 5, "finance": 2, "sales": 4},
        zones=(1, 2),
        sessions=4.5,
        weekend=0.12,
        live=3,
        administration=Cadence(3),
        attack=Cadence(8, 3),
        impersonation=Cadence(7, 2),
        syncs=(3, 15),
    ),
    Tenant(
        name="initech",
        staff={"admin": 1, "finance": 1, "sales": 2},
        zones=(-6,),
        sessions=1.8,
        weekend=0.1,
        live=1,
        administration=Cadence(6),
        attack=Cadence(13, 5),
        impersonation=Cadence(12, 4),
        syncs=(6,),
    ),
)
